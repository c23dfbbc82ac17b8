"""The servers that all rows share: one Postgres that syncs every commit, and one broker."""

import asyncio
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks import seeds
from events.kafka.admin import create_topics, missing_topics
from events.kafka.topics import TOPICS
from events.store.migrate import migrate
from services.embedded.broker import EmbeddedBroker
from services.embedded.errors import LocalServerProblem
from services.embedded.postgres import EmbeddedPostgres
from tests.servers.apache_kafka.jars import kafka_version
from tests.servers.apache_kafka.node import ApacheKafka
from tests.servers.errors import NotHere

PARTITIONS = 3
HEAP_MIB = 512
_TIMEOUT = 30.0
_TOPICS_S = 30.0
# A data set of some gigabytes and a checkpoint in the middle of a round would only add noise.
_POSTGRES = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "max_connections": "200",
}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where rows find Postgres and Kafka; `folder` is theirs to write in."""

    postgres: EmbeddedPostgres
    kafka: str
    broker: str
    embedded_broker: bool
    folder: Path
    seeded: dict[int, str] = field(default_factory=dict)

    async def stored(self, approvals: int, say: Say) -> str:
        """Return a database with so many approvals, filled once a run: copy it to change it."""
        if approvals not in self.seeded:
            dsn = await self.database(migrated=True)
            await seeds.seed(dsn, approvals, say)
            self.seeded[approvals] = dsn
        return self.seeded[approvals]

    async def copy(self, dsn: str) -> str:
        """Return a copy of a database that nobody is connected to."""
        name = f"bench_{secrets.token_hex(6)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{_name(dsn)}" STRATEGY FILE_COPY')
        return self.postgres.dsn_of(name)

    async def fresh_topics(self) -> None:
        """Empty the topics, so that no row reads what another one left."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            ours = {topic.name for topic in TOPICS}
            until = time.monotonic() + _TOPICS_S
            await admin.delete_topics([name for name in await admin.list_topics() if name in ours])
            while (  # noqa: ASYNC110 # Kafka tells nobody
                ours & set(await admin.list_topics()) and time.monotonic() < until
            ):
                await asyncio.sleep(0.1)
        finally:
            await admin.close()
        await create_topics(self.kafka, partitions=PARTITIONS)
        while await missing_topics(self.kafka) and time.monotonic() < until:  # noqa: ASYNC110 # see above
            await asyncio.sleep(0.1)

    async def database(self, *, migrated: bool) -> str:
        """Make a new database and return its connection string."""
        name = f"bench_{secrets.token_hex(6)}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        dsn = self.postgres.dsn_of(name)
        if migrated:
            await migrate(dsn)
        return dsn

    async def drop(self, dsn: str) -> None:
        """Remove a database, whoever is connected."""
        await self._execute(f'DROP DATABASE IF EXISTS "{_name(dsn)}" WITH (FORCE)')

    async def checkpoint(self) -> None:
        """Write out what is dirty now, so that no round pays for what was done before it."""
        await self._execute("CHECKPOINT")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.dsn_of("postgres"), timeout=_TIMEOUT)
        try:
            await connection.execute(statement, timeout=300)
        finally:
            await connection.close(timeout=_TIMEOUT)


@asynccontextmanager
async def servers(say: Say) -> AsyncIterator[Servers]:
    """Start what is needed, make the topics, and remove all of it at the end."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="placet-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        say("Postgres starts")
        postgres = EmbeddedPostgres(folder / "postgres", settings=_POSTGRES)
        await stack.enter_async_context(postgres)
        say("the broker starts")
        bootstrap, kind, embedded = await _broker(stack, folder, say)
        await create_topics(bootstrap, partitions=PARTITIONS)
        yield Servers(
            postgres=postgres,
            kafka=bootstrap,
            broker=kind,
            embedded_broker=embedded,
            folder=folder,
        )


async def _broker(stack: AsyncExitStack, folder: Path, say: Say) -> tuple[str, str, bool]:
    """Start Apache Kafka where Maven and Java are, else the embedded broker; always one of ours."""
    node = ApacheKafka(folder / "kafka", say=say, heap=HEAP_MIB, quick_start=False)
    try:
        await stack.enter_async_context(node)
    except (NotHere, LocalServerProblem) as reason:
        say(f"no Apache Kafka, so the embedded broker: {reason}")
    else:
        return node.bootstrap, f"Apache Kafka {kafka_version()}", False
    broker = await stack.enter_async_context(EmbeddedBroker(folder / "broker"))
    return broker.bootstrap, "the embedded broker", True


def _name(dsn: str) -> str:
    return dsn.rpartition("/")[2].partition("?")[0]
