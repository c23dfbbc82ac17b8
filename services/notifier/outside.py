"""Calls to one system outside: few at a time, each bounded in time, none while it rests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from events.store import Unavailable
from services.channels import ChannelRefused
from services.sources import SourceRefused

PARALLEL = 4
TIMEOUT_S = 20.0
"""For the wait and for the call, each: a call is below the lease of an effect, which begins anew
when it leaves, so that nobody else takes up a call that is still under way."""
FAILURES = 3
"""After how many failures in a row the others are spared the wait for another."""
REST_S = 5.0
_EVERYTHING = ""
LONGEST_REST_S = 600.0

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Away(Exception):
    """The system cannot be reached just now: write it down, and try again later.

    `retry_after` is what it asked for, in seconds; `perhaps_done` tells that it may have done what
    it was asked to do all the same.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, perhaps_done: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.perhaps_done = perhaps_done


class Outside:
    """One channel, or one source."""

    def __init__(self, name: str, clock: Callable[[], datetime]) -> None:
        self._name = name
        self._clock = clock
        self._places = asyncio.Semaphore(PARALLEL)
        self._failures = 0
        self._rests_until: dict[str, datetime] = {}

    async def call(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        method: str = _EVERYTHING,
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> T:
        """Do it and return what it yields; right before, do what is of our own to do `first`.

        `method` is what rests by itself where the system wants no more of that alone.
        Raises `Away` for whatever may be better next time, and lets `ChannelRefused` and
        `SourceRefused` through.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise Away(f"{self._name} is busy") from error
        try:
            return await self._in_place(work, method, first)
        finally:
            self._places.release()

    async def _in_place(
        self,
        work: Callable[[], Awaitable[T]],
        method: str,
        first: Callable[[], Awaitable[None]] | None,
    ) -> T:
        left = max(map(self._rest_left, (_EVERYTHING, method)))
        if left > 0:
            raise Away(f"{self._name} rests for {left:.0f} s", left)
        if first is not None:
            await first()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                result = await work()
        except TimeoutError as error:
            raise self._away(f"{self._name} did not answer within {TIMEOUT_S} s") from error
        except Unavailable as error:
            wait = getattr(error, "retry_after", None)
            if method and wait is not None and getattr(error, "one_method", False):
                # It did answer: the rest of it is there.
                self._failures = 0
                self._rest(method, wait)
                raise Away(str(error), wait) from error
            raise self._away(
                str(error),
                wait,
                perhaps_done=not getattr(error, "not_sent", False),
            ) from error
        except (ChannelRefused, SourceRefused):
            self._failures = 0
            raise
        except Exception as error:
            # A fault of the channel's code must cost neither the other cards nor the batch.
            logger.exception("%s failed", self._name)
            raise self._away(f"{type(error).__name__}: {error}") from error
        self._failures = 0
        return result

    def _away(
        self, message: str, retry_after: float | None = None, *, perhaps_done: bool = True
    ) -> Away:
        self._failures += 1
        if retry_after is not None or self._failures >= FAILURES:
            self._rest(_EVERYTHING, retry_after)
        return Away(message, retry_after, perhaps_done=perhaps_done)

    def _rest(self, method: str, seconds: float | None) -> None:
        rest = min(max(seconds or 0.0, 0.0) or REST_S, LONGEST_REST_S)
        self._rests_until[method] = self._clock() + timedelta(seconds=rest)

    def _rest_left(self, method: str) -> float:
        until = self._rests_until.get(method)
        return (until - self._clock()).total_seconds() if until is not None else 0.0
