"""What a person looks for among what waits, was asked and was decided: narrowed, and bounded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import asyncpg

from events.store.database import Database
from events.store.named_sql import statements
from projections.approval_view import Status
from projections.cursors import BadCursor, cursor_of, place_of
from projections.queries import Docs

MOST_LOOKED_AT = 5_000
"""How many approvals one page is looked for among; the next page goes on from there."""
MOST_KINDS = 50
_LAST = "~"
"""Sorts after every id."""

Whose = Literal["requester", "approver"]
_KEYS = {"requester": "approval_list", "approver": "approval_approvers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What a page is narrowed to.

    `text` stands in the title, in the name or address of who asks, or in the record's id, in
    whichever case; `requester` in the address. `urgency` is 0 for high to 2 for low. `due_in_s`:
    so many seconds are left at most. `answered_by` has answered it, and not taken that back; others
    than `shared_by` are asked as well.
    """

    text: str | None = None
    type: str | None = None
    source: str | None = None
    requester: str | None = None
    urgency: int | None = None
    due_in_s: int | None = None
    statuses: Sequence[Status] = ()
    answered_by: str | None = None
    shared_by: str | None = None


_ALL = Narrowed()


@dataclass(frozen=True, slots=True)
class Found(Docs):
    """A page; `partly` when it is not full because no more was looked at than is allowed."""

    partly: bool = False


@dataclass(frozen=True, slots=True)
class Kinds:
    """The types and the sources that approvals have, up to `MOST_KINDS` of each."""

    types: Sequence[str]
    sources: Sequence[str]


class Finding:
    """The read side of the pages; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("projections", "finding.sql")

    async def waiting(
        self, workspace: str, email: str, narrowed: Narrowed, *, limit: int, cursor: str | None
    ) -> Found:
        """Return what waits for somebody, most urgent first, then oldest; raises `BadCursor`.

        `waiting` counts all that waits for them, whatever it is narrowed to.
        """
        urgency, approval_id = place_of(cursor, 2) if cursor is not None else ("-1", "")
        if urgency != "-1" and not (len(urgency) == 1 and urgency.isdigit()):
            raise BadCursor
        most = MOST_LOOKED_AT if narrowed != _ALL else limit
        row = await self._row(
            "waiting", narrowed, [workspace, email, int(urgency), approval_id, most, limit]
        )
        place = row["last"] if row["rows"] == limit else row["reached"]
        following = cursor_of(place[0], place[1:]) if place else None
        return _found(row, limit, following, row["waiting"])

    async def found(
        self,
        workspace: str,
        whose: Whose,
        email: str,
        narrowed: Narrowed,
        *,
        limit: int,
        cursor: str | None,
    ) -> Found:
        """Return what somebody asked for or was asked, newest first; raises `BadCursor`."""
        (before,) = place_of(cursor, 1) if cursor is not None else (_LAST,)
        row = await self._row(
            "found",
            narrowed,
            [workspace, email, before, MOST_LOOKED_AT, limit],
            table=_KEYS[whose],
            who=whose,
        )
        place = row["last"] if row["rows"] == limit else row["reached"]
        return _found(row, limit, cursor_of(place) if place else None)

    async def kinds(self, workspace: str) -> Kinds:
        """Return which types and sources there are, by name."""
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(self._sql["kinds"], workspace, MOST_KINDS)
        return Kinds(row["types"], row["sources"]) if row is not None else Kinds((), ())

    async def _row(
        self, name: str, narrowed: Narrowed, arguments: list[object], **more: str
    ) -> asyncpg.Record:
        conditions = _conditions(self._sql, narrowed, arguments)
        query = self._sql[name].format(conditions=conditions, **more)
        async with self._database.workspace(str(arguments[0])) as connection:
            row = await connection.fetchrow(query, *arguments)
        if row is None:
            raise TypeError("an aggregate gives one row")
        return row


def _conditions(fragments: Mapping[str, str], narrowed: Narrowed, arguments: list[object]) -> str:
    """Return fragments of ours with numbers of parameters: nothing else gets in there."""
    found = []
    for name, value in (
        ("type", narrowed.type),
        ("source", narrowed.source),
        ("requester", narrowed.requester),
        ("urgency", narrowed.urgency),
        ("time_left", narrowed.due_in_s),
        ("status", list(narrowed.statuses) or None),
        ("text", _as_in_json(narrowed.text)),
        ("answer", narrowed.answered_by),
        ("sharing", narrowed.shared_by),
    ):
        if value is not None:
            arguments.append(value)
            found.append(fragments[f"narrowed_by_{name}"].format(value=f"${len(arguments)}"))
    return " AND ".join(found) or "true"


def _as_in_json(text: str | None) -> str | None:
    return None if text is None else json.dumps(text, ensure_ascii=False)[1:-1]


def _found(row: asyncpg.Record, limit: int, following: str | None, waiting: int = 0) -> Found:
    partly = following is not None and row["rows"] < limit
    return Found(row["docs"] or "", row["rows"], following, waiting, partly=partly)
