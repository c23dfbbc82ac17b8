"""Follows the log once a process, and wakes whoever waits for an approval or watches all."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from events.store import Unavailable
from projections.queries import Change

TICK_S = 0.025
PAUSE_S = 1.0
HELD_BACK = timedelta(seconds=2)
"""How long a change waits for the queue to show it, before watchers hear of it all the same."""
WATCHED = 1000
"""Changes that a watcher may be behind; more, and it is told to read everything again."""
FINAL_TYPES = frozenset(("approval.decided", "approval.withdrawn", "approval.expired"))

logger = logging.getLogger(__name__)


class Tail(Protocol):
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
    """One tail for everybody: asleep while nobody waits."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = {}
        self._watchers: set[Watcher] = set()
        self._somebody = asyncio.Event()
        self._following = False

    @contextmanager
    def waiting_for(self, workspace: str, approval_id: str) -> Iterator[asyncio.Event]:
        """Lend an event that is set once the approval has become final."""
        key = (workspace, approval_id)
        event = asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        self._somebody.set()
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

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
        """Follow the log until cancelled."""
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
        self._wake_all()
        for watcher in self._watchers:
            # One that is still there from before has not heard of what happened meanwhile.
            watcher.missed = watcher.followed.is_set()
            watcher.followed.set()

    async def _follow(self, head: int) -> None:
        woken = shown = head
        while self._waiting or self._watchers:
            try:
                changes = await self._tail.after(min(woken, shown))
            except Unavailable as error:
                # It goes on from the same place: nothing is missed by a pause.
                logger.warning("%s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            for change in changes:
                if change.seq > woken and change.type in FINAL_TYPES:
                    self._wake(change)
            for change in changes:
                if change.seq <= shown:
                    continue
                late = datetime.now(UTC) - change.recorded_at > HELD_BACK
                if change.shown < change.version and not late:
                    break
                self._show(change)
                shown = change.seq
            if changes:
                woken = max(woken, changes[-1].seq)
            await asyncio.sleep(TICK_S)
        self._somebody.clear()

    def _wake_all(self) -> None:
        """Let everybody look once: what became final before the tail began is not told of again."""
        for events in self._waiting.values():
            for event in events:
                event.set()

    def _wake(self, change: Change) -> None:
        for event in self._waiting.get((change.workspace, change.approval_id), ()):
            event.set()

    def _show(self, change: Change) -> None:
        for watcher in self._watchers:
            if watcher.workspace == change.workspace:
                try:
                    watcher.changes.put_nowait(change)
                except asyncio.QueueFull:
                    watcher.missed = True
