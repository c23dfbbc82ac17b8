"""Lanes: many endpoints at once, each bounded, none delayed by another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio

from services.webhooks import lanes as lanes_module
from services.webhooks.deliveries import Job
from services.webhooks.endpoints import Endpoint
from services.webhooks.lanes import PLACES, PROBES, QUEUED, SLOW_QUEUED, Lanes, Sent
from tests.webhooks.webhook_kit import Clock, eventually_now

HEALTHY = ("w", "healthy")


class Hall:
    """Lanes whose endpoints do what a test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.shed: list[Job] = []
        self.wakes = 0
        self.sent: list[Job] = []
        self.hangs: set[str] = set()
        self.fails: set[str] = set()
        self.rests: dict[str, float] = {}
        self.released = asyncio.Event()
        self.number = 0
        self.lanes = Lanes(shed=self.shed_to, wake=self.wake, clock=self.clock)
        self.lanes.open(self.send)

    def shed_to(self, jobs: Sequence[Job]) -> None:
        self.shed += jobs

    def wake(self) -> None:
        self.wakes += 1

    async def send(self, job: Job) -> Sent:
        self.sent.append(job)
        name = job.endpoint.endpoint_id
        if name in self.hangs:
            await self.released.wait()
            return Sent(ok=False)
        await asyncio.sleep(0)
        return Sent(ok=name not in self.fails, rest_s=self.rests.get(name))

    def give(self, name: str, count: int = 1) -> int:
        """Offer jobs, and return how many were taken."""
        taken = 0
        for _ in range(count):
            self.number += 1
            endpoint = Endpoint(workspace="w", endpoint_id=name, kind="subscription", url="x")
            job = Job(
                number=self.number,
                endpoint=endpoint,
                message_id=f"msg_{self.number}",
                url="x",
                body=b"",
                tries=0,
                leased_until=self.clock() + timedelta(seconds=45),
            )
            if self.lanes.reserve(endpoint.key):
                self.lanes.put(job)
                taken += 1
        return taken

    def sent_to(self, name: str) -> int:
        return sum(job.endpoint.endpoint_id == name for job in self.sent)


@pytest_asyncio.fixture(loop_scope="session")
async def hall() -> AsyncIterator[Hall]:
    made = Hall()
    yield made
    await made.lanes.close(0)


async def test_an_endpoint_has_its_places_and_a_bounded_queue(hall: Hall) -> None:
    hall.hangs = {"slow"}
    assert hall.give("slow", PLACES) == PLACES
    await eventually_now(lambda: hall.sent_to("slow") == PLACES, "all places are taken")
    assert hall.give("slow", QUEUED + 7) == QUEUED
    assert hall.lanes.room(("w", "slow")) == 0
    assert hall.lanes.under_way == PLACES


async def test_places_of_endpoints_that_hang_are_not_missed_by_the_others(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "SLOW_S", 0.05)
    monkeypatch.setattr(lanes_module, "QUICK_PLACES", 16)
    names = [f"slow{number}" for number in range(20)]
    hall.hangs = set(names)
    for name in names:
        hall.give(name, PLACES + 20)
    taken = hall.give("healthy", 50)
    assert taken == 50
    await eventually_now(lambda: hall.sent_to("healthy") == 50, "the healthy one is told")

    def those_that_hang_keep_little() -> bool:
        behind = [len(lane.queue) for lane in hall.lanes._lanes.values()]
        return len(behind) == 20 and max(behind) <= SLOW_QUEUED

    await eventually_now(those_that_hang_keep_little, "the rest is somebody else's to keep")
    assert hall.shed
    assert all(job.endpoint.endpoint_id != "healthy" for job in hall.shed)


async def test_what_is_slow_is_bounded_too(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "SLOW_S", 0.02)
    monkeypatch.setattr(lanes_module, "QUICK_PLACES", 10)
    monkeypatch.setattr(lanes_module, "SLOW_PLACES", 20)
    hall.hangs = {f"slow{number}" for number in range(10)}
    for name in sorted(hall.hangs):
        hall.give(name, PLACES)
    await eventually_now(lambda: hall.lanes.under_way == 30, "as many as may be")
    await asyncio.sleep(0.1)
    assert hall.lanes.under_way == 30
    hall.released.set()
    await eventually_now(lambda: len(hall.sent) + len(hall.shed) == 80, "none is forgotten")


async def test_endpoints_that_fail_have_few_places_together(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "ALL_PROBES", 6)
    names = [f"bad{number}" for number in range(10)]
    hall.fails = set(names)
    for name in names:
        hall.give(name)
    await eventually_now(lambda: len(hall.sent) == 10 and not hall.lanes.under_way, "all failed")
    hall.hangs = set(names)
    for name in names:
        hall.give(name, 5)
    await eventually_now(lambda: hall.lanes.under_way == 6, "they are probed")
    assert max(hall.sent_to(name) for name in names) <= 1 + PROBES
    hall.give("healthy", 20)
    await eventually_now(lambda: hall.sent_to("healthy") == 20, "others are not held up")
    assert hall.lanes.under_way == 6


async def test_turns_are_taken_fairly(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "QUICK_PLACES", 1)
    hall.give("much", 100)
    hall.give("little", 1)
    await eventually_now(lambda: len(hall.sent) == 101, "all are sent")
    place = [job.endpoint.endpoint_id for job in hall.sent].index("little")
    assert place < 10


async def test_an_endpoint_that_asks_for_rest_is_left_alone(hall: Hall) -> None:
    hall.fails, hall.rests = {"tired"}, {"tired": 60.0}
    hall.give("tired", PLACES + 5)
    await eventually_now(lambda: not hall.lanes.under_way, "those under way end")
    assert hall.sent_to("tired") == PLACES
    assert len(hall.shed) == 5
    assert hall.give("tired") == 0
    hall.clock.turn(seconds=61)
    hall.fails.clear()
    hall.rests.clear()
    assert hall.give("tired") == 1
    await eventually_now(lambda: hall.sent_to("tired") == PLACES + 1, "it is told again")


async def test_who_had_no_room_is_called_for_when_there_is(hall: Hall) -> None:
    hall.hangs = {"slow"}
    hall.give("slow", PLACES + QUEUED)
    await eventually_now(lambda: hall.sent_to("slow") == PLACES, "all places are taken")
    hall.give("slow")
    before = hall.wakes
    hall.hangs.clear()
    hall.released.set()
    await eventually_now(lambda: hall.sent_to("slow") == PLACES + QUEUED, "all are sent")
    assert hall.wakes > before


async def test_room_that_was_kept_and_left_is_there_again(hall: Hall) -> None:
    for _ in range(QUEUED):
        assert hall.lanes.reserve(HEALTHY)
    assert hall.lanes.room(HEALTHY) == 0
    for _ in range(QUEUED):
        hall.lanes.unreserve(HEALTHY)
    assert hall.lanes.room(HEALTHY) == QUEUED
    assert hall.lanes._lanes == {}, "an idle lane is forgotten"


async def test_all_queues_together_are_bounded(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "ALL_QUEUED", 30)
    hall.hangs = {f"slow{number}" for number in range(10)}
    taken = sum(hall.give(name, 20) for name in sorted(hall.hangs))
    await asyncio.sleep(0)
    assert hall.lanes._queued <= 30
    assert taken < 200


async def test_a_lane_that_breaks_gives_back_what_it_had(hall: Hall) -> None:
    async def broken(_: Job) -> Sent:
        raise RuntimeError("a defect of ours")

    hall.lanes.open(broken)
    hall.give("any", 3)
    await eventually_now(lambda: len(hall.shed) == 3, "it is given back")
    hall.lanes.open(hall.send)
    hall.give("any", 1)
    await eventually_now(lambda: hall.sent_to("any") == 1, "and it goes on")


async def test_at_the_end_everything_is_given_back(hall: Hall) -> None:
    hall.hangs = {"slow"}
    hall.give("slow", PLACES + 3)
    await eventually_now(lambda: hall.sent_to("slow") == PLACES, "all places are taken")
    await hall.lanes.close(0.05)
    assert len({job.number for job in hall.shed}) == PLACES + 3
    assert hall.give("healthy") == 0
