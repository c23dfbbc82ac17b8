"""Who came by the links of an approval's mails and looks like a program."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from events.store.database import Database
from events.store.named_sql import statements
from services.channels.email.visits import WORDS, Verdict

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ByProgram:
    """A visit to the link of an approver that a program made, as far as can be told."""

    at: datetime
    approver: str
    verdict: Verdict
    user_agent: str

    @property
    def because(self) -> str:
        """Why it looks like one."""
        return WORDS[self.verdict]


class Opened(Protocol):
    """Who knows who came by; raises `Unavailable`."""

    async def by_programs(self, workspace: str, approval_id: str) -> Sequence[ByProgram]:
        """Return the latest visits of programs, oldest first."""
        ...


class PostgresOpened:
    """See `Opened`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.queue", "opened.sql")

    async def by_programs(self, workspace: str, approval_id: str) -> Sequence[ByProgram]:
        """See `Opened.by_programs`."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(
                self._sql["by_programs"], workspace, approval_id, MOST_SHOWN
            )
        return [ByProgram(**row) for row in reversed(rows)]


class NobodyOpened:
    """See `Opened`: where no mail is sent."""

    async def by_programs(self, workspace: str, approval_id: str) -> Sequence[ByProgram]:  # noqa: ARG002 # nothing is kept of any
        """See `Opened.by_programs`."""
        return ()
