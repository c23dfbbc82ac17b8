"""What is told to stop stops, also when its database goes away in the same moment."""

import asyncio

import asyncpg
import pytest

from events.store import Unavailable
from events.store.database import Database
from services.bootstrap import supervision
from services.bootstrap.supervision import Supervisor

ROUNDS = 25
LOOPS = 8


async def test_a_cancellation_is_not_lost_when_the_connection_breaks(dsn: str) -> None:
    async def loop(database: Database, number: int) -> None:
        while True:
            try:
                async with database.connection() as connection:
                    await connection.fetchval("SELECT pg_sleep($1::float8)", number / 1000)
            except Unavailable:
                await asyncio.sleep(0.005)

    superuser = await asyncpg.connect(dsn, timeout=10)
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        for round_ in range(ROUNDS):
            database = await Database.open(dsn, "placet_worker", size=LOOPS)
            tasks = [asyncio.create_task(loop(database, number)) for number in range(LOOPS)]
            await asyncio.sleep(0.03)
            cutting = asyncio.create_task(superuser.execute(cut))
            await asyncio.sleep(round_ / 2000)
            for task in tasks:
                task.cancel()
            _, left = await asyncio.wait(tasks, timeout=10)
            for task in left:
                task.cancel()
            await cutting
            await database.close()
            assert not left, f"{len(left)} of {LOOPS} went on in round {round_}"
    finally:
        await superuser.close()


async def test_a_time_limit_that_meets_a_broken_connection_is_still_a_time_limit(
    dsn: str, worker_db: Database
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), worker_db.connection() as connection:
            await connection.fetchval("SELECT pg_sleep(10)")
    async with worker_db.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_loop_that_misses_its_cancellation_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "STOP_S", 0.05)
    told = 0

    async def deaf() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                told += 1
        raise asyncio.CancelledError

    supervisor = Supervisor()
    supervisor.start("deaf", deaf)
    await asyncio.sleep(0)
    await asyncio.wait_for(supervisor.stop(), 5)
    assert told == 2


async def test_a_loop_that_never_stops_is_named_and_left(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervision, "STOP_S", 0.02)
    end = asyncio.Event()

    async def stubborn() -> None:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue

    supervisor = Supervisor()
    supervisor.start("stubborn", stubborn)
    await asyncio.sleep(0)
    [task] = supervisor._tasks.values()
    await asyncio.wait_for(supervisor.stop(), 5)
    assert "stubborn did not stop" in caplog.text
    end.set()
    await asyncio.sleep(0.01)
    task.cancel()
    _, left = await asyncio.wait([task], timeout=5)
    assert not left
