"""Collects what is there after a test, past the product's own ways of reading it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from events.codec import decode
from events.envelope import Recorded
from events.kafka.topics import LOG, PUBLIC
from events.store.database import Connection, Database
from events.store.log import Broken, PostgresLog
from tests.faults.evidence import (
    Evidence,
    Listed,
    Logged,
    OutboxMessage,
    ParkedMessage,
    Published,
    SourceRow,
)
from tests.faults.told import Told

QUIET_S = 40.0
LOOK_EVERY_S = 0.2
READ_S = 20.0

_BUSY = """
SELECT
    (SELECT count(*) FROM placet.events) AS stored,
    (SELECT seq FROM placet.log_head) AS logged,
    (SELECT published FROM placet.publisher_cursor) AS published,
    (
        SELECT count(*) FROM (
            SELECT approval_id, max(version) AS version FROM placet.events GROUP BY approval_id
        ) s
        LEFT JOIN placet.approval_list l USING (approval_id)
        WHERE l.version IS DISTINCT FROM s.version
    ) AS behind,
    (SELECT count(*) FROM placet.approval_list WHERE status = 'deciding') AS deciding,
    (
        SELECT count(*) FROM unnest($1::text[]) AS asked (mark)
        WHERE NOT EXISTS (
            SELECT FROM placet.events e
            WHERE e.version = 1 AND e.data::jsonb -> 'metadata' ->> 'ask' = asked.mark
        )
    ) AS unheard
"""


async def quiet(dsn: str, told: Sequence[Told] = (), *, timeout: float = QUIET_S) -> float:
    """Wait until nothing is on its way any more, and return how many seconds that took.

    Gives up after `timeout`: whatever is missing then is for the checker to find.
    """
    marks = [one.mark for one in told if one.action == "ask" and one.promised]
    began = time.monotonic()
    still = 0
    while still < 2 and time.monotonic() - began < timeout:
        try:
            connection = await _connect(dsn)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(LOOK_EVERY_S)
            continue
        try:
            row = await connection.fetchrow(_BUSY, marks)
        finally:
            await connection.close(timeout=5)
        assert row is not None
        done = row["stored"] == row["logged"] == row["published"]
        rest = row["behind"] + row["deciding"] + row["unheard"]
        still = still + 1 if done and not rest else 0
        await asyncio.sleep(LOOK_EVERY_S)
    return time.monotonic() - began


async def collect(
    dsn: str,
    bootstrap: str,
    told: Sequence[Told] = (),
    *,
    source: dict[str, SourceRow] | None = None,
    poison: frozenset[tuple[str, int, int]] = frozenset(),
) -> Evidence:
    """Read everything: the store, the log, the topics, the read models, the cards."""
    connection = await _connect(dsn)
    try:
        return Evidence(
            told=told,
            store=[_recorded(row) for row in await connection.fetch("TABLE placet.events")],
            log=await _log(connection),
            chain=await _chain(dsn),
            topics=await read_topics(bootstrap, [LOG.name, *PUBLIC], poison),
            listed=[
                Listed(**row)
                for row in await connection.fetch(
                    "SELECT approval_id, version, status FROM placet.approval_list"
                )
            ],
            waiting=await _pairs(connection, "approver", "approval_id", "pending_queue"),
            history=await _pairs(connection, "approval_id", "version", "approval_history"),
            source=source,
            outbox=[
                OutboxMessage(**row)
                for row in await connection.fetch(
                    "SELECT message_id, approval_id, approver, shown FROM placet.outbox_messages"
                )
            ],
            parked=[
                ParkedMessage(**row)
                for row in await connection.fetch(
                    "SELECT topic, partition, record_offset AS offset, reason FROM placet.parked"
                    " WHERE NOT starts_with(topic, 'source:')"
                )
            ],
            poison=poison,
        )
    finally:
        await connection.close(timeout=5)


async def read_topics(
    bootstrap: str,
    topics: Sequence[str],
    poison: frozenset[tuple[str, int, int]] = frozenset(),
) -> list[Published]:
    """Read topics from their beginning to their end, with a consumer that belongs to no group."""
    return [
        _published(record)
        for record in await read_records(bootstrap, topics)
        if (record.topic, record.partition, record.offset) not in poison
    ]


async def read_records(bootstrap: str, topics: Sequence[str]) -> list[Any]:
    """Return the messages of some topics as the Kafka client gives them."""
    # Not `seek_to_beginning`: a reset to the end that is under way already would win over it.
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    )
    found: list[Any] = []
    try:
        async with asyncio.timeout(READ_S):
            await consumer.start()
            places = [
                TopicPartition(topic, partition)
                for topic in topics
                for partition in await _partitions(consumer, topic)
            ]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            while [one for one in places if await consumer.position(one) < ends[one]]:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
    finally:
        await consumer.stop()
    return found


async def _partitions(consumer: Any, topic: str) -> set[int]:
    await consumer._client.force_metadata_update()
    while (found := consumer.partitions_for_topic(topic)) is None:
        consumer._client.add_topic(topic)
        await consumer._client.force_metadata_update()
    return set(found)


def _published(record: Any) -> Published:
    headers = {name: value.decode() for name, value in record.headers}
    return Published(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key.decode(),
        version=int(headers["ce_streamversion"]),
        type=headers["ce_type"],
        schema_version=int(headers["ce_schemaversion"]),
        value=record.value,
    )


async def _connect(dsn: str) -> Connection:
    return await asyncpg.connect(dsn, timeout=10)


async def _log(connection: Connection) -> list[Logged]:
    rows = await connection.fetch(
        "SELECT l.seq, e.approval_id, e.version FROM placet.log l"
        " JOIN placet.events e USING (position) ORDER BY l.seq"
    )
    return [Logged(**row) for row in rows]


async def _chain(dsn: str) -> str | None:
    database = await Database.open(dsn, "placet_worker", size=1)
    try:
        async for place in PostgresLog(database).verify():
            if isinstance(place, Broken):
                return f"event {place.seq} {place.reason}"
        return None
    finally:
        await database.close()


async def _pairs(
    connection: Connection, first: str, second: str, table: str
) -> frozenset[tuple[Any, Any]]:
    rows = await connection.fetch(f"SELECT {first}, {second} FROM placet.{table}")  # noqa: S608 # names of ours
    return frozenset((row[0], row[1]) for row in rows)


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(
        workspace=row["workspace"],
        approval_id=row["approval_id"],
        version=row["version"],
        event=decode(row["type"], row["schema_version"], row["data"]),
        type=row["type"],
        schema_version=row["schema_version"],
        data=row["data"].encode(),
        command_id=row["command_id"],
        recorded_at=row["recorded_at"],
    )
