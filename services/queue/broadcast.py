"""Follows the log once a process, and tells all who watch a workspace what changed in it."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from events.store import Unavailable
from projections.queries import Change
from services.queue import finals
from services.queue.finals import Finals

TICK_S = 0.025
PAUSE_S = 1.0
HELD_BACK = timedelta(seconds=2)
"""How long a change waits for the queue to show it, before watchers hear of it all the same."""
WATCHED = 1000
"""Changes that a watcher may be behind; more, and it is told to read everything again."""

logger = logging.getLogger(__name__)


class Tail(finals.Tail, Protocol):
    """Where changes are read."""

    async def head(self) -> int:
        """Return how far the log reaches."""
        ...

    async def after(self, seq: int, limit: int = 500) -> Sequence[Change]:
        """Return what comes after a place."""
        ...


class Watcher:
    """The changes of one workspace, for one reader.

    `followed` is set from when on every change is told, `missed` once one was not.
    """

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self.changes: asyncio.Queue[Change] = asyncio.Queue(WATCHED)
        self.followed = asyncio.Event()
        self.missed = False


class Broadcast:
    """One tail for all who watch, asleep while nobody does; and `finals` for those who wait."""

    def __init__(self, tail: Tail) -> None:
        self.finals = Finals(tail)
        self._tail = tail
        self._watchers: set[Watcher] = set()
        self._somebody = asyncio.Event()
        self._following = False

    @contextmanager
    def watching(self, workspace: str) -> Iterator[Watcher]:
        """Lend a watcher of a workspace: it hears of a change once the queue shows it."""
        watcher = Watcher(workspace)
        if self._following:
            watcher.followed.set()
        self._watchers.add(watcher)
        self._somebody.set()
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def run(self) -> None:
        """Follow log and store until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self.finals.run())
            both.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await self._somebody.wait()
            try:
                head = await self._tail.head()
            except Unavailable as error:
                logger.warning("%s", error)
                await asyncio.sleep(PAUSE_S)
            else:
                self._begin()
                try:
                    await self._follow(head)
                finally:
                    self._following = False

    def _begin(self) -> None:
        self._following = True
        for watcher in self._watchers:
            # One that is still there from before has not heard of what happened meanwhile.
            watcher.missed = watcher.followed.is_set()
            watcher.followed.set()

    async def _follow(self, head: int) -> None:
        shown = head
        while self._watchers:
            try:
                changes = await self._tail.after(shown)
            except Unavailable as error:
                # It goes on from the same place: nothing is missed by a pause.
                logger.warning("%s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            for change in changes:
                late = datetime.now(UTC) - change.recorded_at > HELD_BACK
                if change.shown < change.version and not late:
                    break
                self._show(change)
                shown = change.seq
            await asyncio.sleep(TICK_S)
        self._somebody.clear()

    def _show(self, change: Change) -> None:
        for watcher in self._watchers:
            if watcher.workspace == change.workspace:
                try:
                    watcher.changes.put_nowait(change)
                except asyncio.QueueFull:
                    watcher.missed = True
