"""What administrators did on the pages: written down before it is done, and marked once it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from events.store.database import Database, storable
from events.store.named_sql import statements

Area = Literal["sources", "webhooks", "parked", "people", "keys"]
Verb = Literal[
    "pause",
    "resume",
    "poll_now",
    "enable",
    "replay",
    "replay_time",
    "retry",
    "retry_all",
    "discard",
    "end_delegation",
    "create_key",
    "revoke_key",
]
MOST_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that somebody did, or began to do: not `done` means that it may not have happened.

    `object` is what it was done to, `detail` what they said of it, `result` what came of it.
    """

    action_id: int
    at: datetime
    by_email: str
    verb: Verb
    object: str
    detail: str
    done: bool
    result: str


class Actions:
    """The table `admin_actions`, each call within one workspace; raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.web", "actions.sql")

    async def begin(
        self,
        workspace: str,
        *,
        by: str,
        area: Area,
        verb: Verb,
        object_: str,
        detail: str = "",
        once: str | None = None,
    ) -> int | None:
        """Write down what somebody is about to do, and return its number.

        None where `once` was written down before: the same form, sent again.
        """
        async with self._database.workspace(workspace) as connection:
            number: int | None = await connection.fetchval(
                self._sql["begin"],
                workspace,
                by,
                area,
                verb,
                storable(object_)[:MOST_TEXT],
                storable(detail)[:MOST_TEXT],
                once,
            )
        return number

    async def end(self, workspace: str, action_id: int, *, done: bool, result: str = "") -> None:
        """Note what came of it."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["end"], workspace, action_id, done, storable(result)[:MOST_TEXT]
            )

    async def latest(self, workspace: str, area: Area, limit: int) -> Sequence[Action]:
        """Return what was done last, the latest first."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["latest"], workspace, area, limit)
        return [Action(**row) for row in rows]
