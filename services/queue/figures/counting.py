"""Follows the log and counts what happened on each day: one process at a time, each event once."""

import asyncio
import time
from typing import NoReturn

from events.store.database import Database
from events.store.named_sql import statements

EVERY_S = 15.0
TOGETHER = 2_000
"""Events of the log that one statement counts."""
BREATH_S = 0.02
"""Between stretches, so that counting years of them leaves room for what people wait for."""
KEPT_DAYS = 400
FORGET_EVERY_S = 6 * 3600.0


class Counting:
    """Counts into the table `figures`, as the workers' role; any number of these may run."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.queue.figures")

    async def run(self) -> NoReturn:
        """Count until cancelled; raises `Unavailable`."""
        forgotten = float("-inf")
        while True:
            while await self.step():  # noqa: ASYNC110 # a breath between stretches, no wait
                await asyncio.sleep(BREATH_S)
            if time.monotonic() - forgotten > FORGET_EVERY_S:
                await self._forget()
                forgotten = time.monotonic()
            await asyncio.sleep(EVERY_S)

    async def step(self) -> int:
        """Count a stretch of what the read models hold, and return how much of the log that was.

        None of it is counted twice: how far it went is written down with what was counted.
        """
        async with self._database.connection() as connection, connection.transaction():
            place = await connection.fetchrow(self._sql["place"])
            if place is None or place["until"] <= place["seq"]:
                return 0
            until = min(place["until"], place["seq"] + TOGETHER)
            await connection.execute(self._sql["count"], place["seq"], until)
            await connection.execute(self._sql["moved"], until)
        moved: int = until - place["seq"]
        return moved

    async def _forget(self) -> None:
        async with self._database.connection() as connection:
            await connection.execute(self._sql["forget"], KEPT_DAYS)
