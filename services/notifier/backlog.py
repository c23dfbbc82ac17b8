"""What was left undone: effects that are due again, and approvals that Kafka never told us of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from events.store.database import Database
from events.store.named_sql import statements
from services.effects import Effect
from services.notifier.cards import Key

FROM_THE_START: Key = ("", "")
SETTLING_S = 30.0
"""How long an approval is left to the event that is on its way through Kafka."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of what was looked through: what is astray in it, and where the next begins.

    `end` is None when there is nothing after it.
    """

    astray: Sequence[Key]
    end: Key | None


@dataclass(frozen=True, slots=True)
class Waits:
    """What waits for somebody, the most urgent first, and how much it is in all."""

    ids: Sequence[str]
    count: int


class Backlog(Protocol):
    """Where the notifier looks for work that no message brings; raises `Unavailable`."""

    async def due(self, limit: int) -> Sequence[Effect]:
        """Return effects of the notifier that wait to be tried again, longest first."""
        ...

    async def due_digests(self, limit: int) -> Sequence[Effect]:
        """Return digests that were begun and wait to be tried again, longest first."""
        ...

    async def readers(self, after: Key, limit: int) -> Sequence[Key]:
        """Return for whom something waits, each with their workspace, in that order."""
        ...

    async def waits_for(self, workspace: str, email: str, limit: int) -> Waits:
        """Return what waits for somebody."""
        ...

    async def unasked(self, after: Key, limit: int) -> Stretch:
        """Look through pending approvals for those without a card for their revision."""
        ...

    async def left_open(self, after: Key, limit: int) -> Stretch:
        """Look through open cards for those of approvals that are settled or changed."""
        ...


class PostgresBacklog:
    """See `Backlog`; for every workspace, as the workers' role."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.notifier")

    async def due(self, limit: int) -> Sequence[Effect]:
        """See `Backlog.due`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["due"], limit)
        return [Effect(**row) for row in rows]

    async def due_digests(self, limit: int) -> Sequence[Effect]:
        """See `Backlog.due_digests`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["due_digests"], limit)
        return [Effect(**row) for row in rows]

    async def readers(self, after: Key, limit: int) -> Sequence[Key]:
        """See `Backlog.readers`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["readers"], *after, limit)
        return [(row["workspace"], row["approver"]) for row in rows]

    async def waits_for(self, workspace: str, email: str, limit: int) -> Waits:
        """See `Backlog.waits_for`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["waits_for"], workspace, email, limit)
        return Waits(row["ids"] or (), row["count"]) if row is not None else Waits((), 0)

    async def unasked(self, after: Key, limit: int) -> Stretch:
        """See `Backlog.unasked`."""
        return await self._stretch("unasked", after, limit)

    async def left_open(self, after: Key, limit: int) -> Stretch:
        """See `Backlog.left_open`."""
        return await self._stretch("left_open", after, limit)

    async def _stretch(self, statement: str, after: Key, limit: int) -> Stretch:
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql[statement], *after, limit, SETTLING_S)
        keys = [(row["workspace"], row["approval_id"]) for row in rows]
        return Stretch(
            astray=[key for key, row in zip(keys, rows, strict=True) if row["astray"]],
            end=keys[-1] if len(keys) == limit else None,
        )
