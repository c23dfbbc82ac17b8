"""The loop: one poller for each source at a time, in its pace, whatever fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from events.store import Unavailable
from events.store.database import Database
from services.poller import pace as pace_module
from services.poller.checkpoints import (
    Checkpoint,
    Checkpoints,
    LeaseLost,
    MemoryCheckpoints,
    PostgresCheckpoints,
)
from services.poller.pace import Pace
from services.poller.schedule import PassReport, Plan, Poller
from services.sources import SourceRefused, SourceUnavailable
from tests.poller.poller_kit import START, Desk, FakeSource


@pytest.fixture(params=["memory", "postgres"])
def checkpoints(request: pytest.FixtureRequest) -> Checkpoints:
    if request.param == "memory":
        return MemoryCheckpoints()
    return PostgresCheckpoints(request.getfixturevalue("app_db"))


def poller(desk: Desk, checkpoints: Checkpoints, owner: str = "p1", **more: Any) -> Poller:
    plan = Plan(source=desk.source, interval=0.02, sweep_interval=0.1)
    given = {"plans": [plan], "lease_ttl": 0.3, **more}
    return Poller(checkpoints=checkpoints, outlets=desk.outlets, owner=owner, **given)


@asynccontextmanager
async def running(*pollers: Poller) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(one.run()) for one in pollers]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(happened: Callable[[], object], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.005)


def kinds(source: FakeSource) -> list[str]:
    return [kind for kind, _ in source.lists]


async def test_the_first_pass_is_a_sweep_then_polls_go_on_from_its_cursor(desk: Desk) -> None:
    checkpoints = MemoryCheckpoints()
    async with running(poller(desk, checkpoints)):
        await until(lambda: kinds(desk.source).count("pending") >= 3)
    assert desk.source.lists[0] == ("pending", None)
    assert desk.source.lists[1] == ("changed", "c1")
    assert kinds(desk.source).count("changed") > kinds(desk.source).count("pending")
    state = (await checkpoints.all("w1"))["acme"]
    assert (state.cursor, state.last_error, state.failures) == ("c1", None, 0)
    assert state.polled_at == state.swept_at == START


async def test_a_source_whose_sweep_yields_no_cursor_is_polled_from_the_beginning(
    desk: Desk,
) -> None:
    desk.source.cursor = None
    async with running(poller(desk, MemoryCheckpoints())):
        await until(lambda: len(desk.source.lists) >= 2)
    assert desk.source.lists[:2] == [("pending", None), ("changed", None)]


async def test_a_source_without_a_cursor_is_only_swept(desk: Desk) -> None:
    plan = Plan(source=desk.source, interval=None, sweep_interval=0.02)
    async with running(poller(desk, MemoryCheckpoints(), plans=[plan])):
        await until(lambda: len(desk.source.lists) >= 4)
    assert set(kinds(desk.source)) == {"pending"}


async def test_a_restart_goes_on_where_the_last_poller_stopped(
    desk: Desk, checkpoints: Checkpoints
) -> None:
    assert await checkpoints.lease("w1", "acme", "old", 10) == Checkpoint()
    state = Checkpoint(cursor="c7", polled_at=START, swept_at=START)
    await checkpoints.save("w1", "acme", "old", state)
    await checkpoints.release("w1", "acme", "old")
    plan = Plan(source=desk.source, interval=0.02, sweep_interval=60)
    async with running(poller(desk, checkpoints, plans=[plan])):
        await until(lambda: len(desk.source.lists) >= 2)
    assert desk.source.lists[0] == ("changed", "c7")


async def test_of_two_pollers_one_works_and_the_other_takes_over_when_it_stops(
    desk: Desk, checkpoints: Checkpoints
) -> None:
    passes: list[str] = []

    def noting(owner: str) -> Callable[[PassReport], None]:
        return lambda _: passes.append(owner)

    first = poller(desk, checkpoints, "p1", on_pass=noting("p1"))
    second = poller(desk, checkpoints, "p2", on_pass=noting("p2"))
    async with running(first) as (working,):
        await until(lambda: passes)
        async with running(second):
            await until(lambda: len(passes) > 10)
            assert set(passes) == {"p1"}
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            began = time.monotonic()
            await until(lambda: "p2" in passes)
            # It was given back, and need not time out.
            assert time.monotonic() - began < 0.25
            passes.clear()
            await until(lambda: len(passes) > 5)
            assert set(passes) == {"p2"}


async def test_a_poller_that_died_is_followed_when_its_lease_is_over(
    desk: Desk, checkpoints: Checkpoints
) -> None:
    await checkpoints.lease("w1", "acme", "dead", 0.3)
    began = time.monotonic()
    async with running(poller(desk, checkpoints)):
        await until(lambda: desk.source.lists)
    assert 0.2 < time.monotonic() - began < 1.5


async def test_a_poller_that_lost_its_lease_stops_and_writes_nothing(
    desk: Desk, checkpoints: Checkpoints
) -> None:
    async with running(poller(desk, checkpoints, lease_ttl=0.2)):
        await until(lambda: desk.source.lists)
        while await checkpoints.lease("w1", "acme", "thief", 5) is None:
            await checkpoints.release("w1", "acme", "p1")
        await checkpoints.save("w1", "acme", "thief", Checkpoint(cursor="theirs"))
        await asyncio.sleep(0.2)
        desk.source.lists.clear()
        await asyncio.sleep(0.2)
        assert desk.source.lists == []
    assert (await checkpoints.all("w1"))["acme"].cursor == "theirs"
    with pytest.raises(LeaseLost):
        await checkpoints.save("w1", "acme", "p1", Checkpoint(cursor="ours"))


async def test_a_lease_is_renewed_during_a_long_pass(desk: Desk, checkpoints: Checkpoints) -> None:
    started, done = asyncio.Event(), asyncio.Event()

    async def slow(record_id: str) -> Any:
        started.set()
        await done.wait()
        return await original(record_id)

    original = desk.source.read
    desk.source.read = slow  # type: ignore[method-assign]
    desk.queue.knows("r1")
    async with running(poller(desk, checkpoints, lease_ttl=0.15)):
        await started.wait()
        await asyncio.sleep(0.6)
        assert await checkpoints.lease("w1", "acme", "p2", 1) is None
        done.set()
        await until(lambda: desk.queue.published)


async def test_a_pass_is_cut_off_when_its_lease_is_lost(
    desk: Desk, checkpoints: Checkpoints
) -> None:
    started, cut = asyncio.Event(), asyncio.Event()

    async def stuck(record_id: str) -> Any:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            cut.set()

    desk.source.read = stuck  # type: ignore[method-assign]
    desk.queue.knows("r1")
    async with running(poller(desk, checkpoints, lease_ttl=0.3)):
        await started.wait()
        await checkpoints.release("w1", "acme", "p1")
        assert await checkpoints.lease("w1", "acme", "thief", 5) is not None
        async with asyncio.timeout(1):
            await cut.wait()


async def test_an_expired_lease_cannot_be_written_through(checkpoints: Checkpoints) -> None:
    await checkpoints.lease("w1", "acme", "p1", 0.05)
    await asyncio.sleep(0.1)
    with pytest.raises(LeaseLost):
        await checkpoints.save("w1", "acme", "p1", Checkpoint(cursor="late"))


async def test_errors_are_written_down_and_cleared(desk: Desk, checkpoints: Checkpoints) -> None:
    desk.source.breaks["page 0"] = SourceUnavailable("acme answered 500\x00 to GET /items")
    reports: list[PassReport] = []
    async with running(poller(desk, checkpoints, on_pass=reports.append)):
        await until(lambda: len(reports) >= 3)
        state = (await checkpoints.all("w1"))["acme"]
        assert state.last_error is not None
        assert state.last_error.startswith("sweep: acme answered 500? to GET /items")
        assert state.failures >= 2
        assert state.last_error_at == START
        assert (state.swept_at, state.cursor) == (None, None)
        desk.source.breaks.clear()
        await until(lambda: reports[-1].error is None and reports[-1].kind == "poll")
    state = (await checkpoints.all("w1"))["acme"]
    assert (state.last_error, state.last_error_at, state.failures) == (None, None, 0)
    assert state.swept_at == START


async def test_polls_go_on_while_sweeps_fail_and_the_error_stays_visible(desk: Desk) -> None:
    async def refused() -> Any:
        raise SourceRefused("acme answered 403 to GET /items")
        yield

    desk.source.pending = refused  # type: ignore[method-assign]
    checkpoints = MemoryCheckpoints()
    await checkpoints.lease("w1", "acme", "p1", 10)
    await checkpoints.save("w1", "acme", "p1", Checkpoint(cursor="c0", polled_at=START))
    reports: list[PassReport] = []
    async with running(poller(desk, checkpoints, on_pass=reports.append)):
        await until(lambda: sum(one.kind == "poll" for one in reports) > 5)
    state = (await checkpoints.all("w1"))["acme"]
    assert state.last_error == "sweep: acme answered 403 to GET /items"
    assert state.cursor == "c1"


async def test_a_fault_of_ours_in_one_source_does_not_stop_another(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    other = FakeSource(desk.clock, "other")
    desk.source.breaks["page 0"] = KeyError("oops")
    plans = [
        Plan(source=desk.source, interval=0.02, sweep_interval=0.1),
        Plan(source=other, interval=0.02, sweep_interval=0.1),
    ]
    checkpoints = MemoryCheckpoints()
    async with running(poller(desk, checkpoints, plans=plans)):
        await until(lambda: len(other.lists) > 5)
    state = (await checkpoints.all("w1"))["acme"]
    assert state.last_error == "sweep: internal error (KeyError): see the poller's log"
    assert "oops" in caplog.text


async def test_a_checkpoint_that_cannot_be_written_does_not_stop_the_polling(desk: Desk) -> None:
    class Flaky(MemoryCheckpoints):
        async def save(self, *args: Any) -> None:  # noqa: ARG002 - a fake
            raise Unavailable("Postgres cannot be reached")

    async with running(poller(desk, Flaky())):
        await until(lambda: len(desk.source.lists) > 5)
    # The cursor is kept in memory meanwhile.
    assert desk.source.lists[1] == ("changed", "c1")


async def test_a_poller_that_cannot_renew_its_lease_stops_in_time(desk: Desk) -> None:
    class Away(MemoryCheckpoints):
        away = False

        async def lease(self, *args: Any) -> Checkpoint | None:
            if self.away:
                raise Unavailable("Postgres cannot be reached")
            return await super().lease(*args)

    checkpoints = Away()
    async with running(poller(desk, checkpoints, lease_ttl=0.2)):
        await until(lambda: desk.source.lists)
        checkpoints.away = True
        await asyncio.sleep(0.4)
        desk.source.lists.clear()
        await asyncio.sleep(0.1)
        assert desk.source.lists == []
        checkpoints.away = False
        await until(lambda: desk.source.lists)


def test_the_back_off_grows_to_a_bound_and_honours_what_the_source_asked() -> None:
    pace = Pace(interval=10, due_at=0)
    waits = []
    for _ in range(30):
        pace.failed(0, "x", None)
        waits.append(pace.due_at)
    assert waits[3] > waits[0]
    assert max(waits) <= pace_module.LONGEST_BACKOFF_S * 1.1
    pace.failed(0, "x", 900)
    assert pace.due_at == 900
    pace.succeeded(0)
    assert (pace.failures, pace.error) == (0, None)
    assert 9 <= pace.due_at <= 11


async def test_a_source_that_said_when_to_come_back_is_left_alone_until_then(desk: Desk) -> None:
    desk.source.breaks["page 0"] = SourceUnavailable("429", retry_after=0.4)
    async with running(poller(desk, MemoryCheckpoints())):
        await until(lambda: desk.source.lists)
        await asyncio.sleep(0.25)
        assert len(desk.source.lists) == 1


async def test_checkpoints_of_workspaces_are_apart(app_db: Database) -> None:
    checkpoints = PostgresCheckpoints(app_db)
    assert await checkpoints.lease("w1", "acme", "p1", 10) == Checkpoint()
    assert await checkpoints.lease("w2", "acme", "p2", 10) == Checkpoint()
    state = Checkpoint(
        cursor="c", polled_at=START, swept_at=START - timedelta(seconds=5), failures=2
    )
    await checkpoints.save("w1", "acme", "p1", state)
    assert await checkpoints.all("w1") == {"acme": state}
    assert await checkpoints.all("w2") == {"acme": Checkpoint()}
    assert await checkpoints.lease("w1", "acme", "p1", 10) == replace(state)
