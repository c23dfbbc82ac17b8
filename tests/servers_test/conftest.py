"""Fixtures of the tests of the tests' own servers."""

from collections.abc import AsyncIterator

import pytest

from tests.servers.postgres import TestingPostgres, start_postgres


@pytest.fixture(scope="module")
async def own_postgres() -> AsyncIterator[TestingPostgres]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PLACET_TEST_POSTGRES_DSN", raising=False)
        server = await start_postgres()
    yield server
    await server.stop()
