"""An expense report, and the JSON and the ETag that the API shows of it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from acme_expenses.money import to_number
from acme_expenses.times import to_text


class Status(StrEnum):
    """Where a report stands; all but `pending` are final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the company."""

    email_addr: str
    full_name: str
    record_id: str


@dataclass(frozen=True, slots=True)
class LineItem:
    """One expense of a report; `cents` may be negative for a refund."""

    item: str
    category: str
    cents: int


@dataclass(frozen=True, slots=True)
class Note:
    """A work note: said about a report, no part of what is approved."""

    id: str
    text: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Report:
    """An expense report as stored; `version` counts its changes from 1."""

    id: str
    currency: str
    description: str
    submitter: Person
    approver: Person
    line_items: tuple[LineItem, ...]
    total_cents: int
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
    notes: tuple[Note, ...] = ()


def etag(report: Report) -> str:
    """The strong ETag of a report: it changes with each change of content or state.

    Notes stay out of it on purpose. A mirror writes notes of its own beside the report; if a note
    changed the tag, the mirror would refuse its own next decision, and an approver would be told
    that the report changed when nothing that they approve did. The price: a reader that gets 304
    does not learn of new notes.
    """
    content = [
        report.id,
        report.version,
        report.status,
        report.currency,
        report.description,
        _person(report.submitter),
        _person(report.approver),
        [[line.item, line.category, line.cents] for line in report.line_items],
        report.total_cents,
        report.decided_by,
        report.decision_reason,
    ]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return f'"{report.version}-{digest[:16]}"'


def page_url(report_id: str, public_url: str) -> str:
    """Where a person finds the report."""
    return f"{public_url}/reports/{report_id}"


def as_json(report: Report, public_url: str) -> dict[str, Any]:
    """The report as the API shows it; absent things are None, lists are never absent."""
    return {
        "id": report.id,
        "report_id": report.id,
        "total_amount": to_number(report.total_cents),
        "currency": report.currency,
        "description": report.description,
        "submitter": _person(report.submitter),
        "approver": _person(report.approver),
        "line_items": [
            {"item": line.item, "category": line.category, "amount": to_number(line.cents)}
            for line in report.line_items
        ],
        "status": report.status.value,
        "version": report.version,
        "created_at": to_text(report.created_at),
        "updated_at": to_text(report.updated_at),
        "decided_by": report.decided_by,
        "decided_at": None if report.decided_at is None else to_text(report.decided_at),
        "decision_reason": report.decision_reason,
        "url": page_url(report.id, public_url),
        "notes": [note_json(note) for note in report.notes],
    }


def note_json(note: Note) -> dict[str, str]:
    """A note as the API shows it."""
    return {
        "id": note.id,
        "text": note.text,
        "author": note.author,
        "created_at": to_text(note.created_at),
    }


def _person(person: Person) -> dict[str, str]:
    return {
        "email_addr": person.email_addr,
        "full_name": person.full_name,
        "record_id": person.record_id,
    }
