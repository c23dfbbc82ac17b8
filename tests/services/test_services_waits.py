"""Waits end when they should, each once, and leave nothing behind."""

import asyncio
import resource
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from events.store import Unavailable
from projections.queries import Current, Ended
from services.queue import finals, waits
from services.queue.broadcast import Broadcast
from services.queue.waits import Waits
from services.web.problems import Problem
from tests.services.service_kit import until

ONE = "A" * 27
TWO = "B" * 27
LONG_S = 600
PATIENCE_S = 20


class Store:
    """Approvals, open or final, and a tail that tells which became final."""

    def __init__(self, *approval_ids: str) -> None:
        self.held = dict.fromkeys(approval_ids, False)
        self.ends: list[tuple[str, str]] = []
        self.queries = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    def decide(self, approval_id: str) -> None:
        """Make it final."""
        self.held[approval_id] = True
        self.ends.append(("acme", approval_id))

    async def approvals(self, workspace: str, approval_ids: Sequence[str]) -> Mapping[str, Current]:
        self.queries += 1
        found = {
            one: Current(f"{one} is {'final' if self.held[one] else 'open'}", self.held[one])
            for one in approval_ids
            if workspace == "acme" and one in self.held
        }
        await self.gate.wait()
        if self.away:
            raise Unavailable("Postgres is away")
        return found

    async def snapshot(self) -> str:
        return str(len(self.ends))

    async def ended(self, since: str, limit: int) -> Ended:
        return Ended(str(len(self.ends)), self.ends[int(since) :][:limit])

    async def head(self) -> int:
        return 0

    async def after(self, seq: int, limit: int = 500) -> list[Any]:
        return [][seq:limit]


class Client:
    """Somebody at the other end of a connection, who may hang up."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def receive(self) -> dict[str, Any]:
        return await self._messages.get()

    def hang_up(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})


class Desk:
    """Waits over a store, followed."""

    def __init__(self, store: Store, *, most: int = 100) -> None:
        self.store = store
        self.closing = asyncio.Event()
        self.broadcast = Broadcast(store)
        self.waits = Waits(store, self.broadcast, self.closing, most=most)

    def wait(
        self, approval_id: str = ONE, timeout: float = LONG_S, client: Client | None = None
    ) -> asyncio.Task[str | None]:
        """Begin to wait."""
        receive = client.receive if client else None

        async def patiently() -> str | None:
            async with asyncio.timeout(PATIENCE_S):
                return await self.waits.final("acme", approval_id, timeout, receive)

        return asyncio.create_task(patiently())

    async def asleep(self, many: int = 1) -> None:
        """Wait until so many waits have read their approval, and nothing is read any more."""
        await until(lambda: sum(one._scope is not None for one in self.waits._open) == many)
        await until(lambda: not self.waits._looks._readers)

    def is_empty(self) -> bool:
        """Tell whether nothing is left of any wait."""
        return not (self.waits._open or self.waits._closer or self.broadcast.finals._waiting)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(finals, "TICK_S", 0.002)
    made = Desk(Store(ONE, TWO))
    running = asyncio.create_task(made.broadcast.run())
    yield made
    running.cancel()
    await asyncio.wait([running])


async def test_what_is_final_is_answered_at_once(desk: Desk) -> None:
    desk.store.decide(ONE)
    assert await desk.wait() == f"{ONE} is final"
    assert desk.is_empty()


async def test_an_unknown_one_is_answered_at_once(desk: Desk) -> None:
    assert await desk.wait("C" * 27) is None
    assert desk.is_empty()


async def test_a_wait_ends_when_it_becomes_final_and_others_go_on(desk: Desk) -> None:
    mine, other = desk.wait(ONE), desk.wait(TWO)
    await desk.asleep(2)
    desk.store.decide(ONE)
    assert await mine == f"{ONE} is final"
    await asyncio.sleep(0.02)
    assert not other.done()
    desk.store.decide(TWO)
    assert await other == f"{TWO} is final"
    assert desk.is_empty()


async def test_many_who_wait_for_the_same_cost_one_query_and_share_its_answer(desk: Desk) -> None:
    waiting = [desk.wait() for _ in range(100)]
    await desk.asleep(100)
    before = desk.store.queries
    desk.store.decide(ONE)
    answers = await asyncio.gather(*waiting)
    assert set(answers) == {f"{ONE} is final"}
    assert len({id(one) for one in answers}) == 1
    assert desk.store.queries == before + 1
    assert desk.is_empty()


async def test_a_wait_that_sleeps_has_no_task_of_its_own(desk: Desk) -> None:
    first = desk.wait()
    await desk.asleep(1)
    before = asyncio.all_tasks()
    more = [desk.wait() for _ in range(50)]
    await desk.asleep(51)
    assert asyncio.all_tasks() - before == set(more), "each in its caller's task, and no other"
    desk.closing.set()
    await asyncio.gather(first, *more)


async def test_a_decision_between_the_first_look_and_its_answer_is_not_lost(desk: Desk) -> None:
    other = desk.wait(TWO)  # so that the tail runs already, and tells of the decision once
    await desk.asleep()
    before = desk.store.queries
    desk.store.gate.clear()
    waiting = desk.wait(ONE)
    await until(lambda: desk.store.queries > before)
    desk.store.decide(ONE)  # what was read says that it is open
    await asyncio.sleep(0.02)
    desk.store.gate.set()
    assert await waiting == f"{ONE} is final"
    desk.closing.set()
    await other


async def test_one_who_gives_up_takes_the_answer_from_nobody(desk: Desk) -> None:
    desk.store.gate.clear()
    gives_up, stays = desk.wait(timeout=0), desk.wait(timeout=0)
    await until(lambda: desk.store.queries > 0)
    gives_up.cancel()
    desk.store.gate.set()
    assert await stays == f"{ONE} is open"


async def test_a_wait_ends_when_its_time_is_over_with_what_is_true_then(desk: Desk) -> None:
    assert await desk.wait(timeout=0) == f"{ONE} is open"
    waiting = desk.wait(timeout=0.3)
    await desk.asleep()
    desk.store.held[ONE] = True  # and nobody is told
    assert await waiting == f"{ONE} is final"
    assert desk.is_empty()


async def test_all_waits_end_as_things_are_when_the_process_goes_down(desk: Desk) -> None:
    waiting = [desk.wait(ONE), desk.wait(TWO), desk.wait(TWO)]
    await desk.asleep(3)
    desk.closing.set()
    assert await asyncio.gather(*waiting) == [f"{ONE} is open", *[f"{TWO} is open"] * 2]
    assert await desk.wait() == f"{ONE} is open", "and who comes later does not wait"
    assert desk.is_empty()


async def test_who_hangs_up_is_noticed_and_leaves_room(desk: Desk) -> None:
    client, other = Client(), Client()
    gone, stays = desk.wait(client=client), desk.wait(client=other)
    await desk.asleep(2)
    client.hang_up()
    with pytest.raises(Problem, match="hung up"):
        await gone
    assert len(desk.waits._open) == 1
    desk.store.decide(ONE)
    assert await stays == f"{ONE} is final"
    assert desk.is_empty()


async def test_a_wait_that_is_cancelled_ends_cancelled(desk: Desk) -> None:
    waiting = desk.wait(client=Client())
    await desk.asleep()
    desk.store.decide(ONE)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert desk.is_empty()


async def test_one_who_waits_when_there_is_no_room_is_told_when_to_come_again(desk: Desk) -> None:
    full = Desk(desk.store, most=2)
    waiting = [full.wait(), full.wait(TWO)]
    await full.asleep(2)
    with pytest.raises(Problem) as refused:
        await full.wait()
    assert refused.value.status == 503
    assert refused.value.headers == {"Retry-After": str(waits.COME_AGAIN_S)}
    full.closing.set()
    await asyncio.gather(*waiting)
    assert await full.wait() == f"{ONE} is open"


@pytest.mark.parametrize(
    ("allowed", "room"),
    [(resource.RLIM_INFINITY, waits.MOST_WAITS), (256, 128), (1024, 768), (20_000, 19_744)],
)
async def test_waits_leave_files_for_everything_else(
    monkeypatch: pytest.MonkeyPatch, allowed: int, room: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (allowed, allowed))
    assert waits._files() == room


async def test_an_outage_ends_the_waits_that_it_left_in_the_dark(desk: Desk) -> None:
    waiting, other = desk.wait(ONE), desk.wait(TWO)
    await desk.asleep(2)
    desk.store.away = True
    desk.store.decide(ONE)
    with pytest.raises(Unavailable):
        await waiting
    assert not other.done()
    desk.store.away = False
    desk.store.decide(TWO)
    assert await other == f"{TWO} is final"
    assert desk.is_empty()


async def test_a_wait_that_cannot_begin_says_so(desk: Desk) -> None:
    desk.store.away = True
    with pytest.raises(Unavailable):
        await desk.wait()
    assert desk.is_empty()
