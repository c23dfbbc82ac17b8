"""How each source fares, and the pausing of it: what administrators see and do."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from events.store.database import Database
from events.store.named_sql import statements

EVERY_S = 3.0
"""How old the pauses are at most that a process knows."""
MOST = 10_000
"""Pending approvals among which those of each source are counted, and sources that are paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """A source as its pollers left it.

    `pending` counts among the newest `MOST` of the workspace: `pending_at_least` where there are
    more. `rests_until` is when the source wants to be asked again, None where that is now.
    """

    name: str
    polled_at: datetime | None = None
    swept_at: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    held: bool = False
    """Whether a poller works on it just now."""
    paused_at: datetime | None = None
    paused_by: str | None = None
    wanted_at: datetime | None = None
    rests_until: datetime | None = None
    pending: int = 0
    pending_at_least: bool = False


class SourceDesk:
    """The states of a workspace's sources; every call raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.sources")

    async def states(self, workspace: str, names: Sequence[str]) -> Mapping[str, SourceState]:
        """Return name → state of some sources; one that was never polled has none of its own."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["states"], workspace, list(names), MOST)
        return {row["name"]: SourceState(**row) for row in rows}

    async def pause(self, workspace: str, name: str, by: str) -> bool:
        """Let nobody poll a source, until it is resumed; False if it is paused already."""
        async with self._database.workspace(workspace) as connection:
            done = await connection.fetchval(self._sql["pause"], workspace, name, by)
        return done is not None

    async def resume(self, workspace: str, name: str) -> bool:
        """Let a source be polled again, at once; False if it is not paused."""
        async with self._database.workspace(workspace) as connection:
            done = await connection.fetchval(self._sql["resume"], workspace, name)
        return done is not None

    async def poll_now(self, workspace: str, name: str) -> bool:
        """Have a source polled and swept within seconds; False if it is paused."""
        async with self._database.workspace(workspace) as connection:
            done = await connection.fetchval(self._sql["want"], workspace, name)
        return done is not None


class Pauses:
    """Which sources are paused, in every workspace: known without waiting, seconds old at most."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.sources")
        self._paused: frozenset[tuple[str, str]] = frozenset()

    def __call__(self, workspace: str, source: str) -> bool:
        """Tell whether a source is paused."""
        return (workspace, source) in self._paused

    async def run(self) -> NoReturn:
        """Look again and again, until cancelled; raises `Unavailable`."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look once."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["paused"], MOST)
        self._paused = frozenset((row["workspace"], row["source"]) for row in rows)
