"""Row 10: open waits in one queue process, and how soon each hears of its decision."""

import sys

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import Running, cpu_seconds, placet, program, ready
from services.embedded.ports import free_port

WAITS = 5000
QUICK_WAITS = 500
PER_SECOND = 50.0
SECONDS = 8.0
QUICK_SECONDS = 2.0

Measured = list[dict[str, float]]


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    dsn = await bench.servers.database(migrated=True)
    port = free_port()
    log = bench.servers.folder / f"bare-waits-{port}.log"
    command = [sys.executable, "-m", "benchmarks.bare_waits", str(port)]
    ours: Measured = []
    limit: Measured = []
    cpu = 0.0
    async with (
        program(command, port, log, processes.unset()) as bare,
        placet(["decision"], dsn=dsn, **bench.environment) as decision,
        placet(["publisher", "projector"], dsn=dsn, **bench.environment),
        placet(["queue"], dsn=dsn, **bench.environment) as queue,
    ):
        await ready(bare, log, "/healthz")
        for place in range(bench.rounds):
            bench.step(f"10 waits, round {place + 1}")
            limit.append(await _waits(bench, bare, bare, asks=False))
            before = cpu_seconds(queue.pid)
            ours.append(await _waits(bench, queue, decision, asks=True))
            cpu += cpu_seconds(queue.pid) - before
    await bench.servers.drop(dsn)
    return _figures(bench, ours, limit, 1e6 * cpu / (2 * bench.rounds * _many(bench)))


async def _waits(
    bench: Bench, queue: Running, decision: Running, *, asks: bool
) -> dict[str, float]:
    plan = {
        "queue_port": queue.port,
        "decision_port": decision.port,
        "pid": queue.pid,
        "key": processes.KEY,
        "waits": _many(bench),
        "per_second": PER_SECOND,
        "seconds": QUICK_SECONDS if bench.quick else SECONDS,
        "asks": asks,
    }
    return await processes.told("benchmarks.waits", plan, timeout_s=240)


def _many(bench: Bench) -> int:
    return QUICK_WAITS if bench.quick else WAITS


def _figures(bench: Bench, ours: Measured, limit: Measured, cpu_us: float) -> list[Figure]:
    many = f"{_many(bench):,}"
    bare = "bare Starlette, an event in its memory"

    def side(name: str, measured: Measured, key: str, factor: float = 1000) -> Side:
        return Side(name, tuple(factor * one[key] for one in measured))

    paced = (
        f"{many} waits in one process, {PER_SECOND:g} decisions a second: decided until answered"
    )
    return [
        Figure(
            row=10,
            what=f"{paced}, p50",
            unit="ms",
            ours=side("Placet", ours, "p50"),
            direction="at most",
            more={"bare_ms": side(bare, limit, "p50").median},
        ),
        Figure(
            row=10,
            what=f"{paced}, p99",
            unit="ms",
            ours=side("Placet", ours, "p99"),
            held_to=100.0,
            direction="at most",
            note=f"{side(bare, limit, 'p99').median:.1f} ms for {bare}",
            more={
                "bare_ms": side(bare, limit, "p99").median,
                # Of the first round: a later one finds memory that the process holds already.
                "kib_a_wait": ours[0]["bytes_a_wait"] / 1024,
                "bare_kib_a_wait": limit[0]["bytes_a_wait"] / 1024,
                "cpu_us_a_wait": cpu_us,
            },
        ),
        Figure(
            row=10,
            what=f"{many} waits opened at once, until all are looked at",
            unit="s",
            ours=side("Placet", ours, "opened", 1),
            other=side(bare, limit, "opened", 1),
            direction="at most",
        ),
        Figure(
            row=10,
            what=f"{many} waits for the same approval, decided until the last is answered",
            unit="ms",
            ours=side("Placet", ours, "last"),
            other=side(bare, limit, "last"),
            direction="at most",
            more={
                "p50_ms": side("", ours, "answered_p50").median,
                "bare_p50_ms": side("", limit, "answered_p50").median,
            },
        ),
    ]
