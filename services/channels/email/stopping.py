"""The links with which a mail program ends digests: one a mail, kept as a hash."""

from datetime import datetime, timedelta

from events.store.database import Database
from events.store.named_sql import statements
from services.channels.email.tokens import digest_of, new_token

LASTS = timedelta(days=60)


class Stops:
    """Makes links; raises `Unavailable` when Postgres is away."""

    def __init__(self, database: Database, public_url: str) -> None:
        self._database = database
        self._public_url = public_url.rstrip("/")
        self._sql = statements("services.channels.email")

    async def link(self, workspace: str, email: str, channel: str, now: datetime) -> str:
        """Return where somebody ends what is mailed to them, until two months from now."""
        token = new_token()
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["make_stop"], digest_of(token), workspace, email, channel, now + LASTS
            )
            await connection.execute(self._sql["forget_stops"], now)
        return f"{self._public_url}/l/stop/{token}"
