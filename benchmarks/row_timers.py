"""Row 11: many timers due at once, and what new requests feel of it while they drain.

The timers are held back while requests come alone, and let go for the other half of each round. In
the end they drain without anything beside them, and each approval must have expired.
"""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import asyncpg

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import Failed, placet
from benchmarks.row_http import load
from benchmarks.seeds import WORKSPACE, ask_of
from events.codec import encode
from events.decider import decide
from events.state import fold
from events.store.database import Connection

DUE = 100_000
QUICK_DUE = 10_000
CLIENTS = 4
"""Few enough that the process is not at its limit: then a request waits for what it waits for."""
DRAINED_S = 600.0
SETTLED_S = 0.5
SLOWER_P50 = 1.5
SLOWER_P99 = 2.0

_EVENTS = f"""
INSERT INTO events (workspace, approval_id, version, type, schema_version, data, command_id)
SELECT '{WORKSPACE}', '2' || lpad(n::text, 26, '0'), 1, $2, $3, $4, 'seed'
FROM generate_series(1, $1::bigint) AS n
"""
_TIMERS = f"""
INSERT INTO timers (workspace, approval_id, kind, due_at, leased_until)
SELECT '{WORKSPACE}', '2' || lpad(n::text, 26, '0'), 'expire', now(), 'infinity'
FROM generate_series(1, $1::bigint) AS n
"""


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    due = QUICK_DUE if bench.quick else DUE
    dsn = await bench.servers.database(migrated=True)
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "placet"})
    try:
        bench.step(f"11 making {due:,} timers")
        await _seed(connection, due)
        async with placet(["decision"], dsn=dsn, **bench.environment) as ours:
            figures = await _measure(bench, connection, ours.port, due)
    finally:
        await connection.close()
    await bench.servers.drop(dsn)
    return figures


async def _measure(bench: Bench, connection: Connection, port: int, due: int) -> list[Figure]:
    alone: list[dict[str, float]] = []
    beside: list[dict[str, float]] = []
    rates: list[float] = []
    for place in range(bench.rounds):
        bench.step(f"11 timers, round {place + 1}")
        await _let_go(connection, go=False)
        alone.append(await load(bench, [port], "/v1/approvals", asks=True, clients=CLIENTS))
        await _let_go(connection, go=True)
        before, begun = await _left(connection), time.monotonic()
        beside.append(await load(bench, [port], "/v1/approvals", asks=True, clients=CLIENTS))
        left = await _left(connection)
        if not left:
            raise Failed(f"{due:,} timers are too few: they had drained before the requests ended")
        rates.append((before - left) / (time.monotonic() - begun))
    bench.step("11 timers, the rest of them")
    alone_rate = await _drained(connection)
    expired = await connection.fetchval(
        "SELECT count(*) FROM events WHERE type = 'approval.expired'"
    )
    if expired != due:
        raise Failed(f"{expired:,} of {due:,} approvals have expired")
    what = f"new requests over HTTP, {CLIENTS} clients, while {due:,} timers that are due drain"
    return [
        Figure(
            row=11,
            what=f"{what}: {name}",
            unit="ms",
            ours=Side("Placet", _milliseconds(beside, name)),
            other=Side("with none due", _milliseconds(alone, name)),
            held_to=bound,
            direction="at most",
        )
        for name, bound in (("p50", SLOWER_P50), ("p99", SLOWER_P99))
    ] + [
        Figure(
            row=11,
            what="the same: timers that fire beside the requests",
            unit="1/s",
            ours=Side("Placet", tuple(rates)),
            other=Side("with no requests", (alone_rate,) * len(rates)),
        )
    ]


async def _seed(connection: Connection, due: int) -> None:
    ask = ask_of(0)
    over = replace(ask, now=ask.now - timedelta(days=1), expires_at=ask.now - timedelta(hours=1))
    (asked,) = decide(over, fold(()))
    name, schema_version, data = encode(asked)
    await connection.execute(_EVENTS, due, name, schema_version, data.decode(), timeout=120)
    await connection.execute(_TIMERS, due, timeout=120)
    await connection.execute("VACUUM (ANALYZE) events", timeout=120)


async def _let_go(connection: Connection, *, go: bool) -> None:
    """Make every timer due, or none; the rows that this leaves behind are cleared away."""
    await connection.execute(
        "UPDATE timers SET leased_until = $1::text::timestamptz",
        "-infinity" if go else "infinity",
        timeout=120,
    )
    await connection.execute("VACUUM (ANALYZE) timers", timeout=120)
    await asyncio.sleep(SETTLED_S)


async def _left(connection: Connection) -> int:
    left: int = await connection.fetchval("SELECT count(*) FROM timers WHERE kind = 'expire'")
    return left


async def _drained(connection: Connection) -> float:
    """Wait until none is left, and return how many went a second."""
    before, begun = await _left(connection), time.monotonic()
    while await _left(connection):
        if time.monotonic() - begun > DRAINED_S:
            raise Failed(f"{await _left(connection):,} timers are left after {DRAINED_S:g} s")
        await asyncio.sleep(0.2)
    return before / (time.monotonic() - begun)


def _milliseconds(measured: list[dict[str, float]], name: str) -> tuple[float, ...]:
    return tuple(1000 * one[name] for one in measured)
