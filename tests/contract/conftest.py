"""Every store that keeps the contract, over one database a module; tests have workspaces apart."""

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from events.store import EventStore
from events.store.coalescing import CoalescingStore
from events.store.database import Database
from events.store.memory import MemoryStore
from events.store.postgres import PostgresStore
from tests.servers.postgres import TestingPostgres


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_dsn(postgres: TestingPostgres, migrated: str) -> AsyncIterator[str]:
    async with postgres.database(template=migrated) as name:
        yield name


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_db(shared_dsn: str) -> AsyncIterator[Database]:
    database = await Database.open(shared_dsn, "placet_app", size=4)
    yield database
    await database.close()


@pytest_asyncio.fixture(
    loop_scope="session",
    params=["memory", "postgres", "coalesced memory", "coalesced postgres"],
)
async def store(request: pytest.FixtureRequest, shared_db: Database) -> AsyncIterator[EventStore]:
    kept: EventStore = PostgresStore(shared_db) if "postgres" in request.param else MemoryStore()
    if "coalesced" not in request.param:
        yield kept
        return
    async with CoalescingStore(kept) as coalescing:
        yield coalescing


@pytest.fixture
def workspace() -> str:
    return f"w-{secrets.token_hex(6)}"
