"""What the services are made of: opened once a process, closed in the reverse order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
from fastapi import APIRouter

from events.kafka.admin import missing_topics
from events.kafka.consumer import MAX_RECORDS, BatchConsumer, Handle
from events.kafka.parking import Parking
from events.kafka.producer import KafkaProducer
from events.store.coalescing import CoalescingStore
from events.store.database import Database
from events.store.migrate import pending
from events.store.postgres import PostgresStore
from services.bootstrap.health import Health
from services.bootstrap.supervision import Supervisor
from services.config import Config
from services.directory.postgres import PostgresDirectories
from services.effects import Effects
from services.settings import HalfConfigured, Settings
from services.sources import Source
from services.sources.budget import Allowance, Budget, PostgresBucket
from services.sources.desk import Pauses
from services.sources.http import HttpSource
from services.web.kept_sessions import PostgresSessions
from services.web.keys import Keys
from services.web.session import Sessions

EMBEDDED_WAIT_MS = 250
"""The embedded broker does not wake a fetch that waits, and each fetch costs it something."""
WAIT_MS = 500


def now() -> datetime:
    """Return the time; the only clock that services are given."""
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Parts:
    """The shared parts of one process."""

    settings: Settings
    config: Config
    app_db: Database
    worker_db: Database
    store: CoalescingStore
    effects: Effects
    parking: Parking
    directories: PostgresDirectories
    keys: Keys
    sessions: Sessions
    sources: Mapping[tuple[str, str], Source]
    pauses: Pauses
    supervisor: Supervisor
    health: Health
    routers: list[APIRouter]
    closers: list[Callable[[], Awaitable[None]]]
    closing: asyncio.Event

    def consume(
        self, group: str, topic: str, handle: Handle, *, max_records: int = MAX_RECORDS
    ) -> None:
        """Run a member of a consumer group, `max_records` at a time, and watch it."""
        consumer = BatchConsumer(
            bootstrap=self.settings.kafka,
            group=group,
            topics=[topic],
            handle=handle,
            park=self.parking.park,
            wait_ms=EMBEDDED_WAIT_MS if self.settings.embedded_broker else WAIT_MS,
            max_records=max_records,
        )
        self.supervisor.start(group, consumer.run)

        async def working() -> str | None:
            return consumer.failing or self.supervisor.failing.get(group)

        self.health.check(group, working)
        self.health.gauge(
            "placet_consumer_lag",
            "Messages that wait to be handled",
            lambda: (
                ({"group": group, "partition": partition}, float(lag))
                for partition, lag in consumer.lag().items()
            ),
        )
        self.health.gauge(
            "placet_consumer_handled",
            "Messages handled since the start",
            lambda: iter([({"group": group}, float(consumer.handled))]),
        )

    async def producer(self) -> KafkaProducer:
        """Open a producer of our own."""
        return await KafkaProducer.open(
            self.settings.kafka, idempotent=not self.settings.embedded_broker
        )


@asynccontextmanager
async def opened(settings: Settings, config: Config) -> AsyncIterator[Parts]:
    """Open what every service stands on.

    Raises `HalfConfigured` when the database lacks migrations, `Unavailable` when it is away.
    """
    lacking = await pending(settings.postgres_dsn)
    if lacking:
        raise HalfConfigured(
            [f"The database lacks {', '.join(lacking)}. Run `placet migrate` first."]
        )
    async with AsyncExitStack() as stack:
        app_db = await Database.open(settings.postgres_dsn, "placet_app")
        stack.push_async_callback(app_db.close)
        worker_db = await Database.open(settings.postgres_dsn, "placet_worker")
        stack.push_async_callback(worker_db.close)
        store = await stack.enter_async_context(CoalescingStore(PostgresStore(app_db)))
        client = await stack.enter_async_context(httpx2.AsyncClient())
        supervisor = Supervisor()
        health = Health()
        directories = PostgresDirectories(
            worker_db, now, workspace=config.types.workspace, file=config.directory
        )
        await directories.load()
        parts = Parts(
            settings=settings,
            config=config,
            app_db=app_db,
            worker_db=worker_db,
            store=store,
            effects=Effects(worker_db),
            parking=Parking(worker_db),
            directories=directories,
            keys=Keys(app_db, settings.bootstrap_key),
            sessions=_sessions(settings, app_db, directories),
            sources=_sources(config, client, app_db),
            pauses=Pauses(worker_db),
            supervisor=supervisor,
            health=health,
            routers=[health.router()],
            closers=[],
            closing=asyncio.Event(),
        )
        _watch(parts)
        try:
            yield parts
        finally:
            await supervisor.stop()
            for close in parts.closers:
                await close()


def _sources(
    config: Config, client: httpx2.AsyncClient, database: Database
) -> dict[tuple[str, str], Source]:
    found: dict[tuple[str, str], Source] = {}
    for definition in config.sources:
        bucket = PostgresBucket(database, definition.workspace, f"source:{definition.name}")
        rate = definition.file.http.rate
        budget = Budget(bucket, Allowance(limit=rate.limit, per=rate.per), rate.concurrency)
        found[definition.workspace, definition.name] = HttpSource(definition, client, budget)
    return found


def _sessions(settings: Settings, database: Database, directories: PostgresDirectories) -> Sessions:
    return Sessions(
        PostgresSessions(database),
        dev_login=settings.dev_login,
        secure=urlsplit(settings.public_url).scheme == "https",
        oidc=settings.oidc is not None,
        is_active=lambda workspace, email: directories.of(workspace).is_active(email),
    )


def _watch(parts: Parts) -> None:
    async def postgres() -> str | None:
        async with parts.app_db.connection() as connection:
            await connection.fetchval("SELECT 1")
        return None

    async def kafka() -> str | None:
        lacking = await missing_topics(parts.settings.kafka)
        return f"lacks {', '.join(lacking)}: run `placet migrate`" if lacking else None

    async def people() -> str | None:
        return parts.supervisor.failing.get("people")

    parts.supervisor.start("people", parts.directories.run)
    if parts.config.sources:
        parts.supervisor.start("pauses", parts.pauses.run)
    parts.health.check("postgres", postgres)
    parts.health.check("kafka", kafka)
    parts.health.check("people", people)
