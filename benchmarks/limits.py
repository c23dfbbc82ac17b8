"""A program: what Postgres and asyncpg do here with nothing around them, printed as JSON."""

import asyncio
import sys
import time
from itertools import count
from typing import Literal

import asyncpg
import msgspec
import uvloop

from benchmarks.asks import ask_json
from benchmarks.tables import INSERT_MANY

LIST = "SELECT doc FROM bare_pending WHERE approver = $1 ORDER BY approval_id LIMIT 50"

# What an ask and an answer leave behind, one statement each, as little as can be.
ASK = """
WITH event AS (
    INSERT INTO bare_events
        (workspace, approval_id, version, type, schema_version, data, command_id)
    VALUES ('default', $1, 1, 'approval.requested', 1, $2, $1)
)
INSERT INTO bare_pending (approver, approval_id, doc) VALUES ($3, $1, $2)
"""
DECIDE = """
WITH event AS (
    INSERT INTO bare_events
        (workspace, approval_id, version, type, schema_version, data, command_id)
    VALUES ('default', $1, 2, 'approval.decided', 1, $2, $1)
)
DELETE FROM bare_pending WHERE approver = $3 AND approval_id = $1
"""


class Plan(msgspec.Struct):
    """What to do, on how many connections, for how long."""

    what: Literal["batches", "lives"]
    dsn: str
    connections: int
    seconds: float
    batch: int = 100


async def run(plan: Plan) -> dict[str, float]:
    """Do it and return how many a second there were."""
    pool = await asyncpg.create_pool(plan.dsn, min_size=plan.connections, max_size=plan.connections)
    work = _batches if plan.what == "batches" else _lives
    numbers = count(time.time_ns() // 1000)
    begin = time.perf_counter() + 0.5
    end = begin + plan.seconds
    async with pool:
        done = await asyncio.gather(
            *(work(pool, plan, numbers, begin, end) for _ in range(plan.connections))
        )
    return {"per_second": sum(done) / plan.seconds}


async def _batches(
    pool: "asyncpg.Pool[asyncpg.Record]",
    plan: Plan,
    numbers: "count[int]",
    begin: float,
    end: float,
) -> int:
    done = 0
    data = ask_json(1).decode()
    async with pool.acquire() as connection:
        while time.perf_counter() < end:
            ids = [f"{next(numbers):027d}" for _ in range(plan.batch)]
            await connection.execute(INSERT_MANY, ids, [data] * plan.batch, ids)
            if begin <= time.perf_counter() < end:
                done += plan.batch
    return done


async def _lives(
    pool: "asyncpg.Pool[asyncpg.Record]", _: Plan, numbers: "count[int]", begin: float, end: float
) -> int:
    """Asked, durable, listed as pending, decided, and the consumer in this process told."""
    done = 0
    data = ask_json(1).decode()
    told: asyncio.Queue[str] = asyncio.Queue()
    async with pool.acquire() as connection:
        while time.perf_counter() < end:
            approval_id = f"{next(numbers):027d}"
            approver = f"{approval_id}@example.com"
            await connection.execute(ASK, approval_id, data, approver)
            (waiting,) = await connection.fetch(LIST, approver)
            await connection.execute(DECIDE, approval_id, waiting["doc"], approver)
            told.put_nowait(approval_id)
            await told.get()
            done += begin <= time.perf_counter() < end
    return done


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
