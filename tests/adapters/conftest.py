"""One Placet for all adapters; each test has a workspace of its own in it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from placet import AsyncPlacet

from tests.adapters.adapter_kit import Desk
from tests.api.api_kit import ANN, REQUESTER, Office, Placet, placet_on
from tests.servers.postgres import TestingPostgres


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What frameworks tell their makers of runs stays off: tests stay on this machine."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "false")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def placet(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Placet]:
    async with postgres.database(template=migrated) as dsn, placet_on(dsn) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def desk(placet: Placet) -> AsyncIterator[Desk]:
    workspace = f"w-{secrets.token_hex(6)}"
    async with AsyncExitStack() as clients:
        office = Office(placet=placet, workspace=workspace, clients=clients)
        yield Desk(
            office=office,
            ann=await office.person(ANN),
            key=await placet.key(workspace, REQUESTER, ("approvals:read", "approvals:request")),
            clients=clients,
        )


@pytest_asyncio.fixture(loop_scope="session")
async def client(desk: Desk) -> AsyncPlacet:
    return await desk.client()
