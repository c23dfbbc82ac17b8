"""Tokens of links: made at random, sent once, and kept as hashes with what each one opens."""

import base64
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.approval import Outcome
from events.store.database import Database
from events.store.named_sql import statements

PREFIX = "pll_"
"""Lets programs that look for secrets in files find ours."""
LONGEST = timedelta(days=30)
"""After this long a link opens nothing any more, however long there is to answer."""
KEPT = timedelta(days=180)
"""How long it is known of a link that it is over."""
_TOKEN = re.compile(r"pll_[A-Za-z0-9_-]{43}")
_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """What links of one message open; `expires_at` is when there is nothing to answer any more."""

    workspace: str
    approval_id: str
    approver: str
    revision: str
    channel: str
    message_id: str
    expires_at: datetime


class Tokens:
    """Makes tokens; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.channels.email")

    async def make(self, opens: Opens, wanted: Sequence[Outcome], now: datetime) -> list[str]:
        """Return a token for each answer that is wanted, in that order."""
        tokens = [new_token() for _ in wanted]
        async with self._database.workspace(opens.workspace) as connection:
            await connection.execute(
                self._sql["make"],
                [digest_of(token) for token in tokens],
                list(wanted),
                opens.workspace,
                opens.approval_id,
                opens.approver,
                opens.revision,
                opens.channel,
                opens.message_id,
                min(opens.expires_at, now + LONGEST),
            )
            await connection.execute(self._sql["forget_old"], now - KEPT)
        return tokens


def new_token() -> str:
    """Return 256 random bits as they stand in an address."""
    return PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).rstrip(b"=").decode()


def digest_of(token: str) -> bytes:
    """Return what is kept of a token: 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode()).digest()


def is_token(text: str) -> bool:
    """Tell whether a text could be a token."""
    return _TOKEN.fullmatch(text) is not None
