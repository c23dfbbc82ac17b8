"""One Placet for all of these tests; each has subjects of its own in it."""

from collections.abc import AsyncIterator

import pytest

from tests.mcp.mcp_kit import Desk, desk_on
from tests.servers.postgres import TestingPostgres


@pytest.fixture(scope="module")
async def desk(
    postgres: TestingPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    folder = tmp_path_factory.mktemp("placet")
    async with postgres.database(template=migrated) as dsn, desk_on(dsn, folder) as desk:
        yield desk
