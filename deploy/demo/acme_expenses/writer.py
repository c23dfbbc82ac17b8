"""The changes that reports can take, each inside the transaction that the store opened."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from acme_expenses.drafts import MAX_LINE_ITEMS, MAX_NOTES, Change, Draft, NoteDraft, Settlement
from acme_expenses.errors import (
    AlreadySettledError,
    ChooseAnotherIdError,
    CorrectInputError,
    ReadAgainError,
    StopAddingNotesError,
    UseAnotherKeyError,
)
from acme_expenses.records import LineItem, Note, Report, Status, etag
from acme_expenses.rows import COLUMNS, to_row
from acme_expenses.times import from_text, to_text

# Old answers are forgotten beyond this many, so that the file stays small.
_MAX_ANSWERS = 20_000

ADJUSTMENT = "Adjustment"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller was told: status, headers and JSON body."""

    status: int
    headers: dict[str, str]
    body: Any


class Writer:
    """Changes reports; made by `Store.write` for one transaction.

    `seen` tells whether an ETag is one that the asker saw; None stands for any. A report with
    another ETag is not changed: ReadAgainError.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        clock: Callable[[], datetime],
        read: Callable[[str], Report],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._read = read

    def add(self, report: Report, *, listed_at: datetime | None = None) -> None:
        """Stores a finished report with its notes, hidden from lists until `listed_at`.

        Raises ChooseAnotherIdError when its id is taken.
        """
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        try:
            self._connection.execute(
                f"INSERT INTO reports ({', '.join(COLUMNS)}, listed_at) VALUES ({marks})",  # noqa: S608 - column names of ours
                (*to_row(report), None if listed_at is None else to_text(listed_at)),
            )
        except sqlite3.IntegrityError as error:
            raise ChooseAnotherIdError(report.id) from error
        for note in report.notes:
            self._insert_note(report.id, NoteDraft(note.text, note.author), note.created_at)

    def create(self, draft: Draft, *, listed_after: timedelta | None = None) -> Report:
        """A new pending report; raises ChooseAnotherIdError when its id is taken."""
        moment = self._stamp()
        report = Report(
            id=draft.report_id or self._next_id(moment),
            currency=draft.currency,
            description=draft.description,
            submitter=draft.submitter,
            approver=draft.approver,
            line_items=draft.line_items,
            total_cents=sum(line.cents for line in draft.line_items),
            status=Status.PENDING,
            version=1,
            created_at=moment,
            updated_at=moment,
        )
        self.add(report, listed_at=None if listed_after is None else moment + listed_after)
        return report

    def edit(self, report_id: str, change: Change, seen: Callable[[str], bool] | None) -> Report:
        """The report as edited; an edit that changes nothing leaves version and times alone.

        A total alone is reached by a line item "Adjustment", so that the items still add up.
        Raises NoSuchReportError, AlreadySettledError, ReadAgainError, CorrectInputError.
        """
        report = self._pending(report_id, seen)
        lines = report.line_items if change.line_items is None else change.line_items
        if change.line_items is None and change.total_cents is not None:
            lines = _adjusted(lines, change.total_cents)
        edited = replace(
            report,
            description=report.description if change.description is None else change.description,
            approver=report.approver if change.approver is None else change.approver,
            line_items=lines,
            total_cents=sum(line.cents for line in lines),
        )
        return report if edited == report else self._save(edited, self._stamp())

    def settle(
        self, report_id: str, settlement: Settlement, seen: Callable[[str], bool] | None
    ) -> Report:
        """The report in its final state.

        Raises NoSuchReportError, AlreadySettledError, ReadAgainError.
        """
        report = self._pending(report_id, seen)
        moment = self._stamp()
        settled = replace(
            report,
            status=settlement.status,
            decided_by=settlement.decided_by,
            decided_at=moment,
            decision_reason=settlement.reason,
        )
        return self._save(settled, moment)

    def note(self, report_id: str, draft: NoteDraft) -> Note:
        """Adds a note, to a settled report too, and leaves version, ETag and times alone.

        Raises NoSuchReportError and StopAddingNotesError.
        """
        report = self._read(report_id)
        if len(report.notes) >= MAX_NOTES:
            raise StopAddingNotesError(
                f"Report {report_id} has {MAX_NOTES} notes and takes no more."
            )
        return self._insert_note(report_id, draft, self._clock())

    def replay(self, key: str, fingerprint: str) -> Answer | None:
        """The answer that this key had before; raises UseAnotherKeyError for another request."""
        row = self._connection.execute("SELECT * FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            raise UseAnotherKeyError
        return Answer(row["status"], json.loads(row["headers"]), json.loads(row["body"]))

    def remember(self, key: str, fingerprint: str, answer: Answer) -> None:
        """Keeps the answer, so that the same request gets it again."""
        cursor = self._connection.execute(
            "INSERT INTO answers (key, fingerprint, status, headers, body) VALUES (?, ?, ?, ?, ?)",
            (
                key,
                fingerprint,
                answer.status,
                json.dumps(answer.headers),
                json.dumps(answer.body),
            ),
        )
        self._connection.execute(
            "DELETE FROM answers WHERE number <= ?", ((cursor.lastrowid or 0) - _MAX_ANSWERS,)
        )

    def _pending(self, report_id: str, seen: Callable[[str], bool] | None) -> Report:
        report = self._read(report_id)
        # Settled comes before changed: RFC 9110 (13.2.1) has a server ignore preconditions when
        # it would refuse without them, and "who decided" says more than "changed".
        if report.status is not Status.PENDING:
            raise AlreadySettledError(report)
        if seen is not None and not seen(etag(report)):
            raise ReadAgainError(report)
        return report

    def _save(self, report: Report, moment: datetime) -> Report:
        saved = replace(report, version=report.version + 1, updated_at=moment)
        assignments = ", ".join(f"{column} = ?" for column in COLUMNS)
        self._connection.execute(
            f"UPDATE reports SET {assignments} WHERE id = ?",  # noqa: S608 - column names of ours
            (*to_row(saved), saved.id),
        )
        return saved

    def _insert_note(self, report_id: str, draft: NoteDraft, moment: datetime) -> Note:
        cursor = self._connection.execute(
            "INSERT INTO notes (report_id, text, author, created_at) VALUES (?, ?, ?, ?)",
            (report_id, draft.text, draft.author, to_text(moment)),
        )
        return Note(f"note_{cursor.lastrowid}", draft.text, draft.author, moment)

    def _stamp(self) -> datetime:
        # Each change is later than every change before it, whatever the clock does: a cursor that
        # has passed a time never misses a change that is written afterwards.
        moment = self._clock()
        last = self._connection.execute("SELECT max(updated_at) FROM reports").fetchone()[0]
        if last is None:
            return moment
        return max(moment, from_text(last) + timedelta(microseconds=1))

    def _next_id(self, moment: datetime) -> str:
        prefix = f"EXP-{moment:%Y-%m-%d}-"
        # Ids that people chose may share the prefix without being numbers.
        last = self._connection.execute(
            "SELECT max(CAST(substr(id, ?1) AS INTEGER)) FROM reports WHERE id >= ?2 AND id < ?3"
            " AND substr(id, ?1) NOT GLOB '*[^0-9]*' AND length(id) < ?1 + 9",
            (len(prefix) + 1, prefix, prefix + ":"),
        ).fetchone()[0]
        return f"{prefix}{(last or 0) + 1:03d}"


def _adjusted(lines: tuple[LineItem, ...], total_cents: int) -> tuple[LineItem, ...]:
    kept = tuple(line for line in lines if line.category != ADJUSTMENT)
    rest = total_cents - sum(line.cents for line in kept)
    if rest == 0 and kept:
        return kept
    if len(kept) >= MAX_LINE_ITEMS:
        raise CorrectInputError([("line_items", f"may be at most {MAX_LINE_ITEMS}")])
    return (*kept, LineItem(ADJUSTMENT, ADJUSTMENT, rest))
