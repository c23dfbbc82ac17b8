"""Row 2: durable requests a second that come by Kafka, read by one `decision` process."""

import asyncio
import secrets
import time
from collections.abc import Iterator

import asyncpg

from benchmarks import processes, tables
from benchmarks.asks import ask_json
from benchmarks.bench import Bench
from benchmarks.intake_topic import Headers, fill
from benchmarks.measure import Figure, Side
from benchmarks.processes import placet
from events.kafka.topics import REQUESTS

WRITERS = 8
BATCH = 100
PATIENCE_S = 120.0


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    dsn = await bench.servers.database(migrated=True)
    limit_dsn = await bench.servers.database(migrated=False)
    peer_dsn = await bench.servers.database(migrated=False)
    await tables.make(limit_dsn)
    ours: list[float] = []
    limits: dict[int, list[float]] = {1: [], 4: []}
    peer: list[float] = []
    for place in range(bench.rounds):
        bench.step(f"2 requests by Kafka, round {place + 1}")
        for connections, rates in limits.items():
            rates.append(await _limit(bench, limit_dsn, connections))
        ours.append(await _ours(bench, dsn))
        peer.append(await _peer(bench, peer_dsn))
    for database in (dsn, limit_dsn, peer_dsn):
        await bench.servers.drop(database)
    what = "durable requests by Kafka, one decision process"
    side = Side("Placet", tuple(ours))
    return [
        Figure(
            row=2,
            what=what,
            unit="1/s",
            ours=side,
            other=Side("raw unnest, 100 a batch, 4 connections", tuple(limits[4])),
            held_to=0.25,
        ),
        Figure(
            row=2,
            what=what,
            unit="1/s",
            ours=side,
            other=Side("raw unnest, 100 a batch, 1 connection", tuple(limits[1])),
        ),
        Figure(
            row=2,
            what=what,
            unit="1/s",
            ours=side,
            other=Side("eventsourcing, database function, 8 writers", tuple(peer)),
            held_to=4.0,
        ),
    ]


async def _limit(bench: Bench, dsn: str, connections: int) -> float:
    plan = {
        "what": "batches",
        "dsn": dsn,
        "connections": connections,
        "seconds": bench.seconds,
        "batch": BATCH,
    }
    measured = await processes.told("benchmarks.limits", plan, timeout_s=bench.seconds + 60)
    return float(measured["per_second"])


async def _peer(bench: Bench, dsn: str) -> float:
    plan = {"what": "appends", "dsn": dsn, "writers": WRITERS, "seconds": bench.seconds}
    measured = await processes.told(
        "benchmarks.peer_eventsourcing", plan, timeout_s=bench.seconds + 60
    )
    return float(measured["per_second"])


async def _ours(bench: Bench, dsn: str) -> float:
    """Fill the topic, start the process, and read in the store how fast it went."""
    workspace = f"bench-{secrets.token_hex(4)}"
    sent = await fill(bench.servers.kafka, REQUESTS.name, _messages(workspace, bench.events))
    connection = await asyncpg.connect(dsn)
    try:
        async with placet(["decision"], dsn=dsn, **bench.environment):
            return await _rate(connection, workspace, sent)
    finally:
        await connection.close()


def _messages(workspace: str, number: int) -> Iterator[tuple[bytes, bytes, Headers]]:
    for place in range(number):
        ce_id = f"{workspace}-{place}"
        headers = [("ce_id", ce_id.encode()), ("ce_workspace", workspace.encode())]
        yield ce_id.encode(), ask_json(place), headers


async def _rate(
    connection: "asyncpg.Connection[asyncpg.Record]", workspace: str, sent: int
) -> float:
    """Events a second between the first one's time and the last one's, by Postgres's clock."""
    until = time.monotonic() + PATIENCE_S
    await connection.execute("SET search_path TO placet")
    already: int = await connection.fetchval(
        "SELECT count(*) FROM events WHERE workspace <> $1", workspace
    )
    while await connection.fetchval("SELECT max(position) FROM events") is None or (
        await connection.fetchval("SELECT max(position) FROM events") < already + sent
    ):
        if time.monotonic() > until:
            raise processes.Failed(f"not all {sent} messages were in the store in time")
        await asyncio.sleep(0.2)
    row = await connection.fetchrow(
        "SELECT count(*) AS kept, extract(epoch FROM max(recorded_at) - min(recorded_at))::float8"
        " AS took FROM events WHERE workspace = $1",
        workspace,
    )
    if row is None or row["kept"] != sent:
        raise processes.Failed(f"{sent} messages gave {row and row['kept']} events")
    return float(row["kept"] / row["took"])
