"""Counts the answers that were refused because they were not true any more, by the day."""

import asyncio
from collections import Counter
from typing import NoReturn

from events.decider import Refused
from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements

CODES = frozenset(("stale_revision", "already_resolved"))
EVERY_S = 5.0
MOST_WORKSPACES = 1_000
"""Of which there are counts at once; those of others go uncounted until these are written."""


class Prevented:
    """Counts in memory, and writes a sum now and then: a storm of refusals costs no more than one.

    What was not written yet is lost with the process: a few seconds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.decision", "prevented.sql")
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, workspace: str, refused: Refused) -> None:
        """Count a refusal, if it is one of those."""
        key = (workspace, refused.code)
        room = len(self._counts) < MOST_WORKSPACES * len(CODES) or key in self._counts
        if refused.code in CODES and room:
            self._counts[key] += 1

    async def run(self) -> NoReturn:
        """Write again and again, until cancelled; raises `Unavailable`."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what was counted since the last time; raises `Unavailable`, and keeps it then."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        pairs = sorted(counts)
        try:
            async with self._database.connection() as connection:
                await connection.execute(
                    self._sql["add"],
                    [workspace for workspace, _ in pairs],
                    [code for _, code in pairs],
                    [counts[pair] for pair in pairs],
                )
        except Unavailable:
            self._counts.update(counts)
            raise
