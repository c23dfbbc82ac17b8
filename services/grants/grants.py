"""Keeps what people granted, and who is on their way to grant it."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from events.store.database import Database
from events.store.named_sql import statements
from services.grants import Whose
from services.web.session import digest_of

BACK_WITHIN_S = 600.0
"""How long somebody may take where they connect their account."""
MOST_REQUESTS = 9
"""How many ways there somebody may have begun, before one more."""
BROKEN_KEPT_S = 90 * 86_400.0
"""For how long it is told why a grant works no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What somebody granted: `left_s` until it ends, None where no end is known.

    `version` counts its tokens; `broken_why` says why they work no more, if they do not.
    """

    sealed: bytes = field(repr=False)
    version: int
    renewable: bool
    granted_at: datetime
    broken_why: str | None
    left_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Somebody who was sent to connect their account at a source."""

    source: str
    verifier: str = field(repr=False)


class Grants:
    """The tables `grants` and `grant_requests`; all raise `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.grants", "grants.sql")

    async def begin(self, whose: Whose, *, state: str, session: bytes, verifier: str) -> None:
        """Keep what must come back, and that it must come from this session."""
        async with self._database.workspace(whose.workspace) as connection:
            await connection.execute(
                self._sql["forget_requests"], whose.workspace, whose.email, MOST_REQUESTS
            )
            await connection.execute(
                self._sql["begin"],
                whose.workspace,
                digest_of(state),
                whose.source,
                whose.email,
                session,
                verifier,
                BACK_WITHIN_S,
            )

    async def take(self, workspace: str, state: str, *, email: str, session: bytes) -> Away | None:
        """Return whoever comes back, once.

        None if they were not sent in this session, as somebody else, or come too late.
        """
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(self._sql["take"], workspace, digest_of(state))
        if row is None or not row["in_time"] or row["email"] != email:
            return None
        if not hmac.compare_digest(row["session_digest"], session):
            return None
        return Away(source=row["source"], verifier=row["verifier"])

    async def put(
        self, whose: Whose, sealed: bytes, *, renewable: bool, lasts_s: float | None
    ) -> None:
        """Keep new tokens of somebody, in place of those before."""
        async with self._database.workspace(whose.workspace) as connection:
            await connection.execute(self._sql["forget_broken"], whose.workspace, BROKEN_KEPT_S)
            await connection.execute(self._sql["put"], *_key(whose), sealed, renewable, lasts_s)

    async def find(self, whose: Whose) -> Grant | None:
        """Return what somebody granted, None if nothing."""
        async with self._database.workspace(whose.workspace) as connection:
            row = await connection.fetchrow(self._sql["find"], *_key(whose))
        return None if row is None else Grant(**row)

    async def of(self, workspace: str, email: str) -> Mapping[str, Grant]:
        """Return source → what somebody granted there."""
        async with self._database.workspace(workspace) as connection:
            rows = [
                dict(row)
                for row in await connection.fetch(self._sql["of_person"], workspace, email)
            ]
        return {row.pop("source"): Grant(**row) for row in rows}

    async def lease(self, whose: Whose, version: int, lease_s: float) -> bool:
        """Take the right to renew tokens; False if somebody has it, or these are gone."""
        async with self._database.workspace(whose.workspace) as connection:
            taken = await connection.fetchval(self._sql["lease"], *_key(whose), version, lease_s)
        return taken is not None

    async def let_go(self, whose: Whose, version: int) -> None:
        """Give up the right to renew tokens, for others to try."""
        async with self._database.workspace(whose.workspace) as connection:
            await connection.execute(self._sql["let_go"], *_key(whose), version)

    async def renew(
        self, whose: Whose, version: int, sealed: bytes, *, renewable: bool, lasts_s: float | None
    ) -> None:
        """Keep tokens in place of those of `version`; nothing if these are gone."""
        async with self._database.workspace(whose.workspace) as connection:
            await connection.execute(
                self._sql["renew"], *_key(whose), version, sealed, renewable, lasts_s
            )

    async def mark_broken(self, whose: Whose, version: int, why: str) -> None:
        """Note why the tokens of `version` work no more."""
        async with self._database.workspace(whose.workspace) as connection:
            await connection.execute(self._sql["break"], *_key(whose), version, why)

    async def remove(self, whose: Whose) -> bool:
        """Forget what somebody granted; False if that was nothing."""
        async with self._database.workspace(whose.workspace) as connection:
            return await connection.fetchval(self._sql["remove"], *_key(whose)) is not None

    async def remove_all_of(self, workspace: str, email: str) -> int:
        """Forget all that somebody granted, and return how much that was."""
        async with self._database.workspace(workspace) as connection:
            return len(await connection.fetch(self._sql["remove_all"], workspace, email))


def _key(whose: Whose) -> tuple[str, str, str]:
    return whose.workspace, whose.source, whose.email
