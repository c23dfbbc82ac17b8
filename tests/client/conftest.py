"""One server for all of these tests; each has a workspace of its own and runs with both clients."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from placet import AsyncPlacet, Placet

from tests.api import api_kit
from tests.api.api_kit import REQUESTER, placet_on
from tests.client.client_kit import Caller, Kind, Office, workspace
from tests.servers.postgres import TestingPostgres


@pytest.fixture(params=[Placet, AsyncPlacet], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Which client."""
    chosen: Kind = request.param
    return chosen


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(postgres: TestingPostgres, migrated: str) -> AsyncIterator[api_kit.Placet]:
    async with postgres.database(template=migrated) as dsn, placet_on(dsn) as placet:
        yield placet


@pytest_asyncio.fixture(loop_scope="session")
async def clients() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def office(served: api_kit.Placet, kind: Kind, clients: AsyncExitStack) -> Office:
    return Office(placet=served, workspace=workspace(), kind=kind, clients=clients)


@pytest_asyncio.fixture(loop_scope="session")
async def agent(office: Office) -> Caller:
    """Who asks."""
    return await office.caller(REQUESTER)


@pytest_asyncio.fixture(loop_scope="session")
async def ann(office: Office) -> Caller:
    """Who decides."""
    return await office.ann()
