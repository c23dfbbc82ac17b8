"""Row 7: what `placet up` costs while nothing happens."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import PLACET, Running, cpu_seconds, resident_bytes, tree
from services.embedded.ports import free_port

SETTLE_S = 12.0
"""The demo's records are asked for and told of first: after that nothing happens."""
MIB = 1024 * 1024


@dataclass(slots=True)
class _Cost:
    """Processor time in seconds and memory in bytes of one kind of process."""

    cpu: float = 0.0
    memory: int = 0


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    folder = bench.servers.folder
    port = free_port()
    environ = {
        **processes.unset(),
        "PLACET_DATA_DIR": str(folder / f"up-{secrets.token_hex(4)}"),
        "PLACET_PORT": str(port),
        "PLACET_DEMO_PORT": str(free_port()),
    }
    log = folder / "up.log"
    watched = 4.0 if bench.quick else 20.0
    rounds: dict[str, list[_Cost]] = {}
    async with processes.program([str(PLACET), "up"], port, log, environ) as running:
        await processes.ready(running, log, "/readyz")
        await asyncio.sleep(3.0 if bench.quick else SETTLE_S)
        for place in range(1 if bench.quick else 2):
            bench.step(f"7 idle `placet up`, round {place + 1}")
            for kind, cost in (await _watch(running, watched)).items():
                rounds.setdefault(kind, []).append(cost)
    ours = rounds["placet"]
    return [
        Figure(
            row=7,
            what="idle `placet up`: processor, all services in one process",
            unit="% of a core",
            ours=Side("Placet", tuple(100 * cost.cpu / watched for cost in ours)),
            held_to=3.0,
            direction="at most",
            note=_note(rounds, watched),
        ),
        Figure(
            row=7,
            what="idle `placet up`: memory (resident)",
            unit="MiB",
            ours=Side("Placet", tuple(cost.memory / MIB for cost in ours)),
            held_to=200.0,
            direction="at most",
        ),
    ]


def _note(rounds: dict[str, list[_Cost]], watched: float) -> str:
    beside = [
        # No memory: what Postgres's processes share would be counted once for each of them.
        f"{kind} {100 * costs[-1].cpu / watched:.1f} %"
        for kind, costs in sorted(rounds.items())
        if kind != "placet"
    ]
    return "beside it: " + "; ".join(beside)


async def _watch(running: Running, seconds: float) -> dict[str, _Cost]:
    found = {pid: kind for pid in tree(running.pid) if (kind := _kind(pid, running.pid))}
    before = {pid: cpu_seconds(pid) for pid in found}
    await asyncio.sleep(seconds)
    costs: dict[str, _Cost] = {}
    for pid, kind in found.items():
        cost = costs.setdefault(kind, _Cost())
        # A process that ended meanwhile counts nothing; only Postgres's workers do that.
        cost.cpu += max(0.0, cpu_seconds(pid) - before[pid])
        cost.memory += resident_bytes(pid)
    return costs


def _kind(pid: int, root: int) -> str | None:
    if pid == root:
        return "placet"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    for word, kind in (("postgres", "Postgres"), ("acme_expenses", "demo"), ("tansu", "broker")):
        if word in command:
            return kind
    return "placet"
