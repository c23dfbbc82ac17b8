"""A program: the whole life by the package `dbos`, a workflow that waits for a message."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal
from uuid import uuid4

import msgspec
from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.asks import ask

TOPIC = "answer"


class Plan(msgspec.Struct):
    """What to do, by how many writers, for how long."""

    what: Literal["lives"]
    dsn: str
    writers: int
    seconds: float


@DBOS.workflow()
def approval(body: dict[str, Any]) -> dict[str, Any]:
    """Wait for the answer; the result is what the requester is told."""
    answer = DBOS.recv(TOPIC, timeout_seconds=60)
    return {"title": body["title"], "outcome": answer}


def run(plan: Plan) -> dict[str, float]:
    """Start, list as pending, send the answer, take the result."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": plan.dsn.replace("postgresql://", "postgresql+psycopg://"),
        "log_level": "ERROR",
        "sys_db_pool_size": plan.writers + 10,
    }
    DBOS(config=config)
    DBOS.launch()
    begin = time.perf_counter() + 1.0
    end = begin + plan.seconds

    def writer(place: int) -> int:
        done = 0
        while time.perf_counter() < end:
            one(place)
            done += begin <= time.perf_counter() < end
        return done

    def one(number: int) -> None:
        approver = uuid4().hex
        with SetWorkflowID(f"{approver}-1"):
            handle = DBOS.start_workflow(approval, ask(number))
        waiting = DBOS.list_workflows(status="PENDING", workflow_id_prefix=approver, limit=50)
        if len(waiting) != 1:
            raise RuntimeError("what was asked is not pending")
        DBOS.send(handle.workflow_id, "approved", TOPIC)
        if handle.get_result()["outcome"] != "approved":
            raise RuntimeError("the answer did not arrive")

    try:
        with ThreadPoolExecutor(plan.writers) as pool:
            done = sum(pool.map(writer, range(plan.writers)))
    finally:
        DBOS.destroy()
    return {"per_second": done / plan.seconds}


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    measured = run(plan)
    sys.stdout.buffer.write(msgspec.json.encode(measured))


if __name__ == "__main__":
    main()
