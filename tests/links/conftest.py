"""One database and one mail server for all tests of links; each test asks for its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
import pytest_asyncio

from events.store.database import Database
from tests.links.link_kit import Ground
from tests.links.mail_server import MailServer, mail_server
from tests.pages.site import chromium
from tests.servers.postgres import TestingPostgres

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def the_mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def the_ground(
    postgres: TestingPostgres, migrated: str, the_mail: MailServer
) -> AsyncIterator[Ground]:
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(postgres.database(template=migrated))
        app_db = await Database.open(dsn, "placet_app", size=8)
        stack.push_async_callback(app_db.close)
        worker_db = await Database.open(dsn, "placet_worker", size=4)
        stack.push_async_callback(worker_db.close)
        yield Ground(app_db, worker_db, the_mail)


@pytest.fixture
def mail(the_mail: MailServer) -> Iterator[MailServer]:
    the_mail.raw.clear()
    the_mail.recipients.clear()
    yield the_mail
    the_mail.kind_again()


@pytest.fixture
def ground(the_ground: Ground, mail: MailServer) -> Ground:
    assert the_ground.mail is mail
    the_ground.moved = timedelta()
    return the_ground
