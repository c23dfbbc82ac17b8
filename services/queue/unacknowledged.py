"""Counts the outcomes that nobody has acknowledged: somebody asked, and may not have heard."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements

EVERY_S = 15.0
FORGIVEN_S = 60.0
"""How long an outcome may be unacknowledged before it counts."""
MOST = 10_001
"""The most that is counted of a workspace: more is as bad, and would only take longer."""
TOGETHER = 20
"""Workspaces that one query looks at."""
MOST_WORKSPACES = 1000
"""The most that are told of: each is a series that somebody's Prometheus keeps."""

logger = logging.getLogger(__name__)

Gauge = Iterator[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True)
class Unheard:
    """How many outcomes wait to be acknowledged, and for how many seconds the oldest does."""

    count: int
    oldest_s: float


class Unacknowledged:
    """The figures of all workspaces, as the workers' role; the same from every replica."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("projections")
        self.found: Mapping[str, Unheard] = {}

    async def run(self) -> None:
        """Count again and again, until cancelled."""
        while True:
            try:
                self.found = await self.count()
            except Unavailable as error:
                # A figure from before the outage would be taken for one of now.
                self.found = {}
                logger.warning("unacknowledged outcomes are not counted: %s", error)
            await asyncio.sleep(EVERY_S)

    async def count(self) -> Mapping[str, Unheard]:
        """Return what each workspace leaves unacknowledged for too long; raises `Unavailable`."""
        found: dict[str, Unheard] = {}
        after = ""
        for _ in range(MOST_WORKSPACES // TOGETHER):
            async with self._database.connection() as connection:
                rows = await connection.fetch(
                    self._sql["unacknowledged"], after, TOGETHER, MOST, FORGIVEN_S
                )
            for row in rows:
                found[row["workspace"]] = Unheard(row["unheard"], float(row["oldest_s"]))
            if len(rows) < TOGETHER:
                break
            after = rows[-1]["workspace"]
        return found

    def counts(self) -> Gauge:
        """Yield how many there are in each workspace."""
        for workspace, one in self.found.items():
            yield {"workspace": workspace}, float(one.count)

    def ages(self) -> Gauge:
        """Yield how long the oldest of each workspace waits, in seconds."""
        for workspace, one in self.found.items():
            yield {"workspace": workspace}, one.oldest_s
