"""A program: whole lives of approvals over HTTP and Kafka, as clients see them, printed as JSON.

Each life: ask, find it in the approver's queue, decide, hear of it on `approval.decided`.
"""

import asyncio
import secrets
import sys
import time
from itertools import count
from typing import Self

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.asks import ask_json
from benchmarks.http_client import Connection, request
from benchmarks.measure import quantile
from events.kafka.topics import DECIDED

HOST = "127.0.0.1"
TOLD_S = 30.0
ANSWER = msgspec.json.encode({"decision": "approve", "reason": "within the budget"})
SHORTER, LONGER = 0.98, 0.25
"""Each life found at the first look shortens the wait before the next life's first look by this
factor; each look in vain adds this part of a pause. So about one first look in five is in vain."""


class Plan(msgspec.Struct):
    """Where to ask, look and decide; with `per_second` lives begin at that pace, else at once.

    `pause` is the wait between two looks into the queue, in seconds.
    """

    decision_port: int
    queue_port: int
    kafka: str
    embedded_broker: bool
    key: str
    clients: int
    seconds: float
    per_second: float = 0.0
    pause: float = 0.02
    warm_s: float = 1.5


class _Listener:
    """The consumer of the other team: tells each life when its decision has come."""

    def __init__(self, plan: Plan) -> None:
        self._waiting: dict[bytes, asyncio.Future[float]] = {}
        self._plan = plan
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._plan.kafka,
            enable_auto_commit=False,
            fetch_max_wait_ms=20 if self._plan.embedded_broker else 100,
        )
        await consumer.start()
        partitions = await consumer._client._wait_on_metadata(DECIDED.name) and [  # noqa: SLF001 # nothing public waits for a topic's partitions
            TopicPartition(DECIDED.name, number)
            for number in consumer.partitions_for_topic(DECIDED.name) or ()
        ]
        consumer.assign(partitions)
        await consumer.seek_to_end()
        self._task = asyncio.create_task(self._listen(consumer))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def told(self, approval_id: str) -> float:
        """Return when the decision came; raises TimeoutError."""
        key = approval_id.encode()
        future = self._waiting.setdefault(key, asyncio.get_running_loop().create_future())
        async with asyncio.timeout(TOLD_S):
            at = await future
        del self._waiting[key]
        return at

    def expect(self, approval_id: str) -> None:
        """Listen for it from now on."""
        self._waiting[approval_id.encode()] = asyncio.get_running_loop().create_future()

    async def _listen(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                fetched = await consumer.getmany(timeout_ms=200)
                at = time.perf_counter()
                for records in fetched.values():
                    for record in records:
                        future = self._waiting.get(record.key)
                        if future is not None and not future.done():
                            future.set_result(at)
        finally:
            await consumer.stop()


class _Lives:
    def __init__(self, plan: Plan, listener: _Listener) -> None:
        self._plan = plan
        self._listener = listener
        self._numbers = count(time.time_ns() // 1000)
        self._first_look = 0.0
        self.begin = time.perf_counter() + plan.warm_s
        self.end = self.begin + plan.seconds
        self.ended = 0
        self.looks = 0
        self.visible: list[float] = []
        self.told: list[float] = []

    async def client(self) -> None:
        """Live one life after the other."""
        deciding = await Connection.open(HOST, self._plan.decision_port)
        reading = await Connection.open(HOST, self._plan.queue_port)
        while time.perf_counter() < self.end:
            await self._life(deciding, reading)
        deciding.close()
        reading.close()

    async def paced(self) -> None:
        """Begin lives at an even pace, whatever became of those before."""
        free: asyncio.Queue[tuple[Connection, Connection]] = asyncio.Queue()
        for _ in range(self._plan.clients):
            deciding = await Connection.open(HOST, self._plan.decision_port)
            free.put_nowait((deciding, await Connection.open(HOST, self._plan.queue_port)))
        begun = time.perf_counter()

        async def one(pair: tuple[Connection, Connection]) -> None:
            await self._life(*pair)
            free.put_nowait(pair)

        async with asyncio.TaskGroup() as group:
            for number in count():
                await asyncio.sleep(begun + number / self._plan.per_second - time.perf_counter())
                if time.perf_counter() >= self.end:
                    break
                group.create_task(one(await free.get()))

    async def _life(self, deciding: Connection, reading: Connection) -> None:
        approver = f"{secrets.token_hex(6)}@example.com"
        asked = time.perf_counter()
        body = ask_json(next(self._numbers), approver)
        approval = await _ok(deciding, request("POST", "/v1/approvals", self._plan.key, body))
        approval_id: str = msgspec.json.decode(approval)["id"]
        self._listener.expect(approval_id)
        durable = time.perf_counter()
        seen = await self._until_queued(reading, approver, durable)
        decided = time.perf_counter()
        path = f"/v1/approvals/{approval_id}/decision"
        whole = request(
            "POST", path, self._plan.key, ANSWER[:-1] + f',"approver":"{approver}"}}'.encode()
        )
        await _ok(deciding, whole)
        told = await self._listener.told(approval_id)
        if self.begin <= told < self.end:
            self.ended += 1
            self.visible.append(seen - asked)
            self.told.append(told - decided)

    async def _until_queued(self, reading: Connection, approver: str, durable: float) -> float:
        looking = request("GET", f"/v1/queue?approver={approver}", self._plan.key)
        until = durable + TOLD_S
        if self._plan.per_second == 0:
            # Who looks too early only burdens the server.
            await asyncio.sleep(self._first_look)
        self._first_look *= SHORTER
        while True:
            page = await _ok(reading, looking)
            self.looks += 1
            now = time.perf_counter()
            if b'"count":1' in page:
                return now
            self._first_look += LONGER * self._plan.pause
            if now > until:
                raise TimeoutError("an approval never came into the queue")
            await asyncio.sleep(self._plan.pause)


async def _ok(connection: Connection, whole: bytes) -> bytes:
    status, body = await connection.call(whole)
    if not 200 <= status < 300:
        raise RuntimeError(f"{whole.split(b' HTTP', 1)[0]!r}: {status} {body!r}")
    return body


async def run(plan: Plan) -> dict[str, float]:
    """Live lives, and return how many ended a second and how long their waits were."""
    async with _Listener(plan) as listener:
        lives = _Lives(plan, listener)
        if plan.per_second:
            await lives.paced()
        else:
            await asyncio.gather(*(lives.client() for _ in range(plan.clients)))
    return {
        "per_second": lives.ended / plan.seconds,
        "lives": float(lives.ended),
        "looks_a_life": lives.looks / max(1, len(lives.visible)),
        "visible_p50": quantile(lives.visible, 0.5),
        "visible_p99": quantile(lives.visible, 0.99),
        "told_p50": quantile(lives.told, 0.5),
        "told_p99": quantile(lives.told, 0.99),
    }


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
