"""How far each source was polled, and who works on it: one row for each source."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import asyncpg

from events.store.database import Database
from events.store.named_sql import statements

MAX_ERROR_CHARS = 1000


class LeaseLost(Exception):
    """Another poller works on the source by now, or it is paused: stop, and write nothing down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The state of a source, as kept; times are by the poller's clock, errors of the last pass.

    `wanted_at`: when somebody wanted it polled at once, by Postgres's clock; None once it was.
    """

    cursor: str | None = None
    polled_at: datetime | None = None
    swept_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    failures: int = 0
    wanted_at: datetime | None = None


class Checkpoints(Protocol):
    """Keeps the checkpoints; every call raises `Unavailable` when it cannot."""

    async def lease(self, workspace: str, source: str, owner: str, ttl: float) -> Checkpoint | None:
        """Take the source, or keep it, for `ttl` seconds.

        None while somebody else has it, or nobody is to, because it is paused.
        """
        ...

    async def release(self, workspace: str, source: str, owner: str) -> None:
        """Let others have the source at once."""
        ...

    async def save(self, workspace: str, source: str, owner: str, state: Checkpoint) -> None:
        """Write the state down, and that its `wanted_at` was heard.

        Raises `LeaseLost` if the source is not this owner's any more.
        """
        ...

    async def all(self, workspace: str) -> Mapping[str, Checkpoint]:
        """Return source → state, for whoever shows how fresh the queue is."""
        ...


class PostgresCheckpoints:
    """Rows of `source_checkpoints`; leases run by Postgres's clock alone."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.poller")

    async def lease(self, workspace: str, source: str, owner: str, ttl: float) -> Checkpoint | None:
        """See `Checkpoints.lease`."""
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(
                self._sql["lease"], workspace, source, owner, timedelta(seconds=ttl)
            )
        return None if row is None else _checkpoint(row)

    async def release(self, workspace: str, source: str, owner: str) -> None:
        """See `Checkpoints.release`."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["release"], workspace, source, owner)

    async def save(self, workspace: str, source: str, owner: str, state: Checkpoint) -> None:
        """See `Checkpoints.save`."""
        async with self._database.workspace(workspace) as connection:
            mine = await connection.fetchval(
                self._sql["save"],
                workspace,
                source,
                owner,
                state.cursor,
                state.polled_at,
                state.swept_at,
                _storable(state.last_error),
                state.last_error_at,
                state.failures,
                state.wanted_at,
            )
        if mine is None:
            raise LeaseLost(source)

    async def all(self, workspace: str) -> Mapping[str, Checkpoint]:
        """See `Checkpoints.all`."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["all"], workspace)
        return {row["source"]: _checkpoint(row) for row in rows}


def _checkpoint(row: asyncpg.Record) -> Checkpoint:
    return Checkpoint(
        cursor=row["cursor"],
        polled_at=row["polled_at"],
        swept_at=row["swept_at"],
        last_error=row["last_error"],
        last_error_at=row["last_error_at"],
        failures=row["failures"],
        wanted_at=row["wanted_at"],
    )


def _storable(error: str | None) -> str | None:
    if error is None:
        return None
    plain = error.encode("utf-8", "replace").decode().replace("\x00", "?")
    return plain[:MAX_ERROR_CHARS]


class MemoryCheckpoints:
    """The same promises within one process, for tests."""

    def __init__(self) -> None:
        self._states: dict[tuple[str, str], Checkpoint] = {}
        self._leases: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def lease(self, workspace: str, source: str, owner: str, ttl: float) -> Checkpoint | None:
        """See `Checkpoints.lease`."""
        now = datetime.now(UTC)
        holder, until = self._leases.get((workspace, source), (owner, now))
        if holder != owner and until > now:
            return None
        self._leases[workspace, source] = (owner, now + timedelta(seconds=ttl))
        return self._states.setdefault((workspace, source), Checkpoint())

    async def release(self, workspace: str, source: str, owner: str) -> None:
        """See `Checkpoints.release`."""
        if self._leases.get((workspace, source), ("",))[0] == owner:
            del self._leases[workspace, source]

    async def save(self, workspace: str, source: str, owner: str, state: Checkpoint) -> None:
        """See `Checkpoints.save`."""
        holder, until = self._leases.get((workspace, source), ("", datetime.now(UTC)))
        if holder != owner or until <= datetime.now(UTC):
            raise LeaseLost(source)
        self._states[workspace, source] = replace(
            state, last_error=_storable(state.last_error), wanted_at=None
        )

    async def all(self, workspace: str) -> Mapping[str, Checkpoint]:
        """See `Checkpoints.all`."""
        return {name: state for (where, name), state in self._states.items() if where == workspace}
