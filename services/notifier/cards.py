"""The table `cards`: each card that was sent, and what it shows now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from events.store.database import Database
from events.store.named_sql import statements
from services.channels.card import Shown

Key = tuple[str, str]
"""Workspace and approval id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCard:
    """A card on a channel; `reference` finds it again there, `digest` tells what it shows.

    `perhaps_twice`: an attempt before the one that is known may have arrived as well.
    """

    workspace: str
    approval_id: str
    approver: str
    channel: str
    revision: str
    reference: str | None
    digest: str
    shown: Shown
    perhaps_twice: bool = False


class Cards(Protocol):
    """What was sent; raises `Unavailable`."""

    async def of(self, keys: Sequence[Key]) -> Sequence[SentCard]:
        """Return every card of some approvals."""
        ...

    async def remember(self, card: SentCard) -> None:
        """Keep a card that was just sent; harmless when it is kept already."""
        ...

    async def redrawn(self, card: SentCard, *, shown: Shown, digest: str) -> bool:
        """Note what `card` shows now; False if somebody else noted something meanwhile."""
        ...


class PostgresCards:
    """See `Cards`; for every workspace, as the workers' role."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.notifier")

    async def of(self, keys: Sequence[Key]) -> Sequence[SentCard]:
        """See `Cards.of`."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["of"], [key[0] for key in keys], [key[1] for key in keys]
            )
        return [SentCard(**row) for row in rows]

    async def remember(self, card: SentCard) -> None:
        """See `Cards.remember`."""
        async with self._database.connection() as connection:
            await connection.execute(
                self._sql["remember"],
                *_place(card),
                card.reference,
                card.digest,
                card.shown,
                card.perhaps_twice,
            )

    async def redrawn(self, card: SentCard, *, shown: Shown, digest: str) -> bool:
        """See `Cards.redrawn`."""
        async with self._database.connection() as connection:
            noted = await connection.fetchval(
                self._sql["redrawn"], *_place(card), card.shown, card.digest, shown, digest
            )
        return noted is not None


def _place(card: SentCard) -> tuple[str, str, str, str, str]:
    return card.workspace, card.approval_id, card.approver, card.channel, card.revision
