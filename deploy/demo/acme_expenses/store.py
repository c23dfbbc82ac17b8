"""The data file: SQLite in WAL mode, read by all and written by one at a time."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from acme_expenses.errors import DataFileError, NoSuchReportError
from acme_expenses.records import Note, Report, Status
from acme_expenses.rows import to_note, to_report
from acme_expenses.times import to_text
from acme_expenses.writer import Writer

_SCHEMA_VERSION = 1
# Where a report stands in lists: the time of its last change as text, then its id.
Position = tuple[str, str]


class Store:
    """The reports of the company.

    What a `with store.write()` block did is durable when the block is left: a process killed at
    any moment loses nothing that was answered. (A power cut may: the file is not synced at each
    commit, because this is a demonstration and no ledger.)
    """

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], datetime]) -> None:
        self._connection = connection
        self._clock = clock
        # One connection, one user at a time: the lock is what makes a block one transaction.
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls, path: Path, clock: Callable[[], datetime], fill: Callable[[Writer], None]
    ) -> Self:
        """Opens the file; a new one is made and filled in one transaction.

        Raises DataFileError when it cannot be used, for example because it is in use already.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=1
            )
        except (OSError, sqlite3.Error) as error:
            raise DataFileError(f"Cannot open {path}: {error}.") from error
        connection.row_factory = sqlite3.Row
        store = cls(connection, clock)
        try:
            store._prepare(path, fill)
        except sqlite3.Error as error:
            connection.close()
            raise DataFileError(
                f"Cannot use {path}: {error}. Stop the program that holds it, or choose another"
                " file with --data."
            ) from error
        except DataFileError:
            connection.close()
            raise
        return store

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[Writer]:
        """One transaction: all of the block is kept, or, when it raises, nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Writer(self._connection, self._clock, self._read)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    def read(self, report_id: str) -> Report:
        """One report with its notes; raises NoSuchReportError."""
        with self._lock:
            return self._read(report_id)

    def page(
        self,
        *,
        status: Status | None,
        since: datetime | None,
        after: Position | None,
        limit: int,
    ) -> tuple[list[Report], Position | None]:
        """The next reports in order of their last change, and where to go on, if there are more."""
        terms = ["(listed_at IS NULL OR listed_at <= ?)"]
        values: list[str | int] = [to_text(self._clock())]
        if status is not None:
            terms.append("status = ?")
            values.append(status.value)
        if since is not None:
            terms.append("updated_at >= ?")
            values.append(to_text(since))
        if after is not None:
            terms.append("(updated_at, id) > (?, ?)")
            values += after
        reports = self._select(
            f"WHERE {' AND '.join(terms)} ORDER BY updated_at, id LIMIT ?", [*values, limit + 1]
        )
        if len(reports) <= limit:
            return reports, None
        last = reports[limit - 1]
        return reports[:limit], (to_text(last.updated_at), last.id)

    def newest(
        self, *, status: Status | None, approver: str | None, limit: int, offset: int
    ) -> list[Report]:
        """Reports for people, the last changed first; those that lists of the API hide are in."""
        terms, values = ["1 = 1"], list[str | int]()
        if status is not None:
            terms.append("status = ?")
            values.append(status.value)
        if approver is not None:
            terms.append("approver_email = ?")
            values.append(approver)
        return self._select(
            f"WHERE {' AND '.join(terms)} ORDER BY updated_at DESC, id DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )

    def counts(self, approver: str | None) -> dict[Status, int]:
        """How many reports stand in each status, of one approver or of all."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT status, count(*) AS number FROM reports"
                " WHERE ?1 IS NULL OR approver_email = ?1 GROUP BY status",
                (approver,),
            ).fetchall()
        found = {Status(row["status"]): int(row["number"]) for row in rows}
        return {status: found.get(status, 0) for status in Status}

    def _prepare(self, path: Path, fill: Callable[[Writer], None]) -> None:
        # Exclusive: a second program on the same file would break the order of updated_at that
        # cursors rely on. The system drops the lock when the process dies, however it dies.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        # The write takes the lock now, and not at the first request.
        with self.write() as writer:
            found = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
            if found == 0:
                for statement in _statements():
                    self._connection.execute(statement)
                fill(writer)
            elif found != _SCHEMA_VERSION:
                raise DataFileError(
                    f"{path} was written by another version of this program; choose another file"
                    " with --data."
                )

    def _read(self, report_id: str) -> Report:
        row = self._connection.execute(
            "SELECT * FROM reports WHERE id = ?", (report_id,)
        ).fetchone()
        if row is None:
            raise NoSuchReportError(report_id)
        return to_report(row, self._notes([report_id]).get(report_id, ()))

    def _select(self, tail: str, values: list[str | int]) -> list[Report]:
        with self._lock:
            # The tail is put together from the constants above; what users send is bound.
            rows = self._connection.execute(
                f"SELECT * FROM reports {tail}",  # noqa: S608 - see the line above
                values,
            ).fetchall()
            notes = self._notes([row["id"] for row in rows])
        return [to_report(row, notes.get(row["id"], ())) for row in rows]

    def _notes(self, report_ids: list[str]) -> dict[str, tuple[Note, ...]]:
        marks = ", ".join("?" * len(report_ids))
        rows = self._connection.execute(
            f"SELECT * FROM notes WHERE report_id IN ({marks}) ORDER BY number",  # noqa: S608 - only question marks
            report_ids,
        ).fetchall()
        notes: dict[str, tuple[Note, ...]] = {}
        for row in rows:
            notes[row["report_id"]] = (*notes.get(row["report_id"], ()), to_note(row))
        return notes


def _statements() -> Iterator[str]:
    # Not executescript: it commits, and a file must not exist without its first reports.
    statement = ""
    for line in (Path(__file__).parent / "schema.sql").read_text(encoding="utf-8").splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
