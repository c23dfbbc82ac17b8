"""One tail of the store tells whoever waits when to look; nobody is forgotten."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from events.store import Unavailable
from projections.queries import Ended
from services.queue import finals as module
from services.queue.finals import Finals
from tests.services.service_kit import until

ONE = "A" * 27
TWO = "B" * 27


class Tail:
    """A store in a list; a snapshot is how long the list was."""

    def __init__(self) -> None:
        self.final: list[tuple[str, str]] = []
        self.reads = 0
        self.refused = 0
        self.away = False

    async def snapshot(self) -> str:
        if self.away:
            self.refused += 1
            raise Unavailable("Postgres is away")
        return str(len(self.final))

    async def ended(self, since: str, limit: int) -> Ended:
        self.reads += 1
        now = await self.snapshot()
        return Ended(now, self.final[int(since) :][:limit])

    async def looked_at_again(self) -> None:
        """Wait until everything that stands here by now was read."""
        read = self.reads
        await until(lambda: self.reads > read + 1)


class Waiter:
    """Counts how often it is told to look."""

    def __init__(self) -> None:
        self.told = 0

    def look(self) -> None:
        self.told += 1


@pytest.fixture
def tail() -> Tail:
    return Tail()


@pytest.fixture
async def finals(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Finals]:
    monkeypatch.setattr(module, "TICK_S", 0.002)
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    made = Finals(tail)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_nobody_reads_the_store_while_nobody_waits(tail: Tail, finals: Finals) -> None:
    await asyncio.sleep(0.05)
    assert tail.reads == 0
    with finals.waiting_for("acme", ONE, Waiter().look):
        await until(lambda: tail.reads > 1)
    await asyncio.sleep(0.05)
    read = tail.reads
    await asyncio.sleep(0.05)
    assert tail.reads == read
    with finals.waiting_for("acme", ONE, Waiter().look):
        await until(lambda: tail.reads > read)


async def test_all_who_wait_for_it_are_told_and_nobody_else(tail: Tail, finals: Finals) -> None:
    mine, too, others, elsewhere = Waiter(), Waiter(), Waiter(), Waiter()
    with (
        finals.waiting_for("acme", ONE, mine.look),
        finals.waiting_for("acme", ONE, too.look),
        finals.waiting_for("acme", TWO, others.look),
        finals.waiting_for("other", ONE, elsewhere.look),
    ):
        await tail.looked_at_again()
        before = [one.told for one in (mine, too, others, elsewhere)]
        tail.final.append(("acme", ONE))
        await tail.looked_at_again()
        after = [one.told for one in (mine, too, others, elsewhere)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 0, 0]


async def test_who_waits_looks_once_when_the_tail_begins(tail: Tail, finals: Finals) -> None:
    tail.final.append(("acme", ONE))
    mine = Waiter()
    with finals.waiting_for("acme", ONE, mine.look):
        await tail.looked_at_again()
    assert mine.told == 1


async def test_who_has_gone_is_forgotten_and_others_wait_on(tail: Tail, finals: Finals) -> None:
    mine, gone = Waiter(), Waiter()
    with finals.waiting_for("acme", ONE, mine.look):
        with finals.waiting_for("acme", ONE, gone.look):
            await tail.looked_at_again()
        before = (mine.told, gone.told)
        tail.final.append(("acme", ONE))
        await tail.looked_at_again()
        assert (mine.told - before[0], gone.told - before[1]) == (1, 0)
    assert finals._waiting == {}


async def test_one_who_leaves_when_told_takes_nobody_else_s_turn(
    tail: Tail, finals: Finals
) -> None:
    other = Waiter()
    leaving = finals.waiting_for("acme", ONE, lambda: leaving.__exit__(None, None, None))
    with finals.waiting_for("acme", ONE, other.look):
        await tail.looked_at_again()
        leaving.__enter__()
        before = other.told
        tail.final.append(("acme", ONE))
        await tail.looked_at_again()
        assert other.told == before + 1
    assert finals._waiting == {}


async def test_everybody_looks_when_more_became_final_than_is_told_one_by_one(
    tail: Tail, finals: Finals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", 3)
    mine = Waiter()
    with finals.waiting_for("acme", ONE, mine.look):
        await tail.looked_at_again()
        before = mine.told
        tail.final += [("acme", TWO)] * 3 + [("acme", ONE)]
        await tail.looked_at_again()
        assert mine.told == before + 1


async def test_everybody_looks_again_after_an_outage(tail: Tail, finals: Finals) -> None:
    mine = Waiter()
    with finals.waiting_for("acme", ONE, mine.look):
        await tail.looked_at_again()
        tail.away = True
        failed = tail.refused
        await until(lambda: tail.refused > failed)
        before = mine.told
        # Another Postgres took over: it knows nothing of the snapshot from before.
        tail.final = []
        tail.away = False
        await until(lambda: mine.told > before)
        await tail.looked_at_again()
        assert mine.told == before + 1


async def test_a_tail_that_cannot_begin_begins_later(tail: Tail, finals: Finals) -> None:
    tail.away = True
    mine = Waiter()
    with finals.waiting_for("acme", ONE, mine.look):
        await asyncio.sleep(0.05)
        assert mine.told == 0
        tail.away = False
        await until(lambda: mine.told == 1)
