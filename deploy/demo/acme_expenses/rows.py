"""How reports and notes lie in rows of the data file."""

import json
import sqlite3
from typing import Any

from acme_expenses.records import LineItem, Note, Person, Report, Status
from acme_expenses.times import from_text, to_text

COLUMNS = (
    "id",
    "currency",
    "description",
    "submitter_email",
    "submitter_name",
    "submitter_record",
    "approver_email",
    "approver_name",
    "approver_record",
    "line_items",
    "total_cents",
    "status",
    "version",
    "created_at",
    "updated_at",
    "decided_by",
    "decided_at",
    "decision_reason",
)


def to_row(report: Report) -> tuple[Any, ...]:
    """The values of a report in the order of COLUMNS; notes have rows of their own."""
    return (
        report.id,
        report.currency,
        report.description,
        report.submitter.email_addr,
        report.submitter.full_name,
        report.submitter.record_id,
        report.approver.email_addr,
        report.approver.full_name,
        report.approver.record_id,
        json.dumps([[line.item, line.category, line.cents] for line in report.line_items]),
        report.total_cents,
        report.status.value,
        report.version,
        to_text(report.created_at),
        to_text(report.updated_at),
        report.decided_by,
        None if report.decided_at is None else to_text(report.decided_at),
        report.decision_reason,
    )


def to_report(row: sqlite3.Row, notes: tuple[Note, ...]) -> Report:
    """The report of a row, with its notes."""
    return Report(
        id=row["id"],
        currency=row["currency"],
        description=row["description"],
        submitter=Person(row["submitter_email"], row["submitter_name"], row["submitter_record"]),
        approver=Person(row["approver_email"], row["approver_name"], row["approver_record"]),
        line_items=tuple(LineItem(*line) for line in json.loads(row["line_items"])),
        total_cents=row["total_cents"],
        status=Status(row["status"]),
        version=row["version"],
        created_at=from_text(row["created_at"]),
        updated_at=from_text(row["updated_at"]),
        decided_by=row["decided_by"],
        decided_at=None if row["decided_at"] is None else from_text(row["decided_at"]),
        decision_reason=row["decision_reason"],
        notes=notes,
    )


def to_note(row: sqlite3.Row) -> Note:
    """The note of a row."""
    return Note(f"note_{row['number']}", row["text"], row["author"], from_text(row["created_at"]))
