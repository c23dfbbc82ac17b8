"""Sessions in a dictionary; `test_identity_sessions` holds them to those in Postgres."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import time

from services.web.session import IDLE_S, LASTS_S, Kept, Session, Way, digest_of


@dataclass
class Row:
    """One session."""

    session: Session
    way: Way
    used_at: float
    expires_at: float
    ended: bool = False


class MemorySessions:
    """The table `sessions` in a dictionary."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self.clock = clock
        self.rows: dict[bytes, Row] = {}
        self.lookups = 0

    def signed_in(self, session: Session, way: Way | None = None) -> str:
        """Sign somebody in, and return the token of it."""
        token = secrets.token_urlsafe(32)
        self._keep(digest_of(token), session, way or Way("dev"))
        return token

    def _keep(self, digest: bytes, session: Session, way: Way) -> None:
        now = self.clock()
        self.rows[digest] = Row(session, way, now, now + LASTS_S)

    async def find(self, digest: bytes) -> Kept | None:
        self.lookups += 1
        row = self.rows.get(digest)
        if row is None or row.ended:
            return None
        now = self.clock()
        left = min(row.expires_at, row.used_at + IDLE_S) - now
        if left <= 0:
            return None
        return Kept(session=row.session, idle_s=now - row.used_at, left_s=left)

    async def create(self, digest: bytes, session: Session, way: Way) -> None:
        self._keep(digest, session, way)

    async def replace(self, workspace: str, digest: bytes, by: bytes) -> bool:
        row = self._open(workspace, digest)
        if row is None:
            return False
        del self.rows[digest]
        self.rows[by] = replace(row, used_at=self.clock())
        return True

    async def touch(self, workspace: str, digest: bytes) -> None:
        if (row := self._open(workspace, digest)) is not None:
            row.used_at = self.clock()

    async def end(self, workspace: str, digest: bytes) -> None:
        if (row := self._open(workspace, digest)) is not None:
            row.ended = True

    async def end_all_of(self, workspace: str, email: str) -> None:
        for row in self.rows.values():
            if (row.session.workspace, row.session.email) == (workspace, email):
                row.ended = True

    def _open(self, workspace: str, digest: bytes) -> Row | None:
        row = self.rows.get(digest)
        return row if row and not row.ended and row.session.workspace == workspace else None
