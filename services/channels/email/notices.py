"""What was told already: a message that says that another one is over goes out once."""

from datetime import datetime, timedelta

from events.store.database import Database
from events.store.named_sql import statements

LEASE = timedelta(seconds=60)
"""How long whoever takes a notice may be at it: longer than a call to the channel may last."""
KEPT = timedelta(days=400)
"""How long it is known that a notice was sent: longer than an approval can wait."""


class Notices:
    """The table `mail_notices`; raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.channels.email")

    async def take(self, workspace: str, message_id: str) -> bool | None:
        """Tell whether a notice is ours to send; None while somebody else is sending it."""
        async with self._database.workspace(workspace) as connection:
            taken = await connection.fetchval(
                self._sql["take_notice"], workspace, message_id, LEASE
            )
            if taken:
                return True
            sent_at: datetime | None = await connection.fetchval(
                self._sql["notice_sent_at"], workspace, message_id
            )
        return None if sent_at is None else False

    async def sent(self, workspace: str, message_id: str) -> None:
        """Note that a notice is out."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["notice_sent"], workspace, message_id)
            await connection.execute(self._sql["forget_notices"], KEPT)

    async def not_sent(self, workspace: str, message_id: str) -> None:
        """Let go of a notice that did not go out."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["let_go_of_notice"], workspace, message_id)
