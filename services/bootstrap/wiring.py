"""Puts each service together from the shared parts: what it consumes, serves and repeats."""

from collections.abc import Callable, Mapping
from typing import Any

from events.kafka.topics import LOG, OBSERVED, REQUESTS
from events.store.log import PostgresLog
from events.store.named_sql import statements
from events.store.postgres import PostgresStore
from projections.apply import ReadModels
from projections.queries import Changes, Queries
from services.bootstrap.parts import Parts, now
from services.decision.answering import Answering
from services.decision.api import decision_router
from services.decision.asking import Asking
from services.decision.expiry import Timers
from services.decision.intake import Intake
from services.decision.write_back import WriteBacks
from services.projector.project import GROUP, Projector, Reconciler
from services.publisher.leader import lead
from services.publisher.publish import Publisher
from services.queue.api import queue_router
from services.queue.broadcast import Broadcast
from services.web.app import authenticated

DECIDING = 200


def wire_decision(parts: Parts) -> None:
    """Everything that changes an approval."""
    write_backs = WriteBacks(parts.store, parts.effects, parts.sources, now)
    answering = Answering(parts.store, write_backs, now)
    intake = Intake(parts.store, now)
    timers = Timers(parts.worker_db, parts.store)
    deciding = statements("projections")["deciding"]

    async def open_answers() -> list[tuple[str, str]]:
        async with parts.worker_db.connection() as connection:
            rows = await connection.fetch(deciding, DECIDING)
        return [(row["workspace"], row["approval_id"]) for row in rows]

    parts.consume("placet.decision.observed", OBSERVED.name, intake.observed)
    parts.consume("placet.decision.requests", REQUESTS.name, intake.requests)
    parts.supervisor.start("write-back", lambda: write_backs.run(open_answers))
    parts.supervisor.start("timers", timers.run)
    asking = Asking(parts.store, now)
    parts.routers.append(decision_router(asking, answering, authenticated(parts.keys)))


def wire_queue(parts: Parts) -> None:
    """Everything that is asked."""
    queries = Queries(parts.app_db, PostgresStore(parts.app_db))
    broadcast = Broadcast(Changes(parts.worker_db))
    parts.supervisor.start("broadcast", broadcast.run)
    parts.routers.append(queue_router(queries, broadcast, authenticated(parts.keys)))


def wire_publisher(parts: Parts) -> None:
    """The store's events into Kafka."""
    publisher = Publisher(PostgresLog(parts.worker_db), parts.producer)
    parts.supervisor.start("publisher", lambda: lead(parts.settings.postgres_dsn, publisher.run))

    async def working() -> str | None:
        return publisher.failing or parts.supervisor.failing.get("publisher")

    parts.health.check("publisher", working)
    figures: Mapping[str, tuple[str, Callable[[], int]]] = {
        "placet_log_head": ("How far the log reaches", lambda: publisher.head),
        "placet_log_published": ("How far it is published", lambda: publisher.published),
    }
    for name, (says, figure) in figures.items():
        parts.health.gauge(name, says, _single(figure))


def wire_projector(parts: Parts) -> None:
    """The read models in step with the log."""
    read_models = ReadModels(parts.worker_db)
    projector = Projector(read_models)
    reconciler = Reconciler(parts.worker_db, read_models, parts.settings.reconcile_seconds)
    parts.consume(GROUP, LOG.name, projector.handle)
    parts.supervisor.start("reconciler", reconciler.run)
    parts.health.gauge(
        "placet_events_healed",
        "Events that Kafka did not bring",
        _single(lambda: reconciler.healed),
    )


def _single(figure: Callable[[], int]) -> Any:
    return lambda: iter([({}, float(figure()))])


Wire = Callable[[Parts], None]
WIRES: Mapping[str, Wire] = {
    "decision": wire_decision,
    "queue": wire_queue,
    "publisher": wire_publisher,
    "projector": wire_projector,
}
