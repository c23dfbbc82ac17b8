"""An office on a database of its own for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from events.store.database import Database
from tests.webhooks.webhook_kit import Office, at_work, sending


@pytest_asyncio.fixture(loop_scope="session")
async def quiet(app_db: Database, worker_db: Database) -> Office:
    """One that sends nothing."""
    return Office(app_db, worker_db)


@pytest_asyncio.fixture(loop_scope="session")
async def office(quiet: Office) -> AsyncIterator[Office]:
    """One that sends, and writes down when the test says so."""
    async with sending(quiet):
        yield quiet


@pytest_asyncio.fixture(loop_scope="session")
async def busy(quiet: Office) -> AsyncIterator[Office]:
    """One at work by itself."""
    async with at_work(quiet):
        yield quiet
