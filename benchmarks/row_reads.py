"""Row 5: the queue and the list, 50 rows a page, beside bare handlers; few and many stored."""

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import bare, placet
from benchmarks.row_http import load
from benchmarks.seeds import READERS, WORKSPACE, reader

QUEUE = [f"/v1/queue?approver={reader(number)}" for number in range(READERS)]
PATHS = {"queue": QUEUE, "list": ["/v1/approvals"]}
WHAT = {"queue": "GET /v1/queue", "list": "GET /v1/approvals"}

Measured = dict[tuple[str, str], list[dict[str, float]]]


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    many = await bench.servers.stored(bench.stored, bench.step)
    few = await bench.servers.stored(bench.few, bench.step)
    folder = bench.servers.folder
    async with (
        bare("queue", many, WORKSPACE, folder=folder) as bare_queue,
        bare("list", many, WORKSPACE, folder=folder) as bare_list,
        placet(["queue"], dsn=many, **bench.environment) as ours,
        placet(["queue"], dsn=few, **bench.environment) as ours_few,
    ):
        limits = {"queue": bare_queue.port, "list": bare_list.port}
        measured: Measured = {}
        for place in range(bench.rounds):
            bench.step(f"5 reading, round {place + 1}")
            for what, paths in PATHS.items():
                for side, port in (
                    ("limit", limits[what]),
                    ("ours", ours.port),
                    ("few", ours_few.port),
                ):
                    found = await load(bench, [port], paths)
                    measured.setdefault((what, side), []).append(found)
    return _figures(bench, measured)


def _figures(bench: Bench, measured: Measured) -> list[Figure]:
    figures = []
    for what in PATHS:
        ours, limit = measured[what, "ours"], measured[what, "limit"]
        figures.append(
            Figure(
                row=5,
                what=f"{WHAT[what]}, 50 rows, {bench.stored:,} approvals stored",
                unit="1/s",
                ours=_side("Placet", ours, "per_second"),
                other=_side("bare Starlette, the same query", limit, "per_second"),
                held_to=0.8,
                more={
                    "bytes_each": ours[-1]["bytes_each"],
                    "bare_bytes_each": limit[-1]["bytes_each"],
                },
            )
        )
    figures += [
        Figure(
            row=5,
            what=f"{WHAT[what]}, p99 with {bench.stored:,} stored",
            unit="ms",
            ours=_side("Placet", measured[what, "ours"], "p99", 1000),
            other=_side(f"with {bench.few:,} stored", measured[what, "few"], "p99", 1000),
            held_to=1.5,
            direction="at most",
        )
        for what in PATHS
    ]
    return figures


def _side(name: str, measured: list[dict[str, float]], key: str, factor: float = 1) -> Side:
    return Side(name, tuple(factor * one[key] for one in measured))
