"""One application for all of these tests; each has a workspace of its own in it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest_asyncio

from tests.api.api_kit import ANN, BEN, REQUESTER, Office, Placet, placet_on
from tests.servers.postgres import TestingPostgres


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def placet(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Placet]:
    async with postgres.database(template=migrated) as dsn, placet_on(dsn) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def office(placet: Placet) -> AsyncIterator[Office]:
    async with AsyncExitStack() as clients:
        yield Office(placet=placet, workspace=f"w-{secrets.token_hex(6)}", clients=clients)


@pytest_asyncio.fixture(loop_scope="session")
async def agent(office: Office) -> httpx2.AsyncClient:
    """Who asks."""
    return await office.person(REQUESTER)


@pytest_asyncio.fixture(loop_scope="session")
async def ann(office: Office) -> httpx2.AsyncClient:
    """Who is asked."""
    return await office.person(ANN)


@pytest_asyncio.fixture(loop_scope="session")
async def ben(office: Office) -> httpx2.AsyncClient:
    """Somebody else."""
    return await office.person(BEN)
