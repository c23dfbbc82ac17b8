"""One Placet and one Acme Expenses for all journeys: each test has reports of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.demo.acme_process import Acme
from tests.journey.running_placet import Placet, placet_running, quick_source
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acme]:
    with Acme(tmp_path_factory.mktemp("acme") / "acme.sqlite3", "--empty") as running:
        yield running
    assert running.errors() == ""


@pytest.fixture(scope="module")
async def placet(
    postgres: TestingPostgres,
    migrated: str,
    broker: Broker,
    acme: Acme,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Placet]:
    config = quick_source(tmp_path_factory.mktemp("placet"))
    environ = {"PLACET_CONFIG": str(config), "ACME_EXPENSES_URL": acme.url}
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker, environ) as placet,
    ):
        yield placet
