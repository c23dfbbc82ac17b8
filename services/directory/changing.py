"""Changes the people or the absences of a workspace, one change after another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from events.store.database import Connection, Database
from events.store.named_sql import statements


@dataclass(frozen=True, slots=True)
class Change:
    """An open change: its number, and the connection whose transaction it is."""

    workspace: str
    number: int
    connection: Connection


@asynccontextmanager
async def changing(database: Database, workspace: str) -> AsyncIterator[Change]:
    """Change a directory in one transaction; every process sees it within about a second.

    Others who change the same directory wait for it. Raises `Unavailable`.
    """
    sql = statements("services.directory")
    async with database.workspace(workspace) as connection, connection.transaction():
        number = await connection.fetchval(sql["count_up"], workspace)
        yield Change(workspace, number, connection)
