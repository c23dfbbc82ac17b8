"""A program: sends requests over kept connections for a while, and prints how it went as JSON."""

import asyncio
import sys
import time
from itertools import count, cycle

import msgspec
import uvloop

from benchmarks.asks import ask_json
from benchmarks.http_client import Connection, request
from benchmarks.measure import quantile

HOST = "127.0.0.1"


class Plan(msgspec.Struct):
    """What to send where: `asks` says to POST a new ask each time, else GET `paths` in turn.

    Clients are spread over the ports. `warm_s` at the beginning does not count.
    """

    ports: list[int]
    clients: int
    seconds: float
    paths: list[str]
    key: str
    asks: bool = False
    idempotent: bool = False
    warm_s: float = 0.7


class Measured(msgspec.Struct):
    """How it went, times in seconds; `refused` counts answers that were no 2xx."""

    per_second: float
    answers: int
    refused: int
    p50: float
    p99: float
    bytes_each: float


async def run(plan: Plan) -> Measured:
    """Send requests, each client the next one as soon as it has an answer."""
    numbers = count(time.time_ns() // 1000)  # below 2^53, as JSON wants it
    begin = time.perf_counter() + plan.warm_s
    end = begin + plan.seconds
    taken: list[float] = []
    refused = 0
    size = 0
    fixed = cycle([request("GET", path, plan.key) for path in plan.paths])

    def following() -> bytes:
        if not plan.asks:
            return next(fixed)
        number = next(numbers)
        whole = request("POST", plan.paths[0], plan.key, ask_json(number))
        if plan.idempotent:
            return whole.replace(b"\r\n", f"\r\nIdempotency-Key: {number}\r\n".encode(), 1)
        return whole

    async def client(port: int) -> None:
        nonlocal refused, size
        connection = await Connection.open(HOST, port)
        while (started := time.perf_counter()) < end:
            status, body = await connection.call(following())
            ended = time.perf_counter()
            if begin <= ended < end:
                taken.append(ended - started)
                size += len(body)
                refused += not 200 <= status < 300
        connection.close()

    clients = [client(plan.ports[place % len(plan.ports)]) for place in range(plan.clients)]
    await asyncio.gather(*clients)
    return Measured(
        per_second=len(taken) / plan.seconds,
        answers=len(taken),
        refused=refused,
        p50=quantile(taken, 0.5),
        p99=quantile(taken, 0.99),
        bytes_each=size / max(1, len(taken)),
    )


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
