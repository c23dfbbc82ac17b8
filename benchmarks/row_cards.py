"""Row 12: a decision by the API, until the card of every approver on every channel tells of it.

The channels are four that post to a vendor which takes 50 ms for each call; it notes when a card
was edited. Of the approvals that have cards some are decided, at an even pace.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence

import msgspec

from benchmarks import processes
from benchmarks.asks import ask
from benchmarks.bench import Bench
from benchmarks.http_client import Connection, request
from benchmarks.measure import Figure, Side, quantile
from benchmarks.processes import Failed, placet
from benchmarks.vendor_channels import CHANNELS
from services.embedded.ports import HOST
from tests.faults.vendor import URL, Message, Vendor

APPROVERS = ("ana@example.com", "bo@example.com", "cleo@example.com")
CARDS = len(CHANNELS) * len(APPROVERS)
LATENCY_S = 0.05
PER_SECOND = 5.0
DECIDED = 100
QUICK_DECIDED = 10
MORE = 50
"""Approvals beside them that stay open."""
ASKED_AT_ONCE = 16
PATIENCE_S = 120.0
LATE_MS = 2000.0
_COMMAND = (sys.executable, "-m", "benchmarks.vendor_channels")


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    decided = QUICK_DECIDED if bench.quick else DECIDED
    dsn = await bench.servers.database(migrated=True)
    p50: list[float] = []
    p99: list[float] = []
    async with Vendor(LATENCY_S) as vendor:
        vendors = {URL: vendor.url}
        async with (
            placet(["decision"], dsn=dsn, **bench.environment) as decision,
            placet(["publisher"], dsn=dsn, **bench.environment),
            placet(["notifier"], dsn=dsn, command=_COMMAND, more=vendors, **bench.environment),
        ):
            for place in range(bench.rounds):
                bench.step(f"12 cards, round {place + 1}")
                taken = await _round(vendor, decision.port, decided, place)
                p50.append(1000 * quantile(taken, 0.5))
                p99.append(1000 * quantile(taken, 0.99))
    await bench.servers.drop(dsn)
    what = (
        f"{PER_SECOND:g} decisions a second by the API, {len(CHANNELS)} channels of"
        f" {1000 * LATENCY_S:g} ms a call: decided until all {CARDS} cards of it say so"
    )
    return [
        Figure(
            row=12,
            what=f"{what}, p50",
            unit="ms",
            ours=Side("Placet", tuple(p50)),
            direction="at most",
        ),
        Figure(
            row=12,
            what=f"{what}, p99",
            unit="ms",
            ours=Side("Placet", tuple(p99)),
            held_to=LATE_MS,
            direction="at most",
        ),
    ]


async def _round(vendor: Vendor, port: int, decided: int, place: int) -> list[float]:
    """Return how many seconds each decision took to stand on all of its cards."""
    edited: dict[str, list[float]] = {}

    def note(message: Message) -> None:
        if message.shown == "settled":
            edited.setdefault(message.approval_id, []).append(time.perf_counter())

    vendor.on_update = note
    sent_before = len(vendor.messages)
    ids = await _asked(port, decided + MORE, place)
    await _until(lambda: len(vendor.messages) - sent_before >= CARDS * len(ids), "cards are out")
    at = await _decided(port, ids[:decided])
    await _until(
        lambda: all(len(edited.get(one, ())) >= CARDS for one in at), "cards tell of the decisions"
    )
    return [max(edited[one]) - began for one, began in at.items()]


async def _asked(port: int, many: int, place: int) -> list[str]:
    numbers = iter(range(place * many, (place + 1) * many))
    ids: list[str] = []

    async def client() -> None:
        connection = await Connection.open(HOST, port)
        for number in numbers:
            body = msgspec.json.encode({**ask(number), "approvers": APPROVERS})
            ids.append(msgspec.json.decode(await _call(connection, "", body))["id"])
        connection.close()

    await asyncio.gather(*(client() for _ in range(ASKED_AT_ONCE)))
    return ids


async def _decided(port: int, approval_ids: Sequence[str]) -> dict[str, float]:
    """Decide at an even pace, and return when each decision was answered."""
    answered: dict[str, float] = {}
    connection = await Connection.open(HOST, port)
    body = msgspec.json.encode({"decision": "approve", "approver": APPROVERS[0]})
    begun = time.perf_counter()
    for number, approval_id in enumerate(approval_ids):
        await asyncio.sleep(begun + number / PER_SECOND - time.perf_counter())
        await _call(connection, f"/{approval_id}/decision", body)
        answered[approval_id] = time.perf_counter()
    connection.close()
    return answered


async def _call(connection: Connection, path: str, body: bytes) -> bytes:
    status, content = await connection.call(
        request("POST", f"/v1/approvals{path}", processes.KEY, body)
    )
    if not 200 <= status < 300:
        raise Failed(f"POST {path}: {status} {content[:300]!r}")
    return content


async def _until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 # the vendor tells nobody
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise Failed(f"not within {PATIENCE_S:g} s: {what}") from None
