"""Servers that the whole run shares: one Postgres, one broker, a fresh database for each test."""

import os
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from events.kafka.admin import create_topics
from events.store.database import Database
from events.store.migrate import migrate
from tests.servers.brokers import Broker, choose_broker
from tests.servers.postgres import TestingPostgres, database_of, start_postgres

pytest.register_assert_rewrite("tests.specification")

CHROMIUM = "/usr/bin/chromium"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, by name, what this machine cannot do."""
    if not os.path.exists(CHROMIUM):  # noqa: PTH110
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=f"needs Debian's chromium at {CHROMIUM}"))


def _say(line: str) -> None:
    sys.__stderr__ and print(f"\n{line}", file=sys.__stderr__, flush=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres() -> AsyncIterator[TestingPostgres]:
    server = await start_postgres()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated(postgres: TestingPostgres) -> str:
    """The name of a database that is copied for each test: faster than migrating each."""
    dsn = await postgres.create_database()
    await migrate(dsn)
    return database_of(dsn)


@pytest_asyncio.fixture(loop_scope="session")
async def dsn(postgres: TestingPostgres, migrated: str) -> AsyncIterator[str]:
    async with postgres.database(template=migrated) as name:
        yield name


@pytest_asyncio.fixture(loop_scope="session")
async def app_db(dsn: str) -> AsyncIterator[Database]:
    database = await Database.open(dsn, "placet_app", size=4)
    yield database
    await database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def worker_db(dsn: str) -> AsyncIterator[Database]:
    database = await Database.open(dsn, "placet_worker", size=4)
    yield database
    await database.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker() -> AsyncIterator[Broker]:
    """The broker of this run; its topics are shared, so tests use workspaces of their own."""
    chosen = await choose_broker(_say)
    _say(f"broker: {chosen.kind}")
    await create_topics(chosen.bootstrap, partitions=3)
    yield chosen
    await chosen.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def kafka(broker: Broker, request: pytest.FixtureRequest) -> Broker:
    """The broker, for tests marked `kafka` only if it is a real one."""
    if request.node.get_closest_marker("kafka") and not broker.is_real:
        pytest.skip(f"needs Apache Kafka; this run has {broker.kind}")
    return broker
