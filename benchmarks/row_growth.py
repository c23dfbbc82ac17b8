"""Row 8: what an event costs with few and with many stored, and what a second replica brings."""

import asyncpg

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import cpu_seconds, placet, tree
from benchmarks.row_http import load

FLAT = 1.25
WARM_S = 0.7
"""The load that comes before it counts; see `benchmarks.load`."""
STEPS = {
    "append": "append, 100 a batch",
    "number": "number and chain",
    "publish": "read and publish",
    "project": "project, 500 a batch",
}


async def row(bench: Bench) -> list[Figure]:
    """Measure both."""
    return [*await _growth(bench), *await _replicas(bench)]


async def _growth(bench: Bench) -> list[Figure]:
    stored = {
        "few": await bench.servers.stored(bench.few, bench.step),
        "many": await bench.servers.stored(bench.stored, bench.step),
    }
    sizes = {name: await _events(dsn) for name, dsn in stored.items()}
    costs: dict[tuple[str, str], list[float]] = {}
    for place in range(bench.rounds):
        for name, dsn in stored.items():
            bench.step(f"8 cost an event with {sizes[name]:,} stored, round {place + 1}")
            await bench.servers.fresh_topics()
            # A copy of the small one: else it would grow by every round.
            used = await bench.servers.copy(dsn) if name == "few" else dsn
            plan = {
                "dsn": used,
                "kafka": bench.servers.kafka,
                "embedded_broker": bench.servers.embedded_broker,
                "events": bench.events // 3,
            }
            measured = await processes.told("benchmarks.growing", plan, timeout_s=120)
            for step, cost in measured.items():
                costs.setdefault((step, name), []).append(cost)
            if name == "few":
                await bench.servers.drop(used)
    return [
        Figure(
            row=8,
            what=f"cost an event with {sizes['many']:,} stored: {what}",
            unit="µs",
            ours=Side("Placet", tuple(costs[step, "many"])),
            other=Side(f"with {sizes['few']:,} stored", tuple(costs[step, "few"])),
            held_to=FLAT,
            direction="at most",
        )
        for step, what in STEPS.items()
    ]


async def _events(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        return int(await connection.fetchval("SELECT max(position) FROM placet.events"))
    finally:
        await connection.close()


async def _replicas(bench: Bench) -> list[Figure]:
    dsn = await bench.servers.database(migrated=True)
    one: list[float] = []
    two: list[float] = []
    used = {"decision": 0.0, "Postgres": 0.0}
    async with (
        placet(["decision"], dsn=dsn, **bench.environment) as first,
        placet(["decision"], dsn=dsn, **bench.environment) as second,
    ):
        postgres = bench.servers.postgres.pid
        for place in range(bench.rounds):
            bench.step(f"8 one and two decision processes, round {place + 1}")
            alone = await load(bench, [first.port], "/v1/approvals", asks=True)
            before = {pid: cpu_seconds(pid) for pid in tree(postgres)}
            deciding = cpu_seconds(first.pid) + cpu_seconds(second.pid)
            both = await load(bench, [first.port, second.port], "/v1/approvals", asks=True)
            used["decision"] += cpu_seconds(first.pid) + cpu_seconds(second.pid) - deciding
            used["Postgres"] += sum(cpu_seconds(pid) - cpu for pid, cpu in before.items())
            one.append(alone["per_second"])
            two.append(both["per_second"])
    await bench.servers.drop(dsn)
    loaded = bench.rounds * (bench.seconds + WARM_S)
    cores = ", ".join(f"{name} {cpu / loaded:.1f}" for name, cpu in used.items())
    return [
        Figure(
            row=8,
            what="durable requests over HTTP, two decision processes",
            unit="1/s",
            ours=Side("Placet", tuple(two)),
            other=Side("one decision process", tuple(one)),
            held_to=1.0,
            note=f"processor cores in use: {cores}",
        )
    ]
