"""A paused source is polled by nobody, whichever process holds it, and answers still go back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.store.database import Database
from services.poller.checkpoints import Checkpoint, PostgresCheckpoints
from services.poller.schedule import Plan, Poller
from services.sources import SourceUnavailable
from services.sources.desk import Pauses, SourceDesk
from tests.poller.poller_kit import Desk, FakeSource

TTL_S = 0.3


def poller(desk: Desk, database: Database, owner: str, interval: float = 0.02) -> Poller:
    plan = Plan(source=desk.source, interval=None, sweep_interval=interval)
    return Poller(
        plans=[plan],
        checkpoints=PostgresCheckpoints(database),
        outlets=desk.outlets,
        owner=owner,
        lease_ttl=TTL_S,
    )


@asynccontextmanager
async def running(*pollers: Poller) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.run()) for one in pollers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not happened():  # noqa: ASYNC110 # another's doing is looked at from outside
            await asyncio.sleep(0.005)


def swept(source: FakeSource) -> int:
    return len(source.lists)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def place(desk: Desk) -> tuple[str, str]:
    return desk.source.workspace, desk.source.name


async def test_while_it_is_paused_no_poller_asks_it_and_afterwards_one_does(
    desk: Desk, app_db: Database
) -> None:
    sources = SourceDesk(app_db)
    async with running(poller(desk, app_db, "p1"), poller(desk, app_db, "p2")):
        await until(lambda: swept(desk.source) > 2)
        assert await sources.pause(*place(desk), "root@example.com")
        await asyncio.sleep(2 * TTL_S)  # a lease is asked for again thrice in its time
        before = swept(desk.source)
        await asyncio.sleep(2 * TTL_S)
        assert swept(desk.source) == before
        assert await sources.resume(*place(desk))
        await until(lambda: swept(desk.source) > before)


async def test_it_can_be_paused_before_it_was_ever_polled(desk: Desk, app_db: Database) -> None:
    sources = SourceDesk(app_db)
    assert await sources.pause(*place(desk), "root@example.com")
    assert not await sources.pause(*place(desk), "ann@example.com"), "it is paused already"
    async with running(poller(desk, app_db, "p1")):
        await asyncio.sleep(TTL_S)
        assert swept(desk.source) == 0
    state = (await sources.states(place(desk)[0], [place(desk)[1]]))[place(desk)[1]]
    assert (state.paused_by, state.polled_at, state.held) == ("root@example.com", None, False)


async def test_a_poll_that_is_wanted_does_not_wait_for_its_interval(
    desk: Desk, app_db: Database
) -> None:
    sources = SourceDesk(app_db)
    async with running(poller(desk, app_db, "p1", interval=3600)):
        await until(lambda: swept(desk.source) == 1)
        assert await sources.poll_now(*place(desk))
        await until(lambda: swept(desk.source) == 2)
        await asyncio.sleep(2 * TTL_S)
        assert swept(desk.source) == 2, "wanted once, polled once"
    state = (await sources.states(place(desk)[0], [place(desk)[1]]))[place(desk)[1]]
    assert state.wanted_at is None


async def test_a_paused_source_is_not_polled_at_once_either(desk: Desk, app_db: Database) -> None:
    sources = SourceDesk(app_db)
    await sources.pause(*place(desk), "root@example.com")
    assert not await sources.poll_now(*place(desk))
    assert await sources.resume(*place(desk))
    assert not await sources.resume(*place(desk)), "it is not paused any more"


async def test_failing_counts_from_the_first_error_without_a_break(app_db: Database) -> None:
    checkpoints, sources = PostgresCheckpoints(app_db), SourceDesk(app_db)
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await checkpoints.lease("w1", "acme", "p1", 60)

    async def since(**state: Any) -> datetime | None:
        await checkpoints.save("w1", "acme", "p1", Checkpoint(**state))
        return (await sources.states("w1", ["acme"]))["acme"].failing_since

    assert await since(last_error="502", last_error_at=first, failures=1) == first
    later = first + timedelta(hours=1)
    assert await since(last_error="503", last_error_at=later, failures=2) == first
    assert await since() is None
    assert await since(last_error="504", last_error_at=later, failures=1) == later


async def test_an_error_shows_with_its_text(desk: Desk, app_db: Database) -> None:
    desk.source.breaks["page 0"] = SourceUnavailable("it says 502")
    async with running(poller(desk, app_db, "p1")):
        await until(lambda: swept(desk.source) > 0)
        async with asyncio.timeout(5):
            while True:
                state = (await SourceDesk(app_db).states(place(desk)[0], [place(desk)[1]]))[
                    place(desk)[1]
                ]
                if state.last_error:
                    break
                await asyncio.sleep(0.02)
    assert "it says 502" in state.last_error
    assert state.failing_since is not None


async def test_every_process_knows_the_pauses(
    desk: Desk, app_db: Database, worker_db: Database
) -> None:
    pauses = Pauses(worker_db)
    await SourceDesk(app_db).pause("w1", "acme", "root@example.com")
    assert not pauses("w1", "acme")
    await pauses.look()
    assert pauses("w1", "acme")
    assert not pauses("w2", "acme")
