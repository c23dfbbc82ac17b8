"""API keys: made once, shown once, kept as a hash; each opens one workspace for one principal."""

import asyncio
import hashlib
import hmac
import secrets
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from events.store.database import Database
from events.store.named_sql import statements
from projections.cursors import cursor_of_time, time_of
from services.settings import DEFAULT_WORKSPACE
from services.web.scopes import SCOPES, Scope

PREFIX = "plk"
DECIDING: frozenset[Scope] = frozenset(("approvals:decide", "people:manage", "admin"))
"""What lets a key decide, or say who does."""
BOOTSTRAP_PRINCIPAL = "admin@placet.invalid"
CACHE_S = 10.0
"""How long a key that was just revoked may still open."""
CACHE_SIZE = 10_000

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls, through which key, for which workspace, and what they may."""

    workspace: str
    email: str
    key_id: str
    scopes: frozenset[str]
    agent: bool = False
    """A program that acts by itself: it may ask, and never decide."""

    def may(self, scope: Scope) -> bool:
        """Tell whether a scope is granted; `admin` holds them all."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """A key without its secret, as administrators see it."""

    key_id: str
    principal: str
    name: str
    scopes: Sequence[str]
    agent: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key as it is shown once."""

    key_id: str
    secret: str

    @property
    def text(self) -> str:
        """The key itself; the last characters are a checksum, so that scanners need no lookup."""
        body = f"{PREFIX}_{self.key_id}_{self.secret}"
        return body + _checksum(body)


def new_key() -> NewKey:
    """Return a key from 24 random characters (142 bits)."""
    return NewKey(key_id=_random(12), secret=_random(24))


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


def parse_key(text: str) -> NewKey | None:
    """Return the parts of a key, or None for a text that was never one."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != PREFIX or len(parts[2]) != 30:  # noqa: PLR2004 # prefix, id, secret of 24 + checksum of 6
        return None
    key = NewKey(key_id=parts[1], secret=parts[2][:24])
    return key if text.isascii() and hmac.compare_digest(key.text, text) else None


class Keys:
    """Finds keys, and remembers for a moment what it found."""

    def __init__(self, database: Database, bootstrap_key: str | None) -> None:
        self._database = database
        self._bootstrap = hashlib.sha256((bootstrap_key or secrets.token_hex()).encode()).digest()
        self._cache: dict[bytes, tuple[float, Principal | None]] = {}
        self._sql = statements("services.web")
        self._finding = asyncio.Semaphore(8)

    async def find(self, text: str) -> Principal | None:
        """Return whom a key opens for; None for a wrong, revoked or expired one."""
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        if hmac.compare_digest(digest, self._bootstrap):
            return Principal(
                workspace=DEFAULT_WORKSPACE,
                email=BOOTSTRAP_PRINCIPAL,
                key_id="bootstrap",
                scopes=frozenset(SCOPES),
            )
        known = self._cache.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        key = parse_key(text)
        principal = await self._look_up(key) if key is not None else None
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        self._cache[digest] = (time.monotonic() + CACHE_S, principal)
        return principal

    async def _look_up(self, key: NewKey) -> Principal | None:
        async with self._finding, self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["find"], key.key_id)
        if row is None or row["revoked_at"] is not None:
            return None
        if row["expires_at"] is not None and row["expires_at"] <= datetime.now(UTC):
            return None
        if not hmac.compare_digest(row["secret_digest"], secret_digest(key)):
            return None
        return Principal(
            workspace=row["workspace"],
            email=row["principal"],
            key_id=key.key_id,
            scopes=frozenset(row["scopes"]),
            agent=row["agent"],
        )

    async def create(
        self,
        workspace: str,
        *,
        principal: str,
        name: str,
        scopes: Sequence[Scope],
        expires_at: datetime | None,
        agent: bool = False,
    ) -> NewKey:
        """Make a key and return it: the only time that it can be seen.

        Raises `ValueError` for an agent's key that could decide.
        """
        if agent and not DECIDING.isdisjoint(scopes):
            raise ValueError(
                f"An agent's key may not hold {' or '.join(sorted(DECIDING))}: agents ask, and "
                "people decide."
            )
        key = new_key()
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["create"],
                workspace,
                key.key_id,
                secret_digest(key),
                principal,
                name,
                list(scopes),
                expires_at,
                agent,
            )
        return key

    async def list(
        self, workspace: str, *, limit: int, cursor: str | None
    ) -> tuple[Sequence[KeyView], str | None]:
        """Return the keys, newest first, and where to go on; raises `BadCursor`."""
        before = time_of(cursor) if cursor is not None else (None, "")
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["list"], workspace, *before, limit + 1)
        views = [KeyView(**row) for row in rows[:limit]]
        if len(rows) <= limit:
            return views, None
        return views, cursor_of_time(views[-1].created_at, views[-1].key_id)

    async def revoke(self, workspace: str, key_id: str) -> bool:
        """End a key; False if there is no such one. Open for `CACHE_S` at the most."""
        async with self._database.workspace(workspace) as connection:
            return await connection.fetchval(self._sql["revoke"], workspace, key_id) is not None


def secret_digest(key: NewKey) -> bytes:
    """Return what is kept of a key: 142 random bits need no slow hash (ASVS 6.5.2)."""
    return hashlib.sha256(key.secret.encode()).digest()
