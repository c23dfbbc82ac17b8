"""One tail of the log tells watchers what the queue shows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from events.store import Unavailable
from projections.queries import Change
from services.queue import broadcast as module
from services.queue.broadcast import HELD_BACK, WATCHED, Broadcast
from tests.services.service_kit import until

ONE = "A" * 27
TWO = "B" * 27


class Tail:
    """A log in a list."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.reads = 0
        self.away = False

    async def head(self) -> int:
        if self.away:
            raise Unavailable("Postgres is away")
        return len(self.changes)

    async def after(self, seq: int, limit: int = 500) -> Sequence[Change]:
        self.reads += 1
        if self.away:
            raise Unavailable("Postgres is away")
        return self.changes[seq : seq + limit]

    def happens(
        self,
        approval_id: str = ONE,
        type_: str = "approval.decided",
        *,
        workspace: str = "acme",
        shown: bool = True,
        ago: timedelta = timedelta(0),
    ) -> None:
        """Add an event, which the queue shows already or not yet."""
        seq = len(self.changes) + 1
        self.changes.append(
            Change(
                seq=seq,
                workspace=workspace,
                approval_id=approval_id,
                version=seq,
                type=type_,
                shown=seq if shown else 0,
                recorded_at=datetime.now(UTC) - ago,
            )
        )

    def show(self) -> None:
        """Let the queue catch up."""
        self.changes = [replace(change, shown=change.version) for change in self.changes]


@pytest.fixture
def tail() -> Tail:
    return Tail()


@pytest.fixture
async def broadcast(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Broadcast]:
    monkeypatch.setattr(module, "TICK_S", 0.002)
    made = Broadcast(tail)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def a_moment() -> None:
    """Long enough for several looks at the log."""
    await asyncio.sleep(0.05)


async def test_nobody_reads_the_log_while_nobody_watches(tail: Tail, broadcast: Broadcast) -> None:
    await a_moment()
    assert tail.reads == 0
    with broadcast.watching("acme"):
        await until(lambda: tail.reads > 1)
    await a_moment()
    read = tail.reads
    await a_moment()
    assert tail.reads == read


async def test_a_watcher_hears_of_its_workspace_only_and_in_order(
    tail: Tail, broadcast: Broadcast
) -> None:
    with broadcast.watching("acme") as watcher:
        await until(lambda: tail.reads > 0)
        for type_ in ("approval.requested", "approval.notified", "approval.decided"):
            tail.happens(ONE, type_)
            tail.happens(TWO, type_, workspace="other")
        heard = [await asyncio.wait_for(watcher.changes.get(), 5) for _ in range(3)]
        assert [change.type for change in heard] == [
            "approval.requested",
            "approval.notified",
            "approval.decided",
        ]
        await a_moment()
        assert watcher.changes.empty()
    assert broadcast._watchers == set()


async def test_a_watcher_hears_nothing_that_the_queue_does_not_show_yet(
    tail: Tail, broadcast: Broadcast
) -> None:
    with broadcast.watching("acme") as watcher:
        await until(lambda: tail.reads > 0)
        tail.happens(ONE, shown=False)
        tail.happens(TWO)
        await a_moment()
        assert watcher.changes.empty(), "what comes after it waits too, so that order is kept"
        tail.show()
        first = await asyncio.wait_for(watcher.changes.get(), 5)
        second = await asyncio.wait_for(watcher.changes.get(), 5)
        assert (first.approval_id, second.approval_id) == (ONE, TWO)


async def test_a_change_that_the_queue_never_shows_is_told_all_the_same_after_a_while(
    tail: Tail, broadcast: Broadcast
) -> None:
    with broadcast.watching("acme") as watcher:
        await until(lambda: tail.reads > 0)
        tail.happens(ONE, shown=False, ago=HELD_BACK - timedelta(seconds=0.2))
        await a_moment()
        assert watcher.changes.empty()
        told = await asyncio.wait_for(watcher.changes.get(), 5)
        assert told.approval_id == ONE


async def test_a_watcher_that_falls_behind_is_told_so(tail: Tail, broadcast: Broadcast) -> None:
    with broadcast.watching("acme") as slow, broadcast.watching("other") as other:
        await until(lambda: tail.reads > 0)
        for _ in range(WATCHED + 1):
            tail.happens(ONE)
        tail.happens(ONE, workspace="other")
        await asyncio.wait_for(other.changes.get(), 5)
        assert slow.missed
        assert slow.changes.qsize() == WATCHED
        assert not other.missed


async def test_what_happens_while_the_log_is_away_is_told_when_it_is_back(
    tail: Tail, broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    with broadcast.watching("acme") as watcher:
        await until(lambda: tail.reads > 0)
        tail.away = True
        await a_moment()
        tail.happens(ONE)
        await a_moment()
        assert watcher.changes.empty()
        tail.away = False
        assert (await asyncio.wait_for(watcher.changes.get(), 5)).approval_id == ONE


async def test_a_tail_that_cannot_begin_begins_later(
    tail: Tail, broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    tail.away = True
    with broadcast.watching("acme") as watcher:
        await a_moment()
        assert not watcher.followed.is_set()
        tail.away = False
        await until(watcher.followed.is_set)


async def test_any_number_of_watchers_costs_one_tail(
    tail: Tail, broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 3600)
    with ExitStack() as stack:
        watchers = [stack.enter_context(broadcast.watching("acme")) for _ in range(500)]
        tail.happens(ONE)
        await until(lambda: all(watcher.followed.is_set() for watcher in watchers))
        await a_moment()
        assert tail.reads == 1
