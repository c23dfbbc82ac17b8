"""Fires the timers that became due: each firing is an ordinary command, which the core judges."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from events.approval import Seat
from events.commands import (
    Command,
    EscalateApproval,
    ExpireApproval,
    Fallback,
    RemindApprovers,
)
from events.handling import Order
from events.state import Pending
from events.store import EventStore, Unavailable
from events.store.database import Database
from events.store.named_sql import statements
from projections.timers import ESCALATE, EXPIRE, REMIND, escalation_due, reminder_due
from services.decision.chores import Chore, carry_out
from services.directory import Directories, Directory

BATCH = 100
"""How many timers are taken at once; they fire a few at a time, within their lease."""
LEASE_S = 60.0
EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Ladders(Protocol):
    """What policies know about those who come in when nobody answered in time."""

    def within(self, workspace: str) -> "Ladders":
        """Return what holds in a workspace."""
        ...

    def rung_seats(self, state: Pending, directory: Directory, now: datetime) -> Sequence[Seat]:
        """Return who is asked as well on the next rung; nobody, if nobody new is found."""
        ...

    def fallback_for(self, state: Pending, directory: Directory, now: datetime) -> Fallback | None:
        """Return the policy that takes over in the end, if one does."""
        ...


@dataclass(frozen=True, slots=True)
class _Due:
    """A timer that Postgres says is due at `now`: its clock is the one that counts."""

    workspace: str
    approval_id: str
    kind: str
    due_at: datetime
    now: datetime

    @property
    def known(self) -> bool:
        return self.kind in (EXPIRE, ESCALATE) or self.kind.startswith(REMIND)


class Timers:
    """Drains the table `timers`; any number of these may run."""

    def __init__(
        self, database: Database, store: EventStore, directories: Directories, ladders: Ladders
    ) -> None:
        self._database = database
        self._store = store
        self._directories = directories
        self._ladders = ladders
        self._sql = statements("projections")

    async def run(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            try:
                fired = await self.fire()
            except Unavailable as error:
                logger.warning("timers wait: %s", error)
                fired = 0
            if fired < BATCH:
                await asyncio.sleep(EVERY_S)

    async def fire(self) -> int:
        """Fire one batch and return its size; what fails is due again when its lease ends.

        Raises `Unavailable` when Postgres is away: then all of it is due again.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["due_timers"], BATCH, LEASE_S)
        due = [_Due(**row) for row in rows]
        done: list[_Due] = []
        for workspace in dict.fromkeys(one.workspace for one in due):
            # What only a newer release knows is left to it.
            theirs = [one for one in due if one.workspace == workspace and one.known]
            chores = [Chore(one.approval_id, partial(self._order, one)) for one in theirs]
            outcomes = await carry_out(self._store, workspace, chores)
            done += [
                one for one, outcome in zip(theirs, outcomes, strict=True) if outcome != "failed"
            ]
        if done:
            keys = [(one.workspace, one.approval_id, one.kind, one.due_at) for one in done]
            columns = [list(column) for column in zip(*keys, strict=True)]
            async with self._database.connection() as connection:
                await connection.execute(self._sql["timers_done"], *columns)
        return len(due)

    def _order(self, due: _Due, state: Pending) -> Order | None:
        """Return what a timer orders, or None where the approval has moved on since it was set."""
        command: Command | None
        if due.kind == EXPIRE:
            command = self._expiry(due, state)
        elif due.kind == ESCALATE:
            command = self._escalation(due, state)
        else:
            command = _reminder(due, state)
        if command is None:
            return None
        return Order(
            approval_id=due.approval_id,
            command=command,
            command_id=f"timer {due.approval_id} {due.kind} {due.due_at.isoformat()}",
        )

    def _expiry(self, due: _Due, state: Pending) -> ExpireApproval | None:
        if due.now < state.asked.deadline:
            return None
        fallback = None
        if state.asked.on_timeout == "fallback":
            ladders, directory = self._in(due.workspace)
            fallback = ladders.fallback_for(state, directory, due.now)
        return ExpireApproval(now=due.now, fallback=fallback)

    def _escalation(self, due: _Due, state: Pending) -> EscalateApproval | None:
        course = state.asked.course
        at = escalation_due(course)
        if at is None or due.now < at:
            return None
        ladders, directory = self._in(due.workspace)
        return EscalateApproval(
            step=course.step,
            rung=course.rungs + 1,
            seats=tuple(ladders.rung_seats(state, directory, due.now)),
            now=due.now,
        )

    def _in(self, workspace: str) -> tuple[Ladders, Directory]:
        return self._ladders.within(workspace), self._directories.of(workspace)


def _reminder(due: _Due, state: Pending) -> RemindApprovers | None:
    course, approver = state.asked.course, due.kind.removeprefix(REMIND)
    at = reminder_due(course, approver)
    if at is None or due.now < at:
        return None
    told = sum(one.approver == approver for one in course.reminders)
    return RemindApprovers(by=None, as_admin=False, approver=approver, number=told + 1, now=due.now)
