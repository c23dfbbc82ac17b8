"""What is done outside is written down before it happens, so that a replay repeats none of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from events.store.database import Database
from events.store.named_sql import statements

LEASE_S = 30.0
"""How long whoever took an effect may be at it before somebody else tries."""
WAITING = "card_later"
"""Begins the name of the notifier's looks at what waits for its time, for a person each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Names one thing to do outside: the same name, the same deed."""

    workspace: str
    approval_id: str
    version: int
    effect: str

    @property
    def idempotency_key(self) -> str:
        """What the other side is given, so that it does the deed once."""
        return f"{self.approval_id}.{self.version}.{self.effect}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The right to try an effect until the lease ends.

    `number` counts from 1; `sent` tells that an earlier attempt left this machine and its answer
    may not have come back.
    """

    number: int
    sent: bool
    first_at: datetime


class Effects:
    """The table `effects`, for every workspace; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.effects")

    async def take(self, effect: Effect, *, lease_s: float = LEASE_S) -> Attempt | None:
        """Write the effect down and take it; None if it is done, given up, or somebody's now."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["take"], *_key(effect), lease_s)
        if row is None:
            return None
        return Attempt(number=row["attempts"], sent=row["sent"], first_at=row["first_at"])

    async def sending(self, effect: Effect) -> None:
        """Note, just before it leaves, that something is being sent."""
        await self._execute("sending", effect)

    async def leaving(self, effect: Effect, attempt: Attempt) -> bool:
        """As `sending`, with a lease that begins anew; False if this attempt may not send.

        Its lease was over, and somebody else has taken the effect since then.
        """
        async with self._database.connection() as connection:
            noted = await connection.fetchval(
                self._sql["leaving"], *_key(effect), attempt.number, LEASE_S
            )
        return noted is not None

    async def done(self, effect: Effect) -> None:
        """Note that it happened: it will not be tried again."""
        await self._execute("done", effect)

    async def failed(self, effect: Effect, error: str) -> None:
        """Note that it is given up."""
        await self._execute("failed", effect, error[:2000])

    async def later(self, effect: Effect, delay_s: float, error: str, *, sent: bool = True) -> None:
        """Let go of it, to be tried again after a while.

        `sent` is False where it is sure that no attempt so far has reached the other side.
        """
        await self._execute("later", effect, delay_s, error[:2000], sent)

    async def due(self, name: str, limit: int = 100) -> Sequence[Effect]:
        """Return effects of one kind that wait to be tried again, longest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["due"], name, limit)
        return [
            Effect(
                workspace=row["workspace"],
                approval_id=row["approval_id"],
                version=row["version"],
                effect=row["effect"],
            )
            for row in rows
        ]

    async def _execute(self, statement: str, effect: Effect, *arguments: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(self._sql[statement], *_key(effect), *arguments)


def _key(effect: Effect) -> tuple[str, str, int, str]:
    return effect.workspace, effect.approval_id, effect.version, effect.effect
