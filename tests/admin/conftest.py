"""One Placet for all of these tests; each has a workspace of its own in it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.admin.admin_kit import HOME, House, Placet, house_in, new_workspace, placet_on
from tests.pages.site import chromium
from tests.servers.postgres import TestingPostgres

__all__ = ["chromium"]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def served(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Placet]:
    async with placet_on(postgres, migrated) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def house(served: Placet) -> House:
    return await house_in(served, new_workspace())


@pytest_asyncio.fixture(loop_scope="session")
async def home(served: Placet) -> House:
    """The workspace that has a source; what was paused by an earlier test is not any more."""
    await served.run("DELETE FROM pending_queue WHERE workspace = $1", HOME)
    async with served.parts.app_db.workspace(HOME) as connection:
        await connection.execute(
            "UPDATE source_checkpoints SET paused_at = NULL, last_error = NULL, wanted_at = NULL"
        )
    return await house_in(served, HOME)
