"""Reads what was asked of a workspace since a time, one whole approval after the other."""

from collections.abc import AsyncIterator
from datetime import datetime
from itertools import groupby

from ksuid import KsuidMs

from events.approval import ApprovalEvent
from events.store.database import Database
from events.store.named_sql import statements
from events.store.postgres import recorded

BATCH = 2_000
"""How many events are read at a time."""
LONGEST_STREAM = 10_000
"""How many events of one approval are looked at; what goes beyond is left out."""


class Past:
    """The stored approvals of one workspace since a time; raises `Unavailable`."""

    def __init__(self, database: Database, workspace: str, since: datetime) -> None:
        self._database = database
        self._workspace = workspace
        self._first_id = str(KsuidMs(since, payload=bytes(KsuidMs.PAYLOAD_LENGTH_IN_BYTES)))
        self._sql = statements("services.policies")

    async def count(self) -> int:
        """Return how many approvals there are to read."""
        async with self._database.workspace(self._workspace) as connection:
            found: int = await connection.fetchval(
                self._sql["asked_since"], self._workspace, self._first_id
            )
        return found

    async def approvals(self) -> AsyncIterator[tuple[str, list[ApprovalEvent]]]:
        """Yield each approval with all its events, oldest first."""
        place: tuple[str, int] = (self._first_id, 0)
        carried: tuple[str, list[ApprovalEvent]] | None = None
        while True:
            async with self._database.workspace(self._workspace) as connection:
                rows = await connection.fetch(
                    self._sql["streams_since"], self._workspace, *place, BATCH
                )
            for approval_id, some in groupby(rows, key=lambda row: row["approval_id"]):
                facts = [recorded(row).event for row in some]
                if carried is not None and carried[0] == approval_id:
                    carried[1].extend(facts[: LONGEST_STREAM - len(carried[1])])
                    continue
                if carried is not None:
                    yield carried
                carried = (approval_id, facts)
            if len(rows) < BATCH:
                break
            place = (rows[-1]["approval_id"], rows[-1]["version"])
        if carried is not None:
            yield carried
