"""What a link opens, and who came by it, as the tables keep it; of a token they know the hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.approval import Outcome
from events.store.database import Database, storable
from events.store.named_sql import statements
from services.channels.email.tokens import digest_of, is_token
from services.channels.email.visits import MOST_USER_AGENT, Visit

MOST_VISITS = 50
"""How many visits to one link are kept; later ones count for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that was sent; `digest` is that of its token."""

    digest: bytes
    workspace: str
    approval_id: str
    approver: str
    revision: str
    wanted: Outcome
    channel: str
    message_id: str
    sent_at: datetime
    expires_at: datetime

    @property
    def command_id(self) -> str:
        """The id of the one answer that this link can give: in the events, it tells of the use."""
        return f"link:{self.digest.hex()}"


class Links(Protocol):
    """What was sent, and who came; raises `Unavailable`."""

    async def find(self, token: str) -> Link | None:
        """Return what a token opens, or is over; None for one that was never sent."""
        ...

    async def visits(self, link: Link) -> Sequence[Visit]:
        """Return who came by the links of the same mail, oldest first."""
        ...

    async def visited(self, link: Link, visit: Visit) -> None:
        """Keep that somebody came."""
        ...


class PostgresLinks:
    """See `Links`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.decision.surfaces", "links.sql")

    async def find(self, token: str) -> Link | None:
        """See `Links.find`."""
        if not is_token(token):
            return None
        digest = digest_of(token)
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["find"], digest)
        return Link(digest=digest, **row) if row is not None else None

    async def visits(self, link: Link) -> Sequence[Visit]:
        """See `Links.visits`."""
        async with self._database.workspace(link.workspace) as connection:
            rows = await connection.fetch(
                self._sql["visits"], link.workspace, link.message_id, link.digest
            )
        return [Visit(**row) for row in rows]

    async def visited(self, link: Link, visit: Visit) -> None:
        """See `Links.visited`."""
        async with self._database.workspace(link.workspace) as connection:
            await connection.execute(
                self._sql["visited"],
                link.workspace,
                link.digest,
                visit.at,
                visit.method,
                storable(visit.user_agent)[:MOST_USER_AGENT],
                visit.verdict,
                MOST_VISITS,
            )
