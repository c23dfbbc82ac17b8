"""A program: opens many waits, decides some, and prints how long each answer took, as JSON."""

import asyncio
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from secrets import token_hex

import msgspec
import uvloop

from benchmarks.asks import APPROVER, ask_json
from benchmarks.http_client import Connection, request
from benchmarks.measure import quantile
from benchmarks.processes import resident_bytes

HOST = "127.0.0.1"
WAIT_S = 60
ASKERS = 32
DECIDERS = 16
CONNECTING = 200
"""Connections that are opened at once: more would only queue in the kernel."""
SETTLE_S = 1.0
ANSWERED_S = 30.0
DECISION = msgspec.json.encode({"decision": "approve", "approver": APPROVER})
FINAL = b'"status":"approved"'


class Plan(msgspec.Struct):
    """How many waits to open where, and how fast to decide; `asks` asks for real approvals first.

    `pid` is the process that holds the waits.
    """

    queue_port: int
    decision_port: int
    pid: int
    key: str
    waits: int
    per_second: float
    seconds: float
    asks: bool


class Measured(msgspec.Struct):
    """Times in seconds. `answered` and `last` are of all waits for one and the same approval."""

    p50: float
    p99: float
    decided: int
    opened: float
    bytes_a_wait: float
    answered_p50: float
    answered_p99: float
    last: float


class _Wait(asyncio.Protocol):
    """One connection that waits, and notes when its answer came."""

    def __init__(self, whole: bytes, answered: "asyncio.Semaphore") -> None:
        self._whole = whole
        self._answered = answered
        self._transport: asyncio.BaseTransport | None = None
        self.answer = b""
        self.at: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        self._transport = transport
        transport.write(self._whole)  # type: ignore[attr-defined] # it can

    def data_received(self, data: bytes) -> None:
        """Note the time of the first byte."""
        if self.at is None:
            self.at = time.perf_counter()
            self._answered.release()
        self.answer += data

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


class _Waits:
    """All connections that wait; who asks is one of many who would each have their own."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.answered = asyncio.Semaphore(0)
        self.opened = 0.0

    async def open(self, approval_ids: Sequence[str]) -> list[_Wait]:
        """Open one wait for each id, and come back when the server has looked at all of them."""
        begun = time.perf_counter()
        connecting = asyncio.Semaphore(CONNECTING)
        loop = asyncio.get_running_loop()

        async def one(approval_id: str) -> _Wait:
            path = f"/v1/approvals/{approval_id}/wait?timeout={WAIT_S}"
            whole = request("GET", path, self._plan.key)
            async with connecting:
                _, wait = await loop.create_connection(
                    lambda: _Wait(whole, self.answered), HOST, self._plan.queue_port
                )
            return wait

        waits = await asyncio.gather(*(one(approval_id) for approval_id in approval_ids))
        # It is answered after all that came before it.
        probe = await Connection.open(HOST, self._plan.queue_port)
        await probe.call(request("GET", "/healthz", self._plan.key))
        probe.close()
        self.opened = time.perf_counter() - begun
        return waits


async def run(plan: Plan) -> Measured:
    """Wait for as many approvals as there are waits, then all for the same one."""
    _allow_files(plan.waits + 200)
    ids = (
        await _asked(plan, plan.waits) if plan.asks else [token_hex(13) for _ in range(plan.waits)]
    )
    await asyncio.sleep(SETTLE_S)
    before = resident_bytes(plan.pid)
    each = _Waits(plan)
    with _closed(await each.open(ids)) as waits:
        await asyncio.sleep(SETTLE_S)
        grown = resident_bytes(plan.pid) - before
        many = min(len(waits), int(plan.per_second * plan.seconds))
        decided = await _decided(plan, ids[:many])
        await _answers(each, many)
        taken = [_taken(wait, at) for wait, at in zip(waits, decided, strict=False)]
    await asyncio.sleep(SETTLE_S)
    together = _Waits(plan)
    with _closed(await together.open([ids[-1]] * plan.waits)) as waits:
        await asyncio.sleep(SETTLE_S)
        (at,) = await _decided(plan, ids[-1:])
        await _answers(together, plan.waits)
        all_at_once = [_taken(wait, at) for wait in waits]
    return Measured(
        p50=quantile(taken, 0.5),
        p99=quantile(taken, 0.99),
        decided=len(taken),
        opened=each.opened,
        bytes_a_wait=grown / plan.waits,
        answered_p50=quantile(all_at_once, 0.5),
        answered_p99=quantile(all_at_once, 0.99),
        last=max(all_at_once),
    )


def _allow_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in {soft, hard} and hard < wanted:
        raise RuntimeError(f"this machine allows {hard} open files, and {wanted} are needed")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _closed(waits: list[_Wait]) -> Iterator[list[_Wait]]:
    try:
        yield waits
    finally:
        for wait in waits:
            wait.close()


async def _asked(plan: Plan, many: int) -> list[str]:
    """Ask for approvals and return their ids."""
    numbers = count(time.time_ns() // 1000)
    ids: list[str] = []

    async def client() -> None:
        connection = await Connection.open(HOST, plan.decision_port)
        while len(ids) < many:
            whole = request("POST", "/v1/approvals", plan.key, ask_json(next(numbers)))
            ids.append(msgspec.json.decode(await _ok(connection, whole))["id"])
        connection.close()

    await asyncio.gather(*(client() for _ in range(ASKERS)))
    return ids[:many]


async def _decided(plan: Plan, approval_ids: Sequence[str]) -> list[float]:
    """Decide at an even pace, and return when each decision was answered."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(min(DECIDERS, len(approval_ids))):
        free.put_nowait(await Connection.open(HOST, plan.decision_port))
    answered: dict[str, float] = {}

    async def decide(connection: Connection, approval_id: str) -> None:
        path = f"/v1/approvals/{approval_id}/decision"
        await _ok(connection, request("POST", path, plan.key, DECISION))
        answered[approval_id] = time.perf_counter()
        free.put_nowait(connection)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, approval_id in enumerate(approval_ids):
            await asyncio.sleep(begun + number / plan.per_second - time.perf_counter())
            group.create_task(decide(await free.get(), approval_id))
    while not free.empty():
        free.get_nowait().close()
    return [answered[approval_id] for approval_id in approval_ids]


async def _ok(connection: Connection, whole: bytes) -> bytes:
    status, body = await connection.call(whole)
    if not 200 <= status < 300:
        raise RuntimeError(f"{whole.split(b' HTTP', 1)[0]!r}: {status} {body!r}")
    return body


async def _answers(waits: _Waits, many: int) -> None:
    """Wait until so many are answered; raises TimeoutError."""
    async with asyncio.timeout(ANSWERED_S):
        for _ in range(many):
            await waits.answered.acquire()
    await asyncio.sleep(0.1)  # for what comes after the first byte


def _taken(wait: _Wait, decided_at: float) -> float:
    """Return how long an answer took; 0 for one that came before that of the decision."""
    if wait.at is None or FINAL not in wait.answer:
        raise RuntimeError(f"a wait was answered {wait.answer[:300]!r}")
    return max(0.0, wait.at - decided_at)


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
