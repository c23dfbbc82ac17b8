"""Fires the timers that became due: each firing is an ordinary command, which the core judges."""

import asyncio
import logging
from datetime import datetime

from events.commands import ExpireApproval
from events.handling import Order, handle
from events.store import EventStore, Unavailable, VersionConflict
from events.store.database import Database
from events.store.named_sql import statements

BATCH = 200
LEASE_S = 30.0
TOGETHER = 16
EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Timers:
    """Drains the table `timers`; any number of these may run."""

    def __init__(self, database: Database, store: EventStore) -> None:
        self._database = database
        self._store = store
        self._sql = statements("projections")
        self._together = asyncio.Semaphore(TOGETHER)

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
        """Fire one batch and return its size; what fails is due again when its lease ends."""
        async with self._database.connection() as connection:
            due = await connection.fetch(self._sql["due_timers"], BATCH, LEASE_S)
        keys = [(row["workspace"], row["approval_id"], row["kind"]) for row in due]
        fired = await asyncio.gather(
            # Postgres said that it is due: its clock is the one that counts.
            *(self._fire(*key, row["now"]) for key, row in zip(keys, due, strict=True))
        )
        done = [key for key, ended in zip(keys, fired, strict=True) if ended]
        if done:
            columns = [list(column) for column in zip(*done, strict=True)]
            async with self._database.connection() as connection:
                await connection.execute(self._sql["timers_done"], *columns)
        return len(keys)

    async def _fire(self, workspace: str, approval_id: str, kind: str, now: datetime) -> bool:
        order = Order(
            approval_id=approval_id,
            command=ExpireApproval(now=now),
            command_id=f"timer {approval_id} {kind}",
        )
        async with self._together:
            try:
                await handle(self._store, workspace, order)
            except (Unavailable, VersionConflict) as error:
                logger.warning("%s: timer %s is tried again: %s", approval_id, kind, error)
                return False
        return True
