"""Asks others where it waits for somebody who is away, or who is not there any more.

What waits is compared with who is gone, again and again: so it is of no consequence which of the
two changed, or whether anybody told of it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from events.approval import Person, Reassignment
from events.commands import ReassignApproval
from events.handling import Order
from events.state import Pending
from events.store import EventStore, Unavailable
from events.store.database import Database
from events.store.named_sql import statements
from services.decision.chores import Chore, Outcome, carry_out
from services.directory import Directories, Directory

EVERY_S = 5.0
AGAIN_AFTER = timedelta(minutes=5)
"""When something is tried anew for which nobody else was found."""
REMEMBERED = 20_000
"""For how many approvals it is remembered, in one workspace, that nobody else was found."""
BATCH = 100
WORKSPACES = 500
PEOPLE = 5_000
"""How many people are looked for at once."""

logger = logging.getLogger(__name__)


class Routes(Protocol):
    """Who knows to whom the place of somebody goes."""

    def within(self, workspace: str) -> "Routes":
        """Return what holds in a workspace."""
        ...

    def routed(
        self, email: str, state: Pending, directory: Directory, now: datetime
    ) -> tuple[Person, Reassignment] | None:
        """Return who is asked instead of somebody who is gone, and why; None for nobody."""
        ...


@dataclass(slots=True)
class _Known:
    """What was found out of one workspace while its people stayed the same."""

    directory: Directory
    inactive: tuple[str, ...]
    in_vain: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Until when (approver, approval id) is left alone."""

    def remember(self, approver: str, approval_id: str, until: datetime) -> None:
        self.in_vain.pop((approver, approval_id), None)
        if len(self.in_vain) >= REMEMBERED:
            del self.in_vain[next(iter(self.in_vain))]
        self.in_vain[approver, approval_id] = until


class Absences:
    """Routes around people; any number of these may run."""

    def __init__(
        self,
        database: Database,
        store: EventStore,
        directories: Directories,
        routes: Routes,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._store = store
        self._directories = directories
        self._routes = routes
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._sql = statements("projections")

    async def run(self) -> None:
        """Route around whoever is gone, until cancelled."""
        while True:
            try:
                await self.route()
            except Unavailable as error:
                logger.warning("absences wait: %s", error)
            await asyncio.sleep(EVERY_S)

    async def route(self) -> int:
        """Look at everything that waits, once, and return how much was passed on.

        Raises `Unavailable` when Postgres is away: then the rest is passed on next time.
        """
        passed, after = 0, ""
        waiting: set[str] = set()
        while True:
            async with self._database.connection() as connection:
                rows = await connection.fetch(self._sql["waiting_workspaces"], after, WORKSPACES)
            for row in rows:
                passed += await self._in_workspace(row["workspace"])
            waiting.update(row["workspace"] for row in rows)
            if len(rows) < WORKSPACES:
                break
            after = rows[-1]["workspace"]
        for workspace in self._known.keys() - waiting:
            del self._known[workspace]
        return passed

    async def _in_workspace(self, workspace: str) -> int:
        known, now = self._knowledge(workspace), self._clock()
        away = {one.person for one in known.directory.delegations if one.holds(now)}
        gone = list(dict.fromkeys((*known.inactive, *away)))
        passed = 0
        for first in range(0, len(gone), PEOPLE):
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    self._sql["waited_for"], workspace, gone[first : first + PEOPLE]
                )
            for row in rows:
                passed += await self._around(workspace, known, row["email"])
        return passed

    def _knowledge(self, workspace: str) -> _Known:
        directory = self._directories.of(workspace)
        known = self._known.get(workspace)
        if known is None or known.directory is not directory:
            inactive = (one.email for one in directory.members.values() if not one.active)
            known = self._known[workspace] = _Known(directory, tuple(inactive))
        return known

    async def _around(self, workspace: str, known: _Known, email: str) -> int:
        """Pass on everything that waits for somebody, a batch at a time."""
        passed = 0
        urgency, approval_id = -1, ""
        while True:
            now = self._clock()
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    self._sql["waiting_for"], workspace, email, urgency, approval_id, BATCH
                )
            fresh = [
                row["approval_id"]
                for row in rows
                if known.in_vain.get((email, row["approval_id"]), now) <= now
            ]
            for one, outcome in zip(
                fresh, await self._pass_on(workspace, known, email, fresh, now), strict=True
            ):
                if outcome == "done":
                    passed += 1
                else:
                    known.remember(email, one, now + AGAIN_AFTER)
            if len(rows) < BATCH:
                return passed
            urgency, approval_id = rows[-1]["urgency"], rows[-1]["approval_id"]

    async def _pass_on(
        self,
        workspace: str,
        known: _Known,
        email: str,
        approval_ids: Sequence[str],
        now: datetime,
    ) -> Sequence[Outcome]:
        routes = self._routes.within(workspace)

        def order(approval_id: str, state: Pending) -> Order | None:
            return _order(routes, approval_id, email, state, known.directory, now)

        chores = [Chore(one, partial(order, one)) for one in approval_ids]
        return await carry_out(self._store, workspace, chores)


def _order(
    routes: Routes,
    approval_id: str,
    email: str,
    state: Pending,
    directory: Directory,
    now: datetime,
) -> Order | None:
    course = state.asked.course
    if course.asked_back is not None:
        return None  # it waits for the requester, whose place nobody takes
    if email not in {seat.holder.email for seat in course.waiting}:
        return None
    found = routes.routed(email, state, directory, now)
    if found is None:
        return None
    to, cause = found
    command = ReassignApproval(
        person=email,
        to=to,
        cause=cause,
        by=None,
        as_admin=False,
        reason=None,
        now=now,
        time_zone=directory.time_zone_of(to.email),
    )
    return Order(
        approval_id=approval_id,
        command=command,
        command_id=f"absence {approval_id} {state.version} {email} {to.email}",
    )
