"""Keeps the read models in step with the log, and finds what Kafka did not bring."""

import asyncio
import logging
from collections.abc import Sequence

from events.codec import Unreadable
from events.envelope import Recorded
from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import recorded
from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements
from projections.apply import ReadModels

GROUP = "placet.projector"
STRETCH = 20_000
"""The most of the log that one pass looks at."""
TOGETHER = 2_000
"""How many events, or approvals that lag, are applied at once: a larger batch costs less each."""
SETTLED_S = 10.0
"""How old an event must be before its absence from a read model is an error and not a delay."""

logger = logging.getLogger(__name__)


class Projector:
    """The handler for `approval.log`; bears duplicates, gaps and any order."""

    def __init__(self, read_models: ReadModels) -> None:
        self._read_models = read_models
        self.applied = 0

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        """Apply a batch; what cannot be read is parked, and healed from the store."""
        events: list[Recorded] = []
        rejected: list[Rejected] = []
        for message in batch:
            try:
                events.append(recorded(message.headers, message.value))
            except Unreadable as error:
                rejected.append(Rejected(message, str(error)))
        if events:
            self.applied += await self._read_models.apply(events)
        return rejected


class Reconciler:
    """Compares the log with the read models, stretch by stretch, and applies what they lack."""

    def __init__(self, database: Database, read_models: ReadModels, every_s: float) -> None:
        self._database = database
        self._read_models = read_models
        self._every_s = every_s
        self._sql = statements("projections")
        self.healed = 0

    async def run(self) -> None:
        """Reconcile at once and then every so often, until cancelled."""
        while True:
            try:
                more = True
                while more:
                    more = await self.reconcile()
            except Unavailable as error:
                logger.warning("reconciling waits: %s", error)
            await asyncio.sleep(self._every_s)

    async def reconcile(self, settled_s: float = SETTLED_S) -> bool:
        """Look at the next stretch of the log and return whether there is more of it."""
        async with self._database.connection() as connection:
            start: int = await connection.fetchval(self._sql["reconciled"])
            end: int = await connection.fetchval(
                self._sql["settled_long_ago"], start, settled_s, STRETCH
            )
            if end <= start:
                return False
            lagging = await connection.fetch(self._sql["lagging"], start, end)
        for first in range(0, len(lagging), TOGETHER):
            keys = [
                (row["workspace"], row["approval_id"]) for row in lagging[first : first + TOGETHER]
            ]
            healed = await self._read_models.catch_up(keys)
            self.healed += healed
            logger.warning("%d approvals were %d events behind: healed", len(keys), healed)
        async with self._database.connection() as connection:
            await connection.execute(self._sql["set_reconciled"], end)
        return True
