"""What a fault test stands on: a Postgres and a broker that it may kill, both empty."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from events.kafka.admin import create_topics
from events.kafka.topics import TOPICS
from services.embedded.postgres import EmbeddedPostgres
from tests.faults.processes import Deployment, environment
from tests.servers.brokers import Broker

PARTITIONS = 3
GONE_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """One test's own database and topics.

    Topics have fixed names and belong to the whole broker: a projector would take the approvals of
    another test for its own. So the fault tests have a broker of their own, and each of them makes
    the topics anew; with them go the offsets of every group.
    """

    dsn: str
    postgres: EmbeddedPostgres
    broker: Broker
    folder: Path

    def deployment(
        self,
        *names: str,
        dsn: str | None = None,
        kafka: str | None = None,
        programs: Mapping[str, Sequence[str]] | None = None,
        **more: str,
    ) -> Deployment:
        """Return services that are not started yet; `dsn` and `kafka` lead through a proxy.

        See `Deployment` for `programs`; `more` are settings.
        """
        environ = environment(
            dsn or self.dsn,
            kafka or self.broker.bootstrap,
            is_real=self.broker.is_real,
            **more,
        )
        return Deployment(names, environ, self.folder, programs)

    async def make_topics(self) -> None:
        """Make every topic that is missing."""
        await create_topics(self.broker.bootstrap, partitions=PARTITIONS)


async def fresh_topics(broker: Broker) -> None:
    """Remove every topic with all its messages and offsets, and make them anew."""
    names = {topic.name for topic in TOPICS}
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        await admin.start()
        there = names & set(await admin.list_topics())
        if there:
            await admin.delete_topics(sorted(there))
        async with asyncio.timeout(GONE_S):
            while names & set(await admin.list_topics()):  # noqa: ASYNC110 # no event tells
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await create_topics(broker.bootstrap, partitions=PARTITIONS)
