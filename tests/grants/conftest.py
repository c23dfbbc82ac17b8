"""A database in which nobody has connected anything yet, and an office on it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from events.store.database import Database
from tests.grants.grant_kit import Office
from tests.pages.fakes import WORKSPACE
from tests.servers.postgres import TestingPostgres


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_dsn(postgres: TestingPostgres, migrated: str) -> AsyncIterator[str]:
    async with postgres.database(template=migrated) as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(shared_dsn: str) -> AsyncIterator[Database]:
    database = await Database.open(shared_dsn, "placet_app", size=4)
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def app_db(shared: Database) -> Database:
    async with shared.workspace(WORKSPACE) as connection:
        await connection.execute("DELETE FROM grants")
        await connection.execute("DELETE FROM grant_requests")
    return shared


@pytest_asyncio.fixture(loop_scope="session")
async def office(app_db: Database) -> Office:
    return Office(app_db)
