"""Knows who asked to be told, never later than the event that they are to be told of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.store.database import Database
from events.store.named_sql import statements
from services.outgoing.signing import new_secret
from services.webhooks.endpoints import Endpoint, Signing, Subscription, signing_of

WORKSPACES = 10_000
"""How many are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Who listens in a workspace, and what signs its callbacks; known as of a time."""

    subscriptions: Sequence[Subscription]
    callbacks: Signing
    as_of: datetime


class Listeners:
    """What the table of endpoints says, read again for whatever happened after it was read.

    So a subscription that was there before an event is told of it, by any replica.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.webhooks")
        self._known: dict[str, Listening] = {}

    async def at(self, times: Mapping[str, datetime]) -> Mapping[str, Listening]:
        """Return who listens in some workspaces, as of a time by Postgres's clock or later."""
        stale = [
            workspace
            for workspace, time in times.items()
            if workspace not in self._known or self._known[workspace].as_of <= time
        ]
        if stale:
            if len(self._known) + len(stale) > WORKSPACES:
                self._known.clear()
                stale = list(times)
            async with self._database.connection() as connection:
                rows = await connection.fetch(self._sql["listeners"], stale)
            found: dict[str, list[Any]] = {}
            for row in rows:
                found.setdefault(row["workspace"], []).append(row)
            for workspace, of_it in found.items():
                self._known[workspace] = _listening(of_it)
        return {workspace: self._known[workspace] for workspace in times}

    async def signed(self, times: Mapping[str, datetime]) -> Mapping[str, Listening]:
        """Return as `at` does, with a secret for the callbacks of every one of the workspaces.

        Whoever wants to check them makes another one, which is shown then; until that, nobody
        can tell them from a forgery, but none was ever sent that could not be told.
        """
        listening = await self.at(times)
        unsigned = [name for name, one in listening.items() if one.callbacks.secret is None]
        if not unsigned:
            return listening
        async with self._database.connection() as connection:
            await connection.execute(
                self._sql["make_callback_secrets"], unsigned, [new_secret() for _ in unsigned]
            )
        for name in unsigned:
            del self._known[name]
        return await self.at(times)


def _listening(rows: Sequence[Any]) -> Listening:
    first = rows[0]
    return Listening(
        subscriptions=[_subscription(row) for row in rows if row["endpoint_id"] is not None],
        callbacks=Signing(
            secret=first["callback_secret"],
            previous=first["previous_callback_secret"],
            previous_until=first["previous_callback_until"],
        ),
        as_of=first["as_of"],
    )


def _subscription(row: Any) -> Subscription:
    return Subscription(
        endpoint=Endpoint(
            workspace=row["workspace"],
            endpoint_id=row["endpoint_id"],
            kind="subscription",
            url=row["url"],
            signing=signing_of(row),
        ),
        event_types=frozenset(row["event_types"]),
        types=frozenset(row["types"]),
        requester=row["requester"],
        since=row["created_at"],
    )
