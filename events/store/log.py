"""The log in Postgres: every event once, densely numbered, each chained to the one before it."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from events.envelope import Recorded
from events.store.database import Database
from events.store.named_sql import statements
from events.store.postgres import recorded

GENESIS = hashlib.sha256(b"").digest()
"""What the first event of a log is chained to."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """An event with its number in the whole log."""

    seq: int
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place at which the log is not what it was."""

    seq: int
    reason: str


class PostgresLog:
    """The publisher's side of the store; one publisher at a time moves it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("events.store")

    async def sequence(self, batch: int) -> int:
        """Move at most `batch` committed events into the log and return how many there were."""
        async with self._database.connection() as connection:
            moved: int = await connection.fetchval(self._sql["sequence"], batch)
            return moved

    async def progress(self) -> tuple[int, int]:
        """Return (published up to, log reaches to)."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["published"])
        if row is None:
            raise RuntimeError("publisher_cursor is empty: run `placet migrate`")
        return row["published"], row["head"]

    async def after(self, seq: int, limit: int) -> list[Sequenced]:
        """Return the next events above `seq`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["unpublished"], seq, limit)
        return [Sequenced(row["seq"], recorded(row)) for row in rows]

    async def move_cursor(self, expected: int, to: int) -> bool:
        """Say that the log is published up to `to`; False if another publisher moved it."""
        async with self._database.connection() as connection:
            moved = await connection.fetchval(self._sql["move_cursor"], expected, to)
        return moved is not None

    async def verify(self, batch: int = 2000) -> AsyncIterator[int | Broken]:
        """Compute the chain again: yields how far it holds, and ends at the first `Broken`."""
        seq, previous = 0, GENESIS
        # Read first: what is logged meanwhile stands behind it. Without it the last events could
        # be taken off the end, or the end of the chain forged.
        async with self._database.connection() as connection:
            head = await connection.fetchrow(self._sql["head"])
        if head is None:
            raise RuntimeError("log_head is empty: run `placet migrate`")
        while True:
            async with self._database.connection() as connection:
                rows = await connection.fetch(self._sql["verify"], seq, batch)
            for row in rows:
                if row["seq"] != seq + 1:
                    yield Broken(seq + 1, "is missing from the log")
                    return
                seq += 1
                if row["same_workspace"] is None:
                    yield Broken(seq, "is in the log, but its event is gone")
                    return
                content = hashlib.sha256(row["content"]).digest()
                previous = hashlib.sha256(previous + content).digest()
                forged = seq == head["seq"] and previous != head["hash"]
                if forged or previous != row["hash"] or not row["same_workspace"]:
                    yield Broken(seq, "was altered after it was logged")
                    return
            if not rows:
                if seq < head["seq"]:
                    yield Broken(seq + 1, "is missing from the log")
                return
            yield seq
