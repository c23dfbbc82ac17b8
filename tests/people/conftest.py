"""One people service for all of these tests; each has a workspace of its own in it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest_asyncio

from tests.people.people_kit import ANN, BEN, MANAGES, READS, House, Served, people_on
from tests.servers.postgres import TestingPostgres


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Served]:
    async with postgres.database(template=migrated) as dsn, people_on(dsn) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def house(served: Served) -> AsyncIterator[House]:
    async with AsyncExitStack() as clients:
        yield House(served=served, workspace=f"w-{secrets.token_hex(6)}", clients=clients)


@pytest_asyncio.fixture(loop_scope="session")
async def manager(house: House) -> httpx2.AsyncClient:
    """Who keeps the people."""
    return await house.caller("hr@example.com", MANAGES)


@pytest_asyncio.fixture(loop_scope="session")
async def ann(house: House) -> httpx2.AsyncClient:
    return await house.caller(ANN, READS)


@pytest_asyncio.fixture(loop_scope="session")
async def ben(house: House) -> httpx2.AsyncClient:
    return await house.caller(BEN, READS)
