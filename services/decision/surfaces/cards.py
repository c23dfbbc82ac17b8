"""What the cards showed on which somebody answered: kept with the answer."""

from collections.abc import Mapping
from typing import Protocol

from events.store.database import Database
from events.store.named_sql import statements


class Cards(Protocol):
    """Who knows what was sent; raises `Unavailable`."""

    async def sent(
        self, workspace: str, approval_id: str, approver: str, channel: str
    ) -> Mapping[str, str]:
        """Return the digest of what each card of an approver on a channel shows, by revision."""
        ...


class SentCards:
    """See `Cards`: reads the table in which the notifier keeps what it sent."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.decision.surfaces")

    async def sent(
        self, workspace: str, approval_id: str, approver: str, channel: str
    ) -> Mapping[str, str]:
        """See `Cards.sent`."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(
                self._sql["sent_cards"], workspace, approval_id, approver, channel
            )
        return {row["revision"]: row["digest"] for row in rows}
