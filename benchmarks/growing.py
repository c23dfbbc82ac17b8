"""A program: what an event costs to append, number, publish and project, printed as JSON."""

import asyncio
import sys
import time
from datetime import UTC, datetime

import msgspec
import uvloop

from benchmarks.seeds import WORKSPACE, ask_of
from events.decider import decide
from events.kafka.producer import KafkaProducer
from events.state import fold
from events.store import Append
from events.store.database import Database
from events.store.log import PostgresLog
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from services.decision.identifiers import new_approval_id, new_command_id
from services.publisher.publish import BATCH, Publisher

APPENDED = 100
APPLIED = 500
US = 1e6


class Plan(msgspec.Struct):
    """How many events, in which database."""

    dsn: str
    kafka: str
    embedded_broker: bool
    events: int


async def run(plan: Plan) -> dict[str, float]:
    """Return microseconds an event, step by step."""
    app = await Database.open(plan.dsn, "placet_app")
    worker = await Database.open(plan.dsn, "placet_worker")
    log = PostgresLog(worker)
    try:
        before, _ = await log.progress()
        append = await _append(PostgresStore(app), plan.events)
        sequence = await _sequence(log, plan.events)
        publish = await _publish(log, plan)
        project = await _project(log, ReadModels(worker), before, plan.events)
    finally:
        await app.close()
        await worker.close()
    costs = {"append": append, "number": sequence, "publish": publish, "project": project}
    return {name: US * took / plan.events for name, took in costs.items()}


async def _append(store: PostgresStore, events: int) -> float:
    nothing = fold(())
    asked = [
        Append(
            approval_id=new_approval_id(datetime.now(UTC)),
            expected_version=0,
            events=tuple(decide(ask_of(number), nothing)),
            command_id=new_command_id(),
        )
        for number in range(events)
    ]
    begun = time.perf_counter()
    for first in range(0, events, APPENDED):
        await store.append(WORKSPACE, asked[first : first + APPENDED])
    return time.perf_counter() - begun


async def _sequence(log: PostgresLog, events: int) -> float:
    moved = 0
    begun = time.perf_counter()
    while moved < events:
        fresh = await log.sequence(BATCH)
        moved += fresh
        if not fresh:  # somebody's transaction holds the horizon back
            await asyncio.sleep(0.001)
    return time.perf_counter() - begun


async def _publish(log: PostgresLog, plan: Plan) -> float:
    async def opened() -> KafkaProducer:
        return await KafkaProducer.open(plan.kafka, idempotent=not plan.embedded_broker)

    publisher = Publisher(log, opened)
    publisher.published, publisher.head = await log.progress()
    producer = await opened()
    try:
        begun = time.perf_counter()
        while publisher.published < publisher.head:
            await publisher.step(producer)
        return time.perf_counter() - begun
    finally:
        await producer.close()


async def _project(log: PostgresLog, models: ReadModels, before: int, events: int) -> float:
    took = 0.0
    for first in range(before, before + events, APPLIED):
        batch = [sequenced.recorded for sequenced in await log.after(first, APPLIED)]
        begun = time.perf_counter()
        await models.apply(batch)
        took += time.perf_counter() - begun
    return took


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
