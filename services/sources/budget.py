"""How much a source may be asked: a token bucket that all processes share, and a bound for each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from events.store import Unavailable
from events.store.database import Database
from events.store.named_sql import statements
from services.sources import SourceUnavailable

LONGEST_BLOCK_S = 3600.0
LONGEST_WAIT_S = 20.0
# Of every five tokens a listing leaves one behind, so that a person's answer need not wait for it.
RESERVED_PART = 0.2
SHORTEST_SLEEP_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """At most `limit` requests at once, and `limit` for each `per` seconds."""

    limit: int
    per: float

    @property
    def reserve(self) -> int:
        """How many tokens a listing leaves for answers."""
        return int(self.limit * RESERVED_PART)


class Bucket(Protocol):
    """A token bucket that every process which asks the same source shares."""

    async def take(self, allowance: Allowance, reserve: int) -> float:
        """Take a token and return 0, or return how many seconds to wait; raises `Unavailable`.

        A token is taken only if `reserve` others stay behind.
        """
        ...

    async def block(self, seconds: float) -> None:
        """Let nobody take a token for so long; raises `Unavailable`."""
        ...


class PostgresBucket:
    """One row of `rate_limits`, by Postgres's clock alone."""

    def __init__(self, database: Database, workspace: str, bucket: str) -> None:
        self._database = database
        self._workspace = workspace
        self._bucket = bucket
        self._sql = statements("services.sources")

    async def take(self, allowance: Allowance, reserve: int) -> float:
        """See `Bucket.take`."""
        async with self._database.workspace(self._workspace) as connection:
            wait: float | None = await connection.fetchval(
                self._sql["take"],
                self._workspace,
                self._bucket,
                float(allowance.limit),
                allowance.limit / allowance.per,
                float(reserve),
            )
        # No row: the bucket was made at this very moment by somebody else.
        return SHORTEST_SLEEP_S if wait is None else wait

    async def block(self, seconds: float) -> None:
        """See `Bucket.block`."""
        async with self._database.workspace(self._workspace) as connection:
            await connection.execute(
                self._sql["block"], self._workspace, self._bucket, float(seconds)
            )


class MemoryBucket:
    """A bucket of this process alone, for tests and for `placet source test`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tokens: float | None = None
        self._filled_at = clock()
        self._blocked_until = clock()

    async def take(self, allowance: Allowance, reserve: int) -> float:
        """See `Bucket.take`."""
        now = self._clock()
        rate = allowance.limit / allowance.per
        held = allowance.limit if self._tokens is None else self._tokens
        tokens = min(allowance.limit, held + rate * max(now - self._filled_at, 0))
        if self._blocked_until <= now and tokens >= 1 + reserve:
            self._tokens, self._filled_at = tokens - 1, now
            return 0.0
        return max(self._blocked_until - now, (1 + reserve - tokens) / rate, 0.001)

    async def block(self, seconds: float) -> None:
        """See `Bucket.block`."""
        self._blocked_until = max(self._blocked_until, self._clock() + seconds)


class Budget:
    """What one process may spend on a source: the shared bucket, and so many requests at once."""

    def __init__(
        self,
        bucket: Bucket,
        allowance: Allowance,
        concurrency: int,
        *,
        longest_wait: float = LONGEST_WAIT_S,
    ) -> None:
        self._bucket = bucket
        self._allowance = allowance
        self._slots = asyncio.Semaphore(concurrency)
        self._longest_wait = longest_wait

    @asynccontextmanager
    async def request(self, *, for_listing: bool = False) -> AsyncIterator[None]:
        """Wait for leave to send one request, and hold one of the places for requests.

        Raises `SourceUnavailable` with `retry_after` when that would take too long.
        """
        deadline = time.monotonic() + self._longest_wait
        try:
            await asyncio.wait_for(self._slots.acquire(), self._longest_wait)
        except TimeoutError:
            raise SourceUnavailable(
                "too many requests to the source are under way", retry_after=self._longest_wait
            ) from None
        try:
            await self._take(deadline, for_listing=for_listing)
            yield
        finally:
            self._slots.release()

    async def _take(self, deadline: float, *, for_listing: bool) -> None:
        reserve = self._allowance.reserve if for_listing else 0
        while True:
            try:
                wait = await self._bucket.take(self._allowance, reserve)
            except Unavailable as error:
                raise SourceUnavailable(f"the rate limit cannot be read: {error}") from error
            if wait <= 0:
                return
            if time.monotonic() + wait > deadline:
                raise SourceUnavailable(
                    f"the source may be asked again in {wait:.0f} s", retry_after=wait
                )
            await asyncio.sleep(max(wait, SHORTEST_SLEEP_S))

    async def block(self, seconds: float) -> None:
        """Let no process ask the source for so long, at most an hour; raises nothing.

        When the bucket cannot be reached, the next request simply hears it from the source again.
        """
        try:
            await self._bucket.block(min(max(seconds, 0.0), LONGEST_BLOCK_S))
        except Unavailable:
            return
