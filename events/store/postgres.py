"""The event store on Postgres: one append is one statement, one round trip and one transaction."""

from collections.abc import Mapping, Sequence

import asyncpg

from events.codec import decode, encode
from events.envelope import Recorded
from events.store import Append, Claim, Claimed, ClaimKind, ClaimTaken, VersionConflict
from events.store.database import Database
from events.store.named_sql import statements

STREAM_VERSION_KEY = "events_stream_version_key"
CLAIMS_KEY = "claims_pkey"


class PostgresStore:
    """Streams in the table `events`, as the role that may add and read and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("events.store")

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        """See `EventStore.append`."""
        # Two batches that touch the same streams in another order would wait for each other.
        ordered = sorted(appends, key=lambda one: one.approval_id)
        rows: list[tuple[str, int, str, int, str, str]] = []
        claims: list[tuple[Claim, str]] = []
        for one in ordered:
            for version, event in enumerate(one.events, start=one.expected_version + 1):
                name, schema_version, data = encode(event)
                rows.append(
                    (
                        one.approval_id,
                        version,
                        name,
                        schema_version,
                        data.decode(),
                        one.command_id,
                    )
                )
            claims.extend((claim, one.approval_id) for claim in one.claims)
        if not rows:
            return
        columns = [list(column) for column in zip(*rows, strict=True)]
        async with self._database.workspace(workspace) as connection:
            try:
                if claims:
                    await connection.execute(
                        self._sql["append"],
                        workspace,
                        *columns,
                        [claim.kind for claim, _ in claims],
                        [claim.key for claim, _ in claims],
                        [claim.round for claim, _ in claims],
                        [approval_id for _, approval_id in claims],
                        [claim.fingerprint for claim, _ in claims],
                    )
                else:
                    await connection.execute(self._sql["append_one"], workspace, *columns)
            except asyncpg.UniqueViolationError as error:
                # Told by the constraint's name: the message's text depends on the locale.
                if error.constraint_name == STREAM_VERSION_KEY:
                    raise VersionConflict(ordered[0].approval_id) from error
                if error.constraint_name == CLAIMS_KEY:
                    raise ClaimTaken(claims[0][0].key) from error
                raise
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                raise VersionConflict(ordered[0].approval_id) from error

    async def read(
        self, workspace: str, approval_ids: Sequence[str], after: int = 0
    ) -> Mapping[str, Sequence[Recorded]]:
        """See `EventStore.read`."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["read"], workspace, list(approval_ids), after)
        streams: dict[str, list[Recorded]] = {approval_id: [] for approval_id in approval_ids}
        for row in rows:
            streams[row["approval_id"]].append(recorded(row))
        return streams

    async def claimed(
        self, workspace: str, kind: ClaimKind, keys: Sequence[str]
    ) -> Mapping[str, Claimed]:
        """See `EventStore.claimed`."""
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["claimed"], workspace, kind, list(keys))
        return {
            row["key"]: Claimed(
                approval_id=row["approval_id"],
                round=row["round"],
                fingerprint=row["fingerprint"],
            )
            for row in rows
        }


def recorded(row: asyncpg.Record) -> Recorded:
    """Return the event in a row of `events`; raises `Unreadable` for one from a newer release."""
    data: str = row["data"]
    return Recorded(
        workspace=row["workspace"],
        approval_id=row["approval_id"],
        version=row["version"],
        event=decode(row["type"], row["schema_version"], data),
        type=row["type"],
        schema_version=row["schema_version"],
        data=data.encode(),
        command_id=row["command_id"],
        recorded_at=row["recorded_at"],
    )
