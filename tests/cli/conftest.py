"""One running Placet for a module's commands: each test has approvals of its own.

Two at a time would share consumer groups and take each other's messages.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

from tests.cli.command_line import Said, placet
from tests.journey.running_placet import KEY, Placet, placet_running
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres

Command = Callable[..., Awaitable[Said]]


@pytest.fixture(scope="module")
async def running(
    postgres: TestingPostgres, migrated: str, broker: Broker
) -> AsyncIterator[Placet]:
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker) as running,
    ):
        yield running


@pytest.fixture
def command(running: Placet) -> Command:
    """A command about approvals, as somebody who holds the admin key."""
    return partial(placet, PLACET_URL=running.url, PLACET_KEY=KEY)


@pytest.fixture
def operator(running: Placet) -> Command:
    """A command on the database and the broker themselves."""
    settings = running.parts.settings
    return partial(
        placet,
        PLACET_POSTGRES_DSN=settings.postgres_dsn,
        PLACET_KAFKA=settings.kafka,
        PLACET_EMBEDDED_BROKER="1" if settings.embedded_broker else "0",
    )
