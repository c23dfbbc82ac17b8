"""Row 9: outcomes told to 100 endpoints of which 10 hang, and how late the healthy ones hear.

Each outcome goes to one endpoint, the callback that its approval names; each endpoint is a port of
its own. Outcomes are appended to the store in batches, and take the way of the product from there:
publisher, Kafka, webhooks. How late they are is counted from just before the append.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2

from benchmarks import processes
from benchmarks.bench import Bench
from benchmarks.measure import Figure, Side
from benchmarks.processes import Running, cpu_seconds, placet, program, ready
from services.embedded.ports import HOST, free_port

HEALTHY = 90
HANGING = 10
PER_SECOND = 1000.0
SECONDS = 8.0
QUICK_SECONDS = 3.0
BACKLOG = 10_000
QUICK_BACKLOG = 3000
PATIENCE_S = 60.0
LOOK_EVERY_S = 0.1
LATE_MS = 250.0
KEEPS_UP = 0.99

Taken = dict[str, Any]


class Receiver:
    """The endpoints, and what came to them."""

    def __init__(self, running: Running, client: httpx2.AsyncClient) -> None:
        self.running = running
        self._client = client
        self.healthy: list[str] = []
        self.hanging: list[str] = []

    async def begin(self) -> None:
        """Learn where the endpoints are."""
        ports = await self._said("/ports")
        self.healthy = [f"http://{HOST}:{port}/hook" for port in ports["healthy"]]
        self.hanging = [f"http://{HOST}:{port}/hook" for port in ports["hanging"]]

    async def came(self) -> int:
        """Return how many different messages came since `taken` was asked."""
        return int((await self._said("/came"))["ids"])

    async def taken(self) -> Taken:
        """Return what came since the last question."""
        return await self._said("/taken")

    async def _said(self, path: str) -> dict[str, Any]:
        answer = await self._client.get(f"http://{HOST}:{self.running.port}{path}", timeout=30)
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def receiver(bench: Bench) -> AsyncIterator[Receiver]:
    """Run the endpoints while the context lasts."""
    port = free_port()
    log = bench.servers.folder / f"webhook-receiver-{port}.log"
    command = [sys.executable, "-m", "benchmarks.webhook_receiver"]
    arguments = [str(port), str(HEALTHY), str(HANGING)]
    async with (
        program([*command, *arguments], port, log, processes.unset()) as running,
        httpx2.AsyncClient() as client,
    ):
        await ready(running, log, "/healthz")
        found = Receiver(running, client)
        await found.begin()
        yield found


async def row(bench: Bench) -> list[Figure]:
    """Measure it."""
    dsn = await bench.servers.database(migrated=True)
    rounds: dict[str, list[float]] = {
        name: [] for name in ("p50", "p99", "rate", "due", "catching up", "bare")
    }
    cpu = 0.0
    async with (
        receiver(bench) as endpoints,
        placet(["publisher"], dsn=dsn, **bench.environment),
    ):
        for place in range(bench.rounds):
            bench.step(f"9 webhooks, round {place + 1}")
            async with _webhooks(bench, dsn) as ours:
                if not place:
                    await _sign(ours)
                before = cpu_seconds(ours.pid)
                paced = await _paced(bench, dsn, endpoints)
                cpu += cpu_seconds(ours.pid) - before
            rate, sample = await _caught_up(bench, dsn, endpoints)
            found = {
                "p50": 1000 * paced["p50"],
                "p99": 1000 * paced["p99"],
                "rate": paced["ids"] / paced["lasted"],
                "due": PER_SECOND * HEALTHY / (HEALTHY + HANGING),
                "catching up": rate,
                "bare": await _bare(bench, endpoints, sample),
            }
            for name, figure in found.items():
                rounds[name].append(figure)
    await bench.servers.drop(dsn)
    told = PER_SECOND * _seconds(bench) * bench.rounds
    return _figures({name: tuple(of) for name, of in rounds.items()}, 1e6 * cpu / told)


def _figures(rounds: dict[str, tuple[float, ...]], cpu_us: float) -> list[Figure]:
    many = f"{HEALTHY + HANGING} endpoints of which {HANGING} hang"
    paced = f"{PER_SECOND:g} outcomes a second to {many}, one endpoint each"
    return [
        Figure(
            row=9,
            what=f"{paced}: event appended until a healthy endpoint has it, p99",
            unit="ms",
            ours=Side("Placet", rounds["p99"]),
            held_to=LATE_MS,
            direction="at most",
            more={"p50_ms": Side("p50", rounds["p50"]).median, "cpu_us_an_outcome": cpu_us},
        ),
        Figure(
            row=9,
            what="the same: deliveries to the healthy endpoints",
            unit="1/s",
            ours=Side("Placet", rounds["rate"]),
            other=Side("what was due to them", rounds["due"]),
            held_to=KEEPS_UP,
        ),
        Figure(
            row=9,
            what=f"webhooks catch up with outcomes that Kafka kept, {HEALTHY} healthy endpoints",
            unit="1/s",
            ours=Side("Placet", rounds["catching up"]),
            other=Side("bare loop, the same client and body, no store", rounds["bare"]),
        ),
    ]


def _webhooks(bench: Bench, dsn: str) -> AbstractAsyncContextManager[Running]:
    more = {"PLACET_WEBHOOK_ALLOW": "127.0.0.0/8"}
    return placet(["webhooks"], dsn=dsn, more=more, **bench.environment)


async def _sign(webhooks: Running) -> None:
    """Make the secret of callbacks: without one they would go unsigned, and cost less."""
    url = f"http://{HOST}:{webhooks.port}/v1/webhooks/callback-secret"
    async with httpx2.AsyncClient() as client:
        answer = await client.post(url, headers={"Authorization": f"Bearer {processes.KEY}"})
        answer.raise_for_status()


def _seconds(bench: Bench) -> float:
    return QUICK_SECONDS if bench.quick else SECONDS


async def _paced(bench: Bench, dsn: str, endpoints: Receiver) -> Taken:
    """Feed outcomes at the pace, and return what came of all of them to the healthy endpoints."""
    urls = [*endpoints.healthy, *endpoints.hanging]
    await _outcomes(bench, dsn, int(PER_SECOND), urls)  # connections, plans and caches are warm
    warm = await _all_taken(endpoints, int(PER_SECOND) * HEALTHY // len(urls))
    outcomes = int(PER_SECOND * _seconds(bench))
    await _outcomes(bench, dsn, outcomes, urls)
    taken = await _all_taken(endpoints, outcomes * HEALTHY // len(urls))
    if not warm["hung"] + taken["hung"]:
        raise processes.Failed("nothing hung: the endpoints that should were not called")
    return taken


async def _caught_up(bench: Bench, dsn: str, endpoints: Receiver) -> tuple[float, str]:
    """Let outcomes pile up in Kafka, then start the service; return its pace, and a body."""
    outcomes = QUICK_BACKLOG if bench.quick else BACKLOG
    await _outcomes(bench, dsn, outcomes, endpoints.healthy, per_second=0.0)
    await endpoints.taken()
    async with _webhooks(bench, dsn):
        taken = await _all_taken(endpoints, outcomes)
    return taken["ids"] / taken["lasted"], taken["sample"]


async def _bare(bench: Bench, endpoints: Receiver, sample: str) -> float:
    plan = {"urls": endpoints.healthy, "body": sample, "seconds": bench.seconds}
    measured = await processes.told(
        "benchmarks.webhook_posts", plan, timeout_s=bench.seconds + PATIENCE_S
    )
    if measured["refused"]:
        raise processes.Failed(f"the bare loop was refused {measured['refused']:g} times")
    await endpoints.taken()
    return float(measured["per_second"])


async def _outcomes(
    bench: Bench, dsn: str, outcomes: int, urls: list[str], per_second: float = PER_SECOND
) -> None:
    plan = {"dsn": dsn, "outcomes": outcomes, "per_second": per_second, "urls": urls}
    measured = await processes.told("benchmarks.webhook_outcomes", plan, timeout_s=PATIENCE_S)
    if measured["behind"] > 1.0:
        bench.step(f"9 webhooks: the outcomes came {measured['behind']:.1f} s late")


async def _all_taken(endpoints: Receiver, deliveries: int) -> Taken:
    """Wait until so many came to the healthy endpoints, and return what is known of them."""
    until = time.monotonic() + PATIENCE_S
    while (came := await endpoints.came()) < deliveries:
        if time.monotonic() > until:
            raise processes.Failed(f"only {came} of {deliveries} webhooks came in time")
        await asyncio.sleep(LOOK_EVERY_S)
    return await endpoints.taken()
