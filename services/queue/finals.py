"""Follows the store for those who wait, and tells them which approvals have become final.

It reads the events themselves and not the log: a wait is answered although the publisher, Kafka
or the projector stand still, and does not wait for any of them while they run.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from events.store import Unavailable
from projections.queries import Ended

TICK_S = 0.025
PAUSE_S = 1.0
TOGETHER = 2000
"""Approvals that may become final between two looks; more, and everybody is told to look."""

logger = logging.getLogger(__name__)

Look = Callable[[], None]


class Tail(Protocol):
    """Where it is read what became final."""

    async def snapshot(self) -> str:
        """Return what the store holds now, to be compared with later."""
        ...

    async def ended(self, since: str, limit: int) -> Ended:
        """Return what became final since a snapshot, and the snapshot of now."""
        ...


class Finals:
    """One tail for everybody who waits: asleep while nobody does."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._waiting: dict[tuple[str, str], set[Look]] = {}
        self._somebody = asyncio.Event()

    @contextmanager
    def waiting_for(self, workspace: str, approval_id: str, look: Look) -> Iterator[None]:
        """Have `look` called, while the context lasts, when the approval may have become final.

        Whoever reads the approval after this began, and then waits for `look`, misses nothing.
        """
        key = (workspace, approval_id)
        looks = self._waiting.setdefault(key, set())
        looks.add(look)
        self._somebody.set()
        try:
            yield
        finally:
            looks.discard(look)
            if not looks:
                del self._waiting[key]

    async def run(self) -> None:
        """Follow the store until cancelled."""
        while True:
            await self._somebody.wait()
            try:
                since = await self._tail.snapshot()
                # What became final before is not told of: neither at the beginning, nor after an
                # outage, from which another Postgres may have come back.
                self._tell_all()
                await self._follow(since)
            except Unavailable as error:
                logger.warning("%s", error)
                await asyncio.sleep(PAUSE_S)

    async def _follow(self, since: str) -> None:
        while self._waiting:
            ended = await self._tail.ended(since, TOGETHER)
            since = ended.until
            if len(ended.approvals) < TOGETHER:
                for key in ended.approvals:
                    self._tell(key)
            else:
                self._tell_all()
            await asyncio.sleep(TICK_S)
        self._somebody.clear()

    def _tell(self, key: tuple[str, str]) -> None:
        for look in tuple(self._waiting.get(key, ())):
            look()

    def _tell_all(self) -> None:
        for key in tuple(self._waiting):
            self._tell(key)
