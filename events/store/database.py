"""Connections to Postgres, each speaking for one workspace, or for the workers that serve all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

import asyncpg

from events.store import Unavailable

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:  # generic to a type checker only
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

Role = Literal["placet_app", "placet_worker"]

ACQUIRE_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0

UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement was sent while the server's last word came in
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.DiskFullError,
)
"""What asyncpg raises when Postgres is away, starting, stopping, full or cut off."""


def storable(text: str) -> str:
    """Return a text as Postgres can hold it in a column or in jsonb: without NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def is_cancelled() -> bool:
    """Tell whether the current task is to end.

    asyncpg puts an error of its own in place of a cancellation when the connection breaks in that
    moment: whoever took it for an outage, and tried again, would never end.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class WorkspaceConnection(Connection):
    """A connection that remembers which workspace it speaks for."""

    workspace: str | None = None

    async def speak_for(self, workspace: str) -> None:
        """Let row level security show this workspace, and only this one, from now on."""
        if self.workspace != workspace:
            self.workspace = None
            await self.execute("SELECT set_config('placet.workspace', $1, false)", workspace)
            self.workspace = workspace


class Database:
    """A bounded pool of connections in one role."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @classmethod
    async def open(cls, dsn: str, role: Role, *, size: int = 10) -> Self:
        """Connect as `role`; raises `Unavailable` when Postgres cannot be reached."""
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                connection_class=WorkspaceConnection,
                command_timeout=COMMAND_TIMEOUT_S,
                timeout=ACQUIRE_TIMEOUT_S,
                max_inactive_connection_lifetime=300,
                # The reset query would cost every statement another round trip. Nothing but the
                # workspace is ever set on a connection, and that is set anew before each use.
                reset=_keep,
                server_settings={
                    "role": role,
                    "search_path": "placet",
                    "application_name": role.replace("_", "-"),
                    "idle_in_transaction_session_timeout": "30s",
                },
            )
        except UNREACHABLE as error:
            raise Unavailable(f"Postgres cannot be reached: {error}") from error
        return cls(pool)

    async def close(self) -> None:
        """Give running statements a moment, then close every connection."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=5)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def workspace(self, name: str) -> AsyncIterator[Connection]:
        """Lend a connection that sees one workspace; raises `Unavailable`."""
        async with self.connection() as connection:
            # The proxy that a pool lends passes this on to the connection itself.
            await connection.speak_for(name)  # type: ignore[attr-defined]
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection that speaks for no workspace of its own; raises `Unavailable`."""
        try:
            async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
                yield connection  # type: ignore[misc]  # a proxy with the same methods
        except UNREACHABLE as error:
            if is_cancelled():
                raise asyncio.CancelledError from error
            raise Unavailable(f"Postgres cannot be reached: {error}") from error


async def _keep(connection: Any) -> None:
    """Leave a returned connection as it is."""
