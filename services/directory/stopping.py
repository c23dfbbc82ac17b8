"""Ends the messages to somebody on one channel, for whoever has the link of a mail."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from events.store.database import Database
from events.store.named_sql import statements
from services.directory import Directory
from services.directory.kept_preferences import KeptPreferences
from services.directory.preferences import Preferences, Turn

_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,60}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What a link ends."""

    workspace: str
    email: str
    channel: str


class FreshDirectories(Protocol):
    """Who knows people; `PostgresDirectories` does."""

    async def fresh(self, workspace: str) -> Directory:
        """Return the people of a workspace as they are now; raises `Unavailable`."""
        ...


class StopLinks:
    """The links; every call raises `Unavailable`."""

    def __init__(
        self, database: Database, kept: KeptPreferences, directories: FreshDirectories
    ) -> None:
        self._database = database
        self._kept = kept
        self._directories = directories
        self._sql = statements("services.directory")

    async def find(self, token: str) -> Stop | None:
        """Return what a link ends, None for one that is unknown or too old."""
        if not _TOKEN.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["find_stop"], digest)
        return Stop(**row) if row is not None else None

    async def end(
        self, stop: Stop, general: Preferences, channels: Sequence[str], now: datetime
    ) -> None:
        """Let somebody prefer to be told elsewhere, or not at all; raises `TooManyPreferences`."""
        directory = await self._directories.fresh(stop.workspace)
        own = await self._kept.own(stop.workspace, stop.email)
        told = directory.told(stop.email, general)
        wanted = without(own, told, stop.channel, channels)
        await self._kept.put(stop.workspace, stop.email, wanted, by=stop.email, now=now)


def without(
    own: Preferences, told: Preferences, channel: str, channels: Sequence[str]
) -> Preferences:
    """Return what somebody says from now on who is told so far as `told` has it."""
    order = told.order or tuple(Turn(one) for one in channels)
    rest = tuple(turn for turn in order if turn.channel != channel)
    return replace(own, order=rest) if rest else replace(own, silent=True)
