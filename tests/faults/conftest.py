"""A Postgres and a broker of the fault tests' own: nobody else's server is killed here."""

import os
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from events.store.migrate import migrate
from tests.faults.ground import Ground, fresh_topics
from tests.faults.site import Site
from tests.servers.brokers import Broker, choose_broker
from tests.servers.postgres import TestingPostgres, database_of, start_postgres

SEED = "PLACET_TEST_SEED"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 # a run says what it waits for


@pytest.fixture(scope="package")
def ours_alone() -> Iterator[None]:
    """Servers that somebody gave the run are not ours to kill: look away from them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PLACET_TEST_KAFKA", raising=False)
        patch.delenv("PLACET_TEST_POSTGRES_DSN", raising=False)
        yield


@pytest.fixture(scope="package")
async def own_postgres(ours_alone: None) -> AsyncIterator[TestingPostgres]:
    server = await start_postgres()
    yield server
    await server.stop()


@pytest.fixture(scope="package")
async def own_broker(ours_alone: None) -> AsyncIterator[Broker]:
    server = await choose_broker(say)
    yield server
    await server.stop()


@pytest.fixture(scope="package")
async def template(own_postgres: TestingPostgres) -> str:
    dsn = await own_postgres.create_database()
    await migrate(dsn)
    return database_of(dsn)


@pytest.fixture
async def ground(
    own_postgres: TestingPostgres,
    own_broker: Broker,
    template: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Ground]:
    """An empty database and empty topics for one test."""
    _needs(request, own_broker)
    async with new_ground(own_postgres, own_broker, template, tmp_path) as ground:
        yield ground


@pytest.fixture(scope="module")
async def sites(
    own_postgres: TestingPostgres,
    own_broker: Broker,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Callable[[], Awaitable[Site]]]:
    """Hands out the module's site; a new one when a test has left it broken."""
    async with AsyncExitStack() as stack:
        current: list[Site] = []

        async def site() -> Site:
            if current and current[0].sound:
                current[0].sound = False
                return current[0]
            current.clear()
            await stack.aclose()
            folder = tmp_path_factory.mktemp("site")
            ground = await stack.enter_async_context(
                new_ground(own_postgres, own_broker, template, folder)
            )
            current.append(await stack.enter_async_context(Site(ground)))
            current[0].sound = False
            return current[0]

        yield site


@pytest.fixture
async def site(
    sites: Callable[[], Awaitable[Site]], own_broker: Broker, request: pytest.FixtureRequest
) -> Site:
    """A running Placet that earlier tests of the module have harmed and that stood it."""
    _needs(request, own_broker)
    return await sites()


@asynccontextmanager
async def new_ground(
    postgres: TestingPostgres, broker: Broker, template: str, folder: Path
) -> AsyncIterator[Ground]:
    assert postgres.server is not None
    await fresh_topics(broker)
    async with postgres.database(template=template) as dsn:
        yield Ground(dsn=dsn, postgres=postgres.server, broker=broker, folder=folder)


def _needs(request: pytest.FixtureRequest, broker: Broker) -> None:
    if request.node.get_closest_marker("kafka") and not broker.is_real:
        pytest.skip(f"needs Apache Kafka; this run has {broker.kind}")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What the test's clients draw from; PLACET_TEST_SEED repeats a run."""
    given = os.environ.get(SEED)
    number = int(given) if given else random.randrange(1_000_000)
    print(f"{request.node.name}: {SEED}={number}")  # noqa: T201 # shown when the test fails
    return number
