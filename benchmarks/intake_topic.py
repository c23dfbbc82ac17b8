"""Fills a topic before anybody reads it."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice

from aiokafka import AIOKafkaProducer

Headers = Sequence[tuple[str, bytes]]
TOGETHER = 5_000


async def fill(bootstrap: str, topic: str, messages: Iterable[tuple[bytes, bytes, Headers]]) -> int:
    """Send (key, value, headers) and return how many there were, all of them kept."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=512 * 1024
    )
    await producer.start()
    sent = 0
    remaining = iter(messages)
    try:
        while batch := list(islice(remaining, TOGETHER)):
            acks = [
                await producer.send(topic, value, key=key, headers=list(headers))
                for key, value, headers in batch
            ]
            await asyncio.gather(*acks)
            sent += len(batch)
    finally:
        await producer.stop()
    return sent
