"""How each channel fares: what it took, what it refused, what waits, and what rests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.store.database import Database
from events.store.named_sql import statements

MOST = 10_000
"""The most that is counted of anything."""
MOST_RESTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """A channel of the last hours; counts end at `MOST` and one.

    `failed` were given up, first tried in the last two days; `waiting` are not sent yet, of which
    `retrying` were tried before, and the first of these is tried again at `next_at`: later where
    the channel asked for a rest.
    """

    name: str
    configured: bool
    sent_hour: int = 0
    sent_day: int = 0
    last_at: datetime | None = None
    failed: int = 0
    waiting: int = 0
    retrying: int = 0
    waiting_since: datetime | None = None
    next_at: datetime | None = None
    last_error: str | None = None
    last_error_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """Something that may not be asked before a time: it said so."""

    what: str
    until: datetime


class ChannelReads:
    """Reads cards, effects and limits of a workspace; raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.queue.pages.admin")

    async def states(self, workspace: str, names: Sequence[str]) -> Sequence[ChannelState]:
        """Return the channels that are configured, then others for which something is left."""
        async with self._database.workspace(workspace) as connection:
            trouble = await connection.fetch(self._sql["trouble"], workspace, MOST + 1)
            others = [row["name"] for row in trouble if row["name"] not in names]
            every = [*names, *sorted(others)]
            sent = await connection.fetch(self._sql["sent"], workspace, every, MOST + 1)
        of_each = {row["name"]: row for row in sent}
        wrong = {row["name"]: row for row in trouble}
        return [
            ChannelState(
                configured=name in names,
                sent_hour=of_each[name]["hour"],
                sent_day=of_each[name]["day"],
                last_at=of_each[name]["last_at"],
                **wrong.get(name, {"name": name}),
            )
            for name in every
        ]

    async def rests(self, workspace: str) -> Sequence[Rest]:
        """Return what rests just now."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["rests"], workspace, MOST_RESTS)
        return [Rest(row["bucket"], row["blocked_until"]) for row in rows]
