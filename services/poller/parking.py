"""Keeps rows that could not be mapped in the table `parked`, for people to look at."""

from collections.abc import Collection, Sequence
from datetime import datetime

from events.store.database import Database
from events.store.named_sql import statements
from services.poller.known import identity
from services.sources import Malformed


class PostgresParking:
    """Rows of `parked` under the topic `source:NAME`; see `Parking`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.poller")

    async def park(self, workspace: str, source: str, rows: Sequence[Malformed]) -> None:
        """See `Parking.park`."""
        # One statement cannot change the same row twice; of two the later counts.
        distinct = {identity(row): row for row in rows}
        if not distinct:
            return
        kept = list(distinct.values())
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["park"],
                workspace,
                _topic(source),
                list(distinct),
                [None if row.record_id is None else row.record_id.encode() for row in kept],
                [row.row for row in kept],
                [row.reason for row in kept],
            )

    async def unpark(self, workspace: str, source: str, record_ids: Sequence[str]) -> None:
        """See `Parking.unpark`."""
        mapped = [
            identity(Malformed(record_id=record_id, reason="", row=b"")) for record_id in record_ids
        ]
        async with self._database.workspace(workspace) as connection:
            await connection.execute(self._sql["unpark"], workspace, _topic(source), mapped)

    async def unpark_unseen(
        self, workspace: str, source: str, seen: Collection[bytes], before: datetime
    ) -> None:
        """See `Parking.unpark_unseen`."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["unpark_unseen"], workspace, _topic(source), list(seen), before
            )


def _topic(source: str) -> str:
    return f"source:{source}"
