"""The servers that all rows share: one Postgres that syncs every commit, and one broker."""

import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from events.kafka.admin import create_topics
from events.store.migrate import migrate
from services.embedded.errors import LocalServerProblem
from services.embedded.postgres import EmbeddedPostgres
from tests.servers.apache_kafka.node import ApacheKafka
from tests.servers.brokers import GIVEN, choose_broker
from tests.servers.errors import NotHere

PARTITIONS = 3
HEAP_MIB = 512
_TIMEOUT = 30.0
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
        name = dsn.rpartition("/")[2].partition("?")[0]
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def checkpoint(self) -> None:
        """Write out what is dirty now, so that no round pays for what was done before it."""
        await self._execute("CHECKPOINT")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.postgres.dsn_of("postgres"), timeout=_TIMEOUT)
        try:
            await connection.execute(statement, timeout=120)
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
    if not os.environ.get(GIVEN):
        node = ApacheKafka(folder / "kafka", say=say, heap=HEAP_MIB, quick_start=False)
        try:
            await stack.enter_async_context(node)
        except (NotHere, LocalServerProblem) as reason:
            say(f"no Apache Kafka on Maven's jars: {reason}")
        else:
            return node.bootstrap, "Apache Kafka", False
    broker = await choose_broker(say)
    stack.push_async_callback(broker.stop)
    return broker.bootstrap, broker.kind, not broker.is_real
