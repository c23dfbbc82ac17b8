"""Keeps what people say of how they want to be told, and lets what waits follow it."""

from dataclasses import replace
from datetime import datetime

import msgspec

from events.store.database import Database
from events.store.named_sql import statements
from services.directory.changing import changing
from services.directory.postgres import EVERY_S, MOST_PEOPLE, stored_preferences
from services.directory.preferences import NOTHING_SAID, Preferences, said
from services.effects import WAITING

LOOK_AGAIN_S = 3 * EVERY_S
"""When what waits is looked at anew: by then every process has read the preferences."""


class TooManyPreferences(Exception):
    """The workspace keeps those of as many people as it can."""


class KeptPreferences:
    """The preferences of each workspace; every call raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.directory")

    async def own(self, workspace: str, email: str) -> Preferences:
        """Return what somebody said here, without what a file says of them."""
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(self._sql["own_preferences"], workspace, email)
        return stored_preferences(row["said"], row["changed_at"]) if row else NOTHING_SAID

    async def put(
        self, workspace: str, email: str, preferences: Preferences, *, by: str, now: datetime
    ) -> Preferences:
        """Keep these in place of what was said before; the same again changes nothing.

        Raises `TooManyPreferences`.
        """
        async with changing(self._database, workspace) as change:
            connection = change.connection
            row = await connection.fetchrow(self._sql["own_preferences"], workspace, email)
            if row is not None:
                before = stored_preferences(row["said"], row["changed_at"])
                if said(before) == said(preferences):
                    return before
            else:
                count = await connection.fetchval(self._sql["count_preferences"], workspace)
                if count >= MOST_PEOPLE:
                    raise TooManyPreferences
            text = msgspec.json.encode(said(preferences)).decode()
            await connection.execute(
                self._sql["prefer"], workspace, email, text, by, now, change.number
            )
            await connection.execute(
                self._sql["look_again"], workspace, f"{WAITING}:{email}", LOOK_AGAIN_S
            )
        return replace(preferences, changed_at=now)
