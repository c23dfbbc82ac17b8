"""A program: the same work by the package `eventsourcing`, its database function switched on."""

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from eventsourcing.utils import get_topic
from psycopg.sql import SQL, Identifier

from benchmarks.asks import ask

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.25


class Plan(msgspec.Struct):
    """What to do, by how many writers, for how long."""

    what: Literal["appends", "lives"]
    dsn: str
    writers: int
    seconds: float


class Approval(Aggregate):
    """An approval as this package would have it."""

    @event("Requested")
    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body
        self.status = "pending"

    @event("Decided")
    def decide(self, by: str, outcome: str) -> None:
        """Answer."""
        self.status = outcome
        self.by = by


class Approvals(Application[UUID]):
    """Keeps approvals."""

    def ask(self, number: int, approver: str) -> tuple[UUID, int]:
        """Keep an ask and return its id, and the place of its event in the store."""
        approval = Approval(body=ask(number, approver))
        (kept,) = self.save(approval)
        return approval.id, kept.notification.id

    def decide(self, approval_id: UUID, by: str) -> int:
        """Answer, and return the place of the event in the store."""
        approval: Approval = self.repository.get(approval_id)
        approval.decide(by=by, outcome="approved")
        (kept,) = self.save(approval)
        return kept.notification.id


class Pending(PostgresTrackingRecorder):
    """The view of what waits for whom."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self._table = Identifier(self.datastore.schema, "pending")
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {0} (approver text, approval_id uuid, title text, "
                "PRIMARY KEY (approver, approval_id))"
            ).format(self._table)
        )
        self._join = SQL("INSERT INTO {0} VALUES (%s, %s, %s)").format(self._table)
        self._leave = SQL("DELETE FROM {0} WHERE approval_id = %s AND approver = %s").format(
            self._table
        )
        self._list = SQL("SELECT approval_id, title FROM {0} WHERE approver = %s LIMIT 50").format(
            self._table
        )

    def join(self, approver: str, approval_id: UUID, title: str, tracking: Tracking) -> None:
        """Add one."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._join, (approver, approval_id, title))

    def leave(self, approver: str, approval_id: UUID, tracking: Tracking) -> None:
        """Take one out."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._leave, (approval_id, approver))

    def of(self, approver: str) -> list[Any]:
        """What waits for an approver."""
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(self._list, (approver,))
            return list(cursor.fetchall())


class Queue(Projection[Pending]):
    """Fills the view, and tells who waits: the package's own `wait` asks only now and then."""

    told: ClassVar[dict[tuple[UUID, str], threading.Event]] = {}

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Handle the next event."""
        approval_id = domain_event.originator_id
        if isinstance(domain_event, Approval.Requested):  # type: ignore[attr-defined]  # the decorator makes it
            body = domain_event.body
            self.view.join(body["approvers"][0], approval_id, body["title"], tracking)
            self.of(approval_id, "shown").set()
        else:
            self.view.leave(domain_event.by, approval_id, tracking)
            self.of(approval_id, "told").set()

    @classmethod
    def of(cls, approval_id: UUID, what: str) -> threading.Event:
        """The event that is set once it was done, whoever comes first."""
        return cls.told.setdefault((approval_id, what), threading.Event())


def environment(plan: Plan) -> dict[str, str]:
    """Return the package's settings."""
    parts = urlsplit(plan.dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path.strip("/"),
        "POSTGRES_HOST": parts.hostname or "",
        "POSTGRES_PORT": str(parts.port),
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": parts.password or "",
        "POSTGRES_POOL_SIZE": str(plan.writers + 2),
        "POSTGRES_MAX_OVERFLOW": "10",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
    }


def appends(plan: Plan) -> dict[str, float]:
    """Keep asks, one aggregate and one event each."""
    application = Approvals(env=environment(plan))

    def one(number: int) -> bool:
        application.ask(number, "ana.approver@example.com")
        return True

    try:
        return _repeat(plan, one)
    finally:
        application.close()


def lives(plan: Plan) -> dict[str, float]:
    """Ask, wait for the view, list, decide, be told."""
    os.environ.update(environment(plan))
    runner = ProjectionRunner(
        application_class=Approvals, projection_class=Queue, view_class=Pending
    )

    passed_over: list[UUID] = []

    def one(number: int) -> bool:
        approver = f"{uuid4()}@example.com"
        approval_id, place = runner.app.ask(number, approver)
        if not wait(approval_id, "shown", place):
            return False
        if len(runner.view.of(approver)) != 1:
            raise RuntimeError("what was asked is not pending")
        place = runner.app.decide(approval_id, approver)
        return wait(approval_id, "told", place)

    def wait(approval_id: UUID, what: str, place: int) -> bool:
        """Tell whether it came; False when the projection is past it and never saw it."""
        until = time.perf_counter() + PATIENCE_S
        event = Queue.of(approval_id, what)
        while not event.wait(LOOK_EVERY_S):
            runner.run_forever(timeout=0)  # raises what ended the projection, if anything did
            # What is on its way when its place is passed comes within one more look.
            if (runner.view.max_tracking_id(runner.app.name) or 0) > place and not event.wait(
                LOOK_EVERY_S
            ):
                passed_over.append(approval_id)
                return False
            if time.perf_counter() > until:
                raise RuntimeError(f"an approval was never {what}")
        del Queue.told[approval_id, what]
        return True

    with runner:
        measured = _repeat(plan, one)
    return measured | {"passed_over": float(len(passed_over))}


def _repeat(plan: Plan, work: Callable[[int], bool]) -> dict[str, float]:
    begin = time.perf_counter() + 0.7
    end = begin + plan.seconds

    def writer(place: int) -> int:
        done, number = 0, place * 10_000_000
        while time.perf_counter() < end:
            number += 1
            whole = work(number)
            done += whole and begin <= time.perf_counter() < end
        return done

    with ThreadPoolExecutor(plan.writers) as pool:
        return {"per_second": sum(pool.map(writer, range(plan.writers))) / plan.seconds}


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    measured = appends(plan) if plan.what == "appends" else lives(plan)
    sys.stdout.buffer.write(msgspec.json.encode(measured))


# The package finds classes by the name of their module, which must not be `__main__`.
if __name__ == "__main__":
    from benchmarks import peer_eventsourcing  # noqa: PLW0406 # by its real name, not `__main__`

    if not get_topic(peer_eventsourcing.Approval).startswith("benchmarks."):
        raise SystemExit("the classes are not where the package will look for them")
    peer_eventsourcing.main()
