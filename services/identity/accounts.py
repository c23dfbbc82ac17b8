"""Keeps who is on their way to the identity provider, and which account there is whose."""

import hmac
from dataclasses import dataclass, field

from events.store.database import Database
from events.store.named_sql import statements
from services.identity.provider import Account, Begun
from services.web.session import digest_of

BACK_WITHIN_S = 600.0
"""How long somebody may take at the identity provider."""


class BoundElsewhere(Exception):
    """The account is somebody else's, or somebody else's account has this address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Somebody who was sent to the provider; `return_to` is where they wanted to go."""

    nonce: str
    verifier: str = field(repr=False)
    return_to: str | None


class Accounts:
    """The tables `sign_ins` and `identities` of one workspace; all raise `Unavailable`."""

    def __init__(self, database: Database, workspace: str) -> None:
        self.workspace = workspace
        self._database = database
        self._sql = statements("services.identity", "accounts.sql")

    async def begin(self, begun: Begun, *, browser: str, return_to: str | None) -> None:
        """Keep what must come back, and that it must come from this browser."""
        async with self._database.workspace(self.workspace) as connection:
            await connection.execute(self._sql["forget_sign_ins"], self.workspace)
            await connection.execute(
                self._sql["begin"],
                self.workspace,
                digest_of(begun.state),
                digest_of(browser),
                begun.nonce,
                begun.verifier,
                return_to,
                BACK_WITHIN_S,
            )

    async def take(self, state: str, *, browser: str) -> Away | None:
        """Return whoever comes back, once; None if this browser was not sent, or is too late."""
        async with self._database.workspace(self.workspace) as connection:
            row = await connection.fetchrow(self._sql["take"], self.workspace, digest_of(state))
        if row is None or not row["in_time"]:
            return None
        if not hmac.compare_digest(row["browser_digest"], digest_of(browser)):
            return None
        return Away(nonce=row["nonce"], verifier=row["verifier"], return_to=row["return_to"])

    async def person_of(self, account: Account) -> str | None:
        """Return whose an account is; None for one that never signed in."""
        async with self._database.workspace(self.workspace) as connection:
            found: str | None = await connection.fetchval(
                self._sql["bound"], self.workspace, account.issuer, account.subject
            )
        return found

    async def bind(self, account: Account) -> None:
        """Bind an account to its address; raises `BoundElsewhere` if either is bound otherwise."""
        async with self._database.workspace(self.workspace) as connection:
            await connection.execute(
                self._sql["bind"],
                self.workspace,
                account.issuer,
                account.subject,
                account.email,
            )
        if await self.person_of(account) != account.email:
            raise BoundElsewhere

    async def release(self, email: str) -> int:
        """Let somebody's accounts go, and return how many those were."""
        async with self._database.workspace(self.workspace) as connection:
            return len(await connection.fetch(self._sql["release"], self.workspace, email))
