"""Keeps sessions in Postgres, where every process finds them."""

from events.store.database import Database
from events.store.named_sql import statements
from services.web.session import IDLE_S, LASTS_S, Kept, Session, Way

MOST_AT_ONCE = 20
"""How many sessions somebody has at once: a newer one ends the oldest."""
KEPT_DAYS = 30
"""For how long it can be looked up who was signed in."""


class PostgresSessions:
    """The table `sessions`; all raise `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.web", "sessions.sql")

    async def find(self, digest: bytes) -> Kept | None:
        """Return a session that is not over, whichever workspace it opens."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["find"], digest, float(IDLE_S))
        if row is None:
            return None
        return Kept(
            session=Session(row["workspace"], row["email"], row["assurance"]),
            idle_s=float(row["idle_s"]),
            left_s=float(row["left_s"]),
        )

    async def create(self, digest: bytes, session: Session, way: Way) -> None:
        """Keep a new session."""
        workspace = session.workspace
        async with self._database.workspace(workspace) as connection, connection.transaction():
            await connection.execute(
                self._sql["create"],
                workspace,
                digest,
                session.email,
                session.assurance,
                way.by,
                way.issuer,
                way.subject,
                float(LASTS_S),
            )
            await connection.execute(self._sql["keep_few"], workspace, session.email, MOST_AT_ONCE)
            await connection.execute(self._sql["forget"], workspace, KEPT_DAYS)

    async def replace(self, workspace: str, digest: bytes, by: bytes) -> bool:
        """Give a session that is not over another token; False if there is no such one."""
        async with self._database.workspace(workspace) as connection:
            found = await connection.fetchval(self._sql["replace"], workspace, digest, by)
        return found is not None

    async def touch(self, workspace: str, digest: bytes) -> None:
        """Note that a session is being used."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["touch"], workspace, digest)

    async def end(self, workspace: str, digest: bytes) -> None:
        """End a session."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["end"], workspace, digest)

    async def end_all_of(self, workspace: str, email: str) -> None:
        """End every session of somebody."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["end_all_of"], workspace, email)
