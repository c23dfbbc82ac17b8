"""Tells whether a Kafka-compatible broker can take work yet."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

_TIMEOUT = 5.0


async def kafka_answers(bootstrap: str) -> bool:
    """Whether the broker at `host:port` lists itself as a usable member; at most about 10 s."""
    host, _, port = bootstrap.rpartition(":")
    try:
        # A plain connection first: while nobody listens, the client would log errors.
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        async with asyncio.timeout(_TIMEOUT):
            return await _has_brokers(bootstrap)
    except (OSError, KafkaError, TimeoutError):
        return False


async def _has_brokers(bootstrap: str) -> bool:
    client = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap,
        request_timeout_ms=int(_TIMEOUT * 1000),
    )
    try:
        await client.start()
        cluster = await client.describe_cluster()
        # A broker that the controller still fences answers, but cannot hold a topic.
        return bool(cluster["brokers"])
    finally:
        await client.close()
