"""Rows 3 and 4: whole lives of approvals a second, and how long the waits in one are."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks import processes, tables
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import Running, cpu_seconds, placet
from services.bootstrap.wiring import WIRES

SPLIT = ("decision", "queue", "publisher", "projector")
CLIENTS = 64
PEER_CLIENTS = 8
CALM_PER_S = 20.0
CALM_CLIENTS = 40
CONFIG = "channels: [inbox]\n"


@dataclass(frozen=True, slots=True)
class Deployment:
    """Every service, running; `all` once each process."""

    decision: Running
    queue: Running
    all: tuple[Running, ...]

    def cpu(self) -> float:
        """Processor time of all of it so far."""
        return sum(cpu_seconds(one.pid) for one in self.all)


@asynccontextmanager
async def deployed(bench: Bench, dsn: str, *, split: bool) -> AsyncIterator[Deployment]:
    """Run every service that this release has, in processes of their own or in one together."""
    config = bench.servers.folder / "placet.yaml"
    config.write_text(CONFIG)
    more = {"PLACET_CONFIG": str(config)}
    names = [*SPLIT, *(["notifier"] if "notifier" in WIRES else [])]
    groups = [[name] for name in names] if split else [names]
    async with AsyncExitStack() as stack:
        running: dict[str, Running] = {}
        for group in groups:
            one = await stack.enter_async_context(
                placet(group, dsn=dsn, more=more, **bench.environment)
            )
            running |= dict.fromkeys(group, one)
        unique = {one.pid: one for one in running.values()}
        yield Deployment(running["decision"], running["queue"], tuple(unique.values()))


async def _lives(bench: Bench, running: Deployment, **more: float) -> dict[str, float]:
    plan = {
        "decision_port": running.decision.port,
        "queue_port": running.queue.port,
        "kafka": bench.servers.kafka,
        "embedded_broker": bench.servers.embedded_broker,
        "key": processes.KEY,
        "clients": CLIENTS,
        "seconds": bench.seconds,
        **more,
    }
    return await processes.told("benchmarks.lives", plan, timeout_s=plan_seconds(plan))


def plan_seconds(plan: dict[str, object]) -> float:
    """How long a round may take at the most."""
    return float(str(plan["seconds"])) + 90


async def row(bench: Bench) -> list[Figure]:
    """Measure row 3."""
    dsn = await bench.servers.database(migrated=True)
    limit_dsn = await bench.servers.database(migrated=False)
    await tables.make(limit_dsn)
    rates: dict[str, list[float]] = {
        name: [] for name in ("split", "one", "limit", "eventsourcing", "dbos")
    }
    looks: list[float] = []
    cost = passed_over = 0.0
    for place in range(bench.rounds):
        bench.step(f"3 whole lives, round {place + 1}")
        rates["limit"].append(await _limit(bench, limit_dsn))
        for name in ("split", "one"):
            async with deployed(bench, dsn, split=name == "split") as running:
                before = running.cpu()
                measured = await _lives(bench, running)
                rates[name].append(measured["per_second"])
                if name == "split":
                    looks.append(measured["looks_a_life"])
                    cost += (running.cpu() - before) / max(1.0, measured["lives"])
        for peer in ("eventsourcing", "dbos"):
            found = await _peer(bench, peer)
            rates[peer].append(found["per_second"])
            passed_over += found.get("passed_over", 0.0)
    await bench.servers.drop(dsn)
    await bench.servers.drop(limit_dsn)
    return _figures(
        rates,
        {
            "looks_a_life": looks[-1],
            "cpu_us_a_life": 1e6 * cost / bench.rounds,
            "passed_over": passed_over,
        },
    )


def _figures(rates: dict[str, list[float]], more: dict[str, float]) -> list[Figure]:
    what = "whole lives, every service, each in a process of its own"
    split = Side("Placet", tuple(rates["split"]))
    beside = (
        ("the same steps by bare asyncpg, no broker, no HTTP", "limit", 0.4),
        (f"eventsourcing, {PEER_CLIENTS} clients", "eventsourcing", 4.0),
        (f"dbos, {PEER_CLIENTS} clients", "dbos", 15.0),
    )
    figures = [
        Figure(
            row=3,
            what=what,
            unit="1/s",
            ours=split,
            other=Side(name, tuple(rates[key])),
            held_to=held_to,
            note=f"its projection passed over {more['passed_over']:g} events"
            if key == "eventsourcing" and more["passed_over"]
            else "",
            more=dict(more) if key == "limit" else {},
        )
        for name, key, held_to in beside
    ]
    return [
        *figures,
        Figure(
            row=3,
            what="the same, all services in one process, as in `placet up`",
            unit="1/s",
            ours=Side("Placet", tuple(rates["one"])),
            other=Side(beside[0][0], tuple(rates["limit"])),
        ),
    ]


async def _limit(bench: Bench, dsn: str) -> float:
    plan = {"what": "lives", "dsn": dsn, "connections": PEER_CLIENTS, "seconds": bench.seconds}
    measured = await processes.told("benchmarks.limits", plan, timeout_s=bench.seconds + 60)
    return float(measured["per_second"])


async def _peer(bench: Bench, name: str) -> dict[str, float]:
    dsn = await bench.servers.database(migrated=False)
    plan = {"what": "lives", "dsn": dsn, "writers": PEER_CLIENTS, "seconds": bench.seconds}
    measured = await processes.told(f"benchmarks.peer_{name}", plan, timeout_s=bench.seconds + 90)
    await bench.servers.drop(dsn)
    return measured


async def calm_row(bench: Bench) -> list[Figure]:
    """Measure row 4."""
    dsn = await bench.servers.database(migrated=True)
    seconds = 5.0 if bench.quick else 15.0
    found: list[dict[str, float]] = []
    async with deployed(bench, dsn, split=True) as running:
        for place in range(bench.rounds):
            bench.step(f"4 waits at low load, round {place + 1}")
            found.append(
                await _lives(
                    bench,
                    running,
                    clients=CALM_CLIENTS,
                    seconds=seconds,
                    per_second=CALM_PER_S,
                    pause=0.002,
                )
            )
    await bench.servers.drop(dsn)
    return [
        Figure(
            row=4,
            what=f"{what}, {name}, {CALM_PER_S:g} a second",
            unit="ms",
            ours=Side("Placet", tuple(1000 * one[f"{key}_{name}"] for one in found)),
            held_to=held_to,
            direction="at most",
        )
        for key, what in (
            ("visible", "asked until it stands in GET /v1/queue"),
            ("told", "decided until it is read on approval.decided"),
        )
        for name, held_to in (("p50", 20.0), ("p99", 60.0))
    ]
