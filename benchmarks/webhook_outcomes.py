"""A program: appends outcomes to the store at a pace, each with a callback of its own.

The approvals are asked first, and nobody is told of that. Then they are decided, in batches of as
many as are due, so that the pace holds when a batch takes longer.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle

import msgspec
import uvloop

from benchmarks.seeds import WORKSPACE, ask_of
from events.approval import ApprovalDecided, ApprovalRequested, Person
from events.decider import decide
from events.state import fold
from events.store import Append
from events.store.database import Database
from events.store.postgres import PostgresStore
from services.decision.identifiers import new_approval_id, new_command_id

BATCH = 500
EVERY_S = 0.02
WAIT_S = 60.0


class Plan(msgspec.Struct):
    """How many outcomes, how fast (0: as fast as it goes), and whom each in turn calls."""

    dsn: str
    outcomes: int
    per_second: float
    urls: list[str]


Asked = tuple[str, ApprovalRequested]


async def run(plan: Plan) -> dict[str, float]:
    """Return how long it took and how far behind its pace it fell at the most, in seconds."""
    app = await Database.open(plan.dsn, "placet_app")
    worker = await Database.open(plan.dsn, "placet_worker")
    store = PostgresStore(app)
    try:
        asked = await _asked(store, plan)
        await _published(worker)
        begun = time.perf_counter()
        behind, done = 0.0, 0
        while done < plan.outcomes:
            passed = time.perf_counter() - begun
            due = int(passed * plan.per_second) if plan.per_second else plan.outcomes
            batch = asked[done : min(due, done + BATCH)]
            if batch:
                await _decide(store, batch)
                done += len(batch)
            if plan.per_second and done < plan.outcomes:
                late = time.perf_counter() - begun - done / plan.per_second
                behind = max(behind, late)
                await asyncio.sleep(max(0.0, EVERY_S - late))
        if not plan.per_second:
            await _published(worker)
        return {"took": time.perf_counter() - begun, "behind": behind}
    finally:
        await app.close()
        await worker.close()


async def _asked(store: PostgresStore, plan: Plan) -> list[Asked]:
    urls, nothing = cycle(plan.urls), fold(())
    found: list[Asked] = []
    for number in range(plan.outcomes):
        (event,) = decide(ask_of(number), nothing)
        if not isinstance(event, ApprovalRequested):
            raise TypeError(f"an ask gave {event!r}")
        about = replace(event.about, callback_url=next(urls))
        found.append((new_approval_id(datetime.now(UTC)), replace(event, about=about)))
    for first in range(0, len(found), BATCH):
        await store.append(
            WORKSPACE,
            [
                Append(
                    approval_id=approval_id,
                    expected_version=0,
                    events=(event,),
                    command_id=new_command_id(),
                )
                for approval_id, event in found[first : first + BATCH]
            ],
        )
    return found


async def _published(worker: Database) -> None:
    """Wait until the publisher has sent all that is in the store."""
    until = time.monotonic() + WAIT_S
    query = (
        "SELECT published >= (SELECT seq FROM log_head) AND (SELECT position FROM log_head) >="
        " (SELECT coalesce(max(position), 0) FROM events) FROM publisher_cursor"
    )
    while time.monotonic() < until:
        async with worker.connection() as connection:
            if await connection.fetchval(query):
                return
        await asyncio.sleep(0.05)
    raise TimeoutError("what was asked was not published in time")


async def _decide(store: PostgresStore, batch: Sequence[Asked]) -> None:
    now = datetime.now(UTC)
    await store.append(
        WORKSPACE,
        [
            Append(
                approval_id=approval_id,
                expected_version=1,
                events=(
                    ApprovalDecided(
                        about=event.about,
                        outcome="approved",
                        by=Person(email="ana.approver@example.com"),
                        reason="within the budget",
                        channel="api",
                        via="bootstrap",
                        decided_at=now,
                        at=now,
                    ),
                ),
                command_id=new_command_id(),
            )
            for approval_id, event in batch
        ],
    )


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
