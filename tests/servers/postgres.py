"""One Postgres for the whole test run, with a fresh database for whoever asks."""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from services.embedded.postgres import EmbeddedPostgres

GIVEN = "PLACET_TEST_POSTGRES_DSN"

_TIMEOUT = 30.0
# A kill -9 loses nothing without fsync; only a failure of the whole machine would.
_SETTINGS = {"fsync": "off", "max_connections": "200"}


class TestingPostgres:
    """A running server for tests; `dsn` is that of a superuser, or whoever may make databases.

    `server`: the embedded one, which tests of faults may kill and restart; None for a given one.
    """

    __test__ = False  # to pytest a class named Test… is a test

    def __init__(self, dsn: str, server: EmbeddedPostgres | None, folder: Path | None) -> None:
        self.dsn = dsn
        self.server = server
        self._folder = folder

    async def create_database(self, *, template: str = "template0") -> str:
        """A new database and its connection string.

        `template`: the name of the database to copy, to which nobody is connected.
        """
        name = f"test_{secrets.token_hex(8)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return dsn_of_database(self.dsn, name)

    async def drop_database(self, dsn: str) -> None:
        """Remove a database by its connection string, whoever is connected; harmless if absent."""
        await self._execute(f'DROP DATABASE IF EXISTS "{database_of(dsn)}" WITH (FORCE)')

    @asynccontextmanager
    async def database(self, *, template: str = "template0") -> AsyncIterator[str]:
        """The connection string of a database that is removed at the end."""
        dsn = await self.create_database(template=template)
        try:
            yield dsn
        finally:
            await self.drop_database(dsn)

    async def stop(self) -> None:
        """Stop the server and remove its data; leaves a given server alone."""
        try:
            if self.server is not None:
                await self.server.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn, timeout=_TIMEOUT)
        try:
            await connection.execute(statement, timeout=_TIMEOUT)
        finally:
            await connection.close(timeout=_TIMEOUT)


async def start_postgres() -> TestingPostgres:
    """The server that PLACET_TEST_POSTGRES_DSN names, else a new embedded one."""
    given = os.environ.get(GIVEN)
    if given:
        return TestingPostgres(given, None, None)
    folder = Path(tempfile.mkdtemp(prefix="placet-postgres-"))
    try:
        server = await EmbeddedPostgres(folder, settings=_SETTINGS).start()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return TestingPostgres(server.dsn, server, folder)


def database_of(dsn: str) -> str:
    """The name of the database in a connection string."""
    return urlsplit(dsn).path.lstrip("/")


def dsn_of_database(dsn: str, name: str) -> str:
    """The same connection string for another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
