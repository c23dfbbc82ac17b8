"""One publisher leads; when its connection is lost, its work ends and another leads."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.publisher import leader
from services.publisher.leader import LOCK, lead
from tests.services.service_kit import until


class Candidate:
    """A process that leads when it may."""

    def __init__(self, dsn: str, *, fails: Exception | None = None) -> None:
        self.leading = False
        self.led = 0
        self._fails = fails
        self.task = asyncio.create_task(lead(dsn, self._work))

    async def _work(self) -> None:
        self.leading = True
        self.led += 1
        try:
            if self._fails is not None:
                raise self._fails
            await asyncio.Event().wait()
        finally:
            self.leading = False

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "ASK_EVERY_S", 0.02)
    monkeypatch.setattr(leader, "CHECK_EVERY_S", 0.02)


@pytest.fixture
async def admin(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


HOLDER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND (classid::bigint << 32) + objid::bigint = $1"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@pytest.mark.usefixtures("quick")
async def test_one_leads_and_the_next_waits_until_it_ends(dsn: str) -> None:
    first = Candidate(dsn)
    await until(lambda: first.leading)
    second = Candidate(dsn)
    await asyncio.sleep(0.2)
    assert (first.leading, second.led) == (True, 0)
    await first.end()
    assert not first.leading
    await until(lambda: second.leading)
    await second.end()


@pytest.mark.usefixtures("quick")
async def test_a_lost_connection_ends_the_work_and_another_takes_over(
    dsn: str, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    first = Candidate(dsn)
    await until(lambda: first.leading)
    second = Candidate(dsn)
    holder = await admin.fetchval(HOLDER, LOCK)
    assert holder is not None
    await admin.execute("SELECT pg_terminate_backend($1)", holder)
    await until(lambda: not first.leading or first.led > 1)
    await until(lambda: first.leading or second.leading)
    assert first.leading != second.leading
    for candidate in (first, second):
        await candidate.end()

    async def free() -> bool:
        return await admin.fetchval(HOLDER, LOCK) is None

    await until(free)


@pytest.mark.usefixtures("quick")
async def test_work_that_fails_gives_the_lead_away_and_says_so(
    dsn: str, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    failing = Candidate(dsn, fails=ValueError("boom"))
    with pytest.raises(ValueError, match="boom"):
        await asyncio.wait_for(failing.task, 5)

    async def free() -> bool:
        return await admin.fetchval(HOLDER, LOCK) is None

    await until(free)


@pytest.mark.usefixtures("quick")
async def test_without_postgres_nobody_leads_and_nobody_dies() -> None:
    waiting = Candidate("postgresql://nobody@127.0.0.1:1/none")
    await asyncio.sleep(0.15)
    assert not waiting.task.done()
    assert waiting.led == 0
    await waiting.end()
