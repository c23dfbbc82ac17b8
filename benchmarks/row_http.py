"""Row 1: durable requests a second over HTTP, beside a bare handler that does one INSERT each."""

from benchmarks import processes, tables
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import Running, bare, cpu_seconds, placet

CLIENTS = 32


async def load(
    bench: Bench, ports: list[int], path: str | list[str], **more: object
) -> dict[str, float]:
    """Send requests for one round and return what `benchmarks.load` measured."""
    plan = {
        "ports": ports,
        "clients": CLIENTS,
        "seconds": bench.seconds,
        "paths": [path] if isinstance(path, str) else path,
        "key": processes.KEY,
        **more,
    }
    measured = await processes.told("benchmarks.load", plan, timeout_s=bench.seconds + 60)
    if measured["refused"]:
        raise processes.Failed(f"{path}: {measured['refused']} of {measured['answers']} refused")
    return measured


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    dsn = await bench.servers.database(migrated=True)
    limit_dsn = await bench.servers.database(migrated=False)
    await tables.make(limit_dsn)
    async with (
        bare("insert", limit_dsn, folder=bench.servers.folder) as limit,
        placet(["decision"], dsn=dsn, **bench.environment) as ours,
    ):
        figures = await _measure(bench, limit, ours)
    await bench.servers.drop(dsn)
    await bench.servers.drop(limit_dsn)
    return figures


async def _measure(bench: Bench, limit: Running, ours: Running) -> list[Figure]:
    sides: dict[str, list[dict[str, float]]] = {"limit": [], "ours": [], "keyed": []}
    cpu = 0.0
    for place in range(bench.rounds):
        bench.step(f"1 requests over HTTP, round {place + 1}")
        sides["limit"].append(await load(bench, [limit.port], "/v1/approvals", asks=True))
        before = cpu_seconds(ours.pid)
        sides["ours"].append(await load(bench, [ours.port], "/v1/approvals", asks=True))
        cpu += cpu_seconds(ours.pid) - before
        sides["keyed"].append(
            await load(bench, [ours.port], "/v1/approvals", asks=True, idempotent=True)
        )
    bare_side = Side("bare Starlette, one INSERT each", _rates(sides["limit"]))
    answers = sum(one["answers"] for one in sides["ours"])
    return [
        Figure(
            row=1,
            what="durable requests over HTTP, 32 clients, one decision process",
            unit="1/s",
            ours=Side("Placet", _rates(sides["ours"])),
            other=bare_side,
            held_to=1.0,
            note="no peer serves this over HTTP",
            more={
                "p50_ms": _middle(sides["ours"], "p50"),
                "p99_ms": _middle(sides["ours"], "p99"),
                "bare_p50_ms": _middle(sides["limit"], "p50"),
                "bare_p99_ms": _middle(sides["limit"], "p99"),
                "cpu_us_a_request": 1e6 * cpu / max(1.0, answers),
            },
        ),
        Figure(
            row=1,
            what="the same, each with an Idempotency-Key",
            unit="1/s",
            ours=Side("Placet", _rates(sides["keyed"])),
            other=bare_side,
        ),
    ]


def _rates(measured: list[dict[str, float]]) -> tuple[float, ...]:
    return tuple(one["per_second"] for one in measured)


def _middle(measured: list[dict[str, float]], name: str) -> float:
    return 1000 * Side(name, tuple(one[name] for one in measured)).median
