"""Who answers for whom while they are away: handed over for a time, ended, listed."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from events.store.database import Database
from events.store.named_sql import statements
from projections.cursors import cursor_of_time, time_of
from services.directory import Delegation
from services.directory.changing import Change, changing
from services.directory.postgres import MOST_DELEGATIONS, delegation_of

if TYPE_CHECKING:
    from asyncpg import Record

LONGEST = timedelta(days=366)
MOST_OWN = 100
"""Delegations of one person that hold now or later."""

Code = Literal[
    "same_person",
    "ends_before_it_begins",
    "is_over",
    "too_long",
    "deactivated",
    "delegation_circle",
    "too_many_delegations",
]


class NotDelegated(Exception):
    """Nothing was handed over: the message says why; `field` is what it is about, if one is."""

    def __init__(self, code: Code, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class DelegationView(msgspec.Struct, kw_only=True):
    """A delegation as every surface shows it; `ended_at` is there when it ended early."""

    id: str
    person: str
    to: str
    begins: datetime
    ends: datetime
    reason: str | None
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None


class Delegations:
    """The delegations of each workspace; every call raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.directory")

    async def add(
        self, workspace: str, delegation: Delegation, *, by: str, now: datetime
    ) -> DelegationView:
        """Hand over, once for the same people and times, and return it; raises `NotDelegated`."""
        _check(delegation, now)
        async with changing(self._database, workspace) as change:
            row = await change.connection.fetchrow(
                self._sql["same_delegation"],
                workspace,
                delegation.person,
                delegation.to,
                delegation.begins,
                delegation.ends,
            )
            if row is not None:
                return _view(row)  # asked for again, such as after a cut connection
            await self._check_others(change, delegation)
            row = await change.connection.fetchrow(
                self._sql["add_delegation"],
                workspace,
                f"dlg_{secrets.token_hex(12)}",
                delegation.person,
                delegation.to,
                delegation.begins,
                delegation.ends,
                delegation.reason,
                by,
            )
        return _view(row)

    async def find(self, workspace: str, delegation_id: str) -> DelegationView | None:
        """Return one, also one that is over; None if there is no such one."""
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(self._sql["one_delegation"], workspace, delegation_id)
        return _view(row) if row is not None else None

    async def end(self, workspace: str, delegation_id: str, *, by: str) -> DelegationView | None:
        """End one now and return it; one that is over already stays as it was."""
        async with changing(self._database, workspace) as change:
            await change.connection.execute(
                self._sql["end_delegation"], workspace, delegation_id, by
            )
        return await self.find(workspace, delegation_id)

    async def list(
        self,
        workspace: str,
        *,
        person: str | None = None,
        to: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> tuple[Sequence[DelegationView], str | None]:
        """Return those that hold now or later, the first to begin first, and where to go on.

        Raises `BadCursor`.
        """
        after = time_of(cursor) if cursor is not None else (None, "")
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(
                self._sql["list_delegations"], workspace, person, to, *after, limit + 1
            )
        views = [_view(row) for row in rows[:limit]]
        more = cursor_of_time(views[-1].begins, views[-1].id) if len(rows) > limit else None
        return views, more

    async def _check_others(self, change: Change, new: Delegation) -> None:
        """Raise `NotDelegated` for what only the tables know."""
        connection, workspace = change.connection, change.workspace
        if await connection.fetchval(self._sql["is_inactive"], workspace, new.to):
            raise NotDelegated(
                "deactivated", f"{new.to} is deactivated and cannot answer for anybody.", "to"
            )
        count = await connection.fetchrow(self._sql["count_delegations"], workspace, new.person)
        if count is None or count["own"] >= MOST_OWN or count["everybody"] >= MOST_DELEGATIONS:
            raise NotDelegated(
                "too_many_delegations",
                f"{new.person} has {MOST_OWN} delegations to come, or the workspace has "
                f"{MOST_DELEGATIONS}. End one that is not needed.",
            )
        rows = await connection.fetch(
            self._sql["open_delegations"], workspace, new.begins, new.ends
        )
        circle = closed_circle(new, [delegation_of(row) for row in rows])
        if circle:
            way = ", ".join(f"{one.person} to {one.to} ({one.id})" for one in circle)
            raise NotDelegated(
                "delegation_circle",
                f"{new.to} is away at the same time, and it comes back to {new.person}: {way}. "
                "Choose somebody else, or another time.",
                "to",
            )


def closed_circle(new: Delegation, others: Sequence[Delegation]) -> Sequence[Delegation]:
    """Return those that lead from the new one's delegate back to its person at one same time."""
    concerned = set(_reached(new.to, _outgoing(others)))
    if new.person not in concerned:
        return ()
    others = [one for one in others if one.person in concerned]
    # Times that overlap do so when the last of them begins.
    for at in sorted({max(new.begins, one.begins) for one in others}):
        if at < new.ends:
            came = _reached(new.to, _outgoing([one for one in others if one.holds(at)]))
            if new.person in came:
                return _way(new.person, came)
    return ()


def _outgoing(delegations: Sequence[Delegation]) -> dict[str, list[Delegation]]:
    found: dict[str, list[Delegation]] = {}
    for one in delegations:
        found.setdefault(one.person, []).append(one)
    return found


def _reached(
    start: str, outgoing: Mapping[str, Sequence[Delegation]]
) -> dict[str, Delegation | None]:
    """Return everybody whom something handed over at the start may come to, and by what."""
    came: dict[str, Delegation | None] = {start: None}
    waiting = [start]
    for person in waiting:
        for one in outgoing.get(person, ()):
            if one.to not in came:
                came[one.to] = one
                waiting.append(one.to)
    return came


def _way(goal: str, came: Mapping[str, Delegation | None]) -> Sequence[Delegation]:
    way: list[Delegation] = []
    last = came[goal]
    while last is not None:
        way.append(last)
        last = came[last.person]
    return way[::-1]


def _check(new: Delegation, now: datetime) -> None:
    if new.person == new.to:
        raise NotDelegated("same_person", f"{new.to} answers for themselves already.", "to")
    if new.ends <= new.begins:
        raise NotDelegated(
            "ends_before_it_begins", "It would end before it begins: say a later end.", "ends"
        )
    if new.ends <= now:
        raise NotDelegated("is_over", "It would be over already: say a later end.", "ends")
    if new.ends - new.begins > LONGEST:
        raise NotDelegated(
            "too_long", f"It may last {LONGEST.days} days at the most: say an earlier end.", "ends"
        )


def _view(row: "Record | None") -> DelegationView:
    if row is None:
        raise LookupError("a row that was written is there")
    return DelegationView(
        id=row["delegation_id"],
        person=row["person"],
        to=row["delegate"],
        begins=row["begins"],
        ends=row["ends"],
        reason=row["reason"],
        created_by=row["created_by"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
        ended_by=row["ended_by"],
    )
