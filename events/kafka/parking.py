"""Keeps messages that nobody can read, with topic, partition, offset and reason, until retried."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from events.kafka.consumer import Rejected
from events.kafka.messages import Message
from events.store.database import Database, storable
from events.store.named_sql import statements

NOBODYS = "-"
"""The workspace of a message that does not say whose it is; only administrators of all see it."""
MAX_VALUE = 1024 * 1024
PREVIEWED = 2_000
SOURCE_ROW = "source:"
"""Prefix of the topic under which a source's malformed rows are parked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One parked message."""

    parked_id: int
    workspace: str
    consumer: str
    topic: str
    partition: int
    offset: int
    reason: str
    parked_at: datetime
    attempts: int
    value: bytes | None


class Parking:
    """The table `parked`, as the role that serves every workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("events.kafka")

    async def park(self, consumer: str, rejected: Rejected) -> None:
        """Keep a Kafka message; the same one again only counts its attempts."""
        message = rejected.message
        value = (message.value or b"")[:MAX_VALUE]
        # A name that Postgres refused would be parked never.
        headers = [[storable(name), (data or b"").hex()] for name, data in message.headers]
        async with self._database.connection() as connection:
            await connection.execute(
                self._sql["park"],
                _workspace(message.headers),
                consumer,
                message.topic,
                message.partition,
                message.offset,
                hashlib.sha256(value).digest(),
                message.key,
                value,
                msgspec.json.encode(headers).decode(),
                rejected.reason.replace("\0", " ")[:2000],
            )

    async def list(self, workspace: str | None, limit: int = 100) -> Sequence[Parked]:
        """Return what is parked and not resolved, oldest first; all workspaces for None."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql["list_parked"], workspace, limit)
        return [_parked(row) for row in rows]

    async def preview(
        self, workspaces: Sequence[str], *, after: int = 0, limit: int = 50
    ) -> Sequence[Parked]:
        """Return as `list` does what some workspaces have parked after one, with the beginnings.

        A value ends after `PREVIEWED` bytes here.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                self._sql["preview"], list(workspaces), after, limit, PREVIEWED
            )
        return [_parked(row) for row in rows]

    async def message(self, parked_id: int) -> Message | None:
        """Return a parked Kafka message to be sent again; None for a source's row or no such id."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(self._sql["parked"], parked_id)
        if row is None or row["topic"].startswith(SOURCE_ROW):
            return None
        headers = [
            (name, bytes.fromhex(data)) for name, data in msgspec.json.decode(row["headers"])
        ]
        return Message(row["topic"], row["key"], row["value"], headers)

    async def resolve(self, parked_id: int) -> bool:
        """Say that a message is dealt with; False if there is no such open one."""
        async with self._database.connection() as connection:
            return await connection.fetchval(self._sql["resolve"], parked_id) is not None


def _parked(row: Any) -> Parked:
    return Parked(
        parked_id=row["parked_id"],
        workspace=row["workspace"],
        consumer=row["consumer"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        reason=row["reason"],
        parked_at=row["parked_at"],
        attempts=row["attempts"],
        value=row["value"],
    )


def _workspace(headers: Sequence[tuple[str, bytes]]) -> str:
    for name, value in headers:
        if name == "ce_workspace" and value:
            return value.decode(errors="replace").replace("\0", " ")[:200]
    return NOBODYS
