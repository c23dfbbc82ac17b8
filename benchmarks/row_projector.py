"""Row 6: the publisher and the projector catching up by Kafka, and the read models rebuilt."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import asyncpg
import httpx2

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import Running, placet
from benchmarks.seeds import seed_events
from services.embedded.ports import HOST

PATIENCE_S = 120.0
LOOK_EVERY_S = 0.05
HANDLED = 'placet_consumer_handled{group="placet.projector"} '


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    seeded = await bench.servers.database(migrated=True)
    bench.step("6 filling a store with events")
    events = await seed_events(seeded, bench.events)
    rates: dict[str, list[float]] = {}
    for place in range(bench.rounds):
        bench.step(f"6 catching up and rebuilding, round {place + 1}")
        await bench.servers.fresh_topics()
        dsn = await bench.servers.copy(seeded)
        for name, rate in (
            ("publisher", await _published(bench, dsn, events)),
            ("projector", await _projected(bench, dsn, events)),
            ("plain", await _rebuilt("plain", dsn)),
            ("rebuild", await _rebuilt("ours", dsn)),
        ):
            rates.setdefault(name, []).append(rate)
        await bench.servers.drop(dsn)
    await bench.servers.drop(seeded)
    return [
        Figure(
            row=6,
            what="projector catches up from Kafka, two events an approval",
            unit="events/s",
            ours=Side("Placet", tuple(rates["projector"])),
            held_to=30_000.0,
        ),
        Figure(
            row=6,
            what="rebuild of every read model from the store",
            unit="events/s",
            ours=Side("Placet", tuple(rates["rebuild"])),
            other=Side("plain loop into one table, overlapped", tuple(rates["plain"])),
            held_to=0.5,
        ),
        Figure(
            row=6,
            what="publisher catches up: store, log, Kafka",
            unit="events/s",
            ours=Side("Placet", tuple(rates["publisher"])),
        ),
    ]


async def _published(bench: Bench, dsn: str, events: int) -> float:
    connection = await asyncpg.connect(dsn)
    try:

        async def published() -> float:
            return float(await connection.fetchval("SELECT published FROM placet.publisher_cursor"))

        async with placet(["publisher"], dsn=dsn, **bench.environment):
            return await _pace(published, events)
    finally:
        await connection.close()


async def _projected(bench: Bench, dsn: str, events: int) -> float:
    async with (
        placet(["projector"], dsn=dsn, **bench.environment) as running,
        httpx2.AsyncClient() as client,
    ):
        return await _pace(lambda: _handled(client, running), events)


async def _handled(client: httpx2.AsyncClient, running: Running) -> float:
    answer = await client.get(f"http://{HOST}:{running.port}/metrics", timeout=10)
    for line in answer.text.splitlines():
        if line.startswith(HANDLED):
            return float(line.removeprefix(HANDLED))
    return 0.0


async def _pace(count: Callable[[], Awaitable[float]], events: int) -> float:
    """Events a second from the first look that shows some until all are there."""
    until = time.monotonic() + PATIENCE_S
    first: tuple[float, float] | None = None
    while True:
        found, now = await count(), time.perf_counter()
        if found and first is None:
            first = found, now
        if first is not None and found >= events:
            if now == first[1]:
                raise processes.Failed(f"{events} events are too few to be timed")
            return (found - first[0]) / (now - first[1])
        if time.monotonic() > until:
            raise processes.Failed(f"only {found:g} of {events} events came through in time")
        await asyncio.sleep(LOOK_EVERY_S)


async def _rebuilt(what: str, dsn: str) -> float:
    measured = await processes.told(
        "benchmarks.rebuilding", {"what": what, "dsn": dsn}, timeout_s=PATIENCE_S
    )
    return float(measured["per_second"])
