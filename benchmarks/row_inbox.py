"""Row 13: the inbox of somebody for whom 10,000 approvals wait: until its first byte, and its size.

One browser that reads one page after the other, as a person does; beside the inbox a search that
finds nothing among what it looks through, which is the most work that a page can be.
"""

import time

import asyncpg
import httpx2

from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side, quantile
from benchmarks.processes import Failed, placet
from benchmarks.seeds import seed
from services.embedded.ports import HOST

WAITING = 10_000
BURIED = "buried@example.com"
READS = 60
QUICK_READS = 10
FIRST_BYTE_MS = 50.0
PAGE_KB = 60.0
TIMEOUT_S = 300.0
PATHS = {
    "inbox": "/inbox",
    "narrowed": "/inbox?urgency=medium&type=expense",
    "search": "/inbox?q=nothing-has-this-title",
}
_BURY = """
WITH one AS (
    SELECT l.approval_id, l.doc, q.approver
    FROM approval_list l JOIN pending_queue q USING (workspace, approval_id)
    WHERE l.status = 'pending' LIMIT 1
),
waiting AS (
    UPDATE approval_list l SET status = 'pending', version = 1,
        doc = replace(replace(one.doc, one.approval_id, l.approval_id), one.approver, $1)
    FROM one
    RETURNING l.workspace, l.approval_id
),
asked AS (
    INSERT INTO approval_approvers SELECT workspace, $1, approval_id FROM waiting
)
INSERT INTO pending_queue SELECT workspace, $1, 1, approval_id FROM waiting
"""


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    dsn = await bench.servers.database(migrated=True)
    await seed(dsn, WAITING, bench.step)
    await _bury(dsn)
    reads = QUICK_READS if bench.quick else READS
    first: dict[str, list[list[float]]] = {name: [] for name in PATHS}
    sizes: list[float] = []
    async with placet(
        ["queue", "decision"], dsn=dsn, more={"PLACET_DEV_LOGIN": "1"}, **bench.environment
    ) as ours:
        url = f"http://{HOST}:{ours.port}"
        async with httpx2.AsyncClient(base_url=url, timeout=30) as browser:
            signed_in = await browser.post("/login", data={"email": BURIED})
            if signed_in.status_code != httpx2.codes.SEE_OTHER:
                raise Failed(f"nobody could sign in: {signed_in.text[:500]}")
            for place in range(bench.rounds):
                bench.step(f"13 the inbox, round {place + 1}")
                for name, path in PATHS.items():
                    taken = [await _read(browser, path, sizes) for _ in range(reads)]
                    first[name].append(taken)
    await bench.servers.drop(dsn)
    return _figures(first, sizes)


async def _bury(dsn: str) -> None:
    """Let all that is stored wait for one person."""
    connection = await asyncpg.connect(
        dsn, command_timeout=TIMEOUT_S, server_settings={"search_path": "placet"}
    )
    try:
        await connection.execute(_BURY, BURIED)
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def _read(browser: httpx2.AsyncClient, path: str, sizes: list[float]) -> float:
    """Return after how many milliseconds a page begins."""
    begun = time.perf_counter()
    async with browser.stream("GET", path) as answer:
        taken = 1000 * (time.perf_counter() - begun)
        body = await answer.aread()
    if answer.status_code != httpx2.codes.OK or f"{WAITING:,} approvals wait" not in answer.text:
        raise Failed(f"{path}: {answer.status_code}\n{answer.text[:500]}")
    sizes.append(len(body) / 1000)
    return taken


def _figures(first: dict[str, list[list[float]]], sizes: list[float]) -> list[Figure]:
    def side(name: str, q: float) -> Side:
        return Side("Placet", tuple(quantile(one, q) for one in first[name]))

    what = f"GET /inbox with {WAITING:,} waiting for its reader"
    figures = [
        Figure(
            row=13,
            what=f"{what}, first byte, p{round(100 * q)}",
            unit="ms",
            ours=side("inbox", q),
            held_to=FIRST_BYTE_MS,
            direction="at most",
        )
        for q in (0.5, 0.99)
    ]
    figures.append(
        Figure(
            row=13,
            what=f"{what}, its size",
            unit="kB",
            ours=Side("Placet", (max(sizes),)),
            held_to=PAGE_KB,
            direction="at most",
        )
    )
    figures += [
        Figure(row=13, what=f"the same, {said}, first byte, p50", unit="ms", ours=side(name, 0.5))
        for name, said in (
            ("narrowed", "narrowed to a type and an urgency"),
            ("search", "a search that finds nothing among the 5,000 it looks through"),
        )
    ]
    return figures
