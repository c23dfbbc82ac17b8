"""Sends messages so that an answer means: every replica that must have it, has it."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from events.kafka.messages import Message
from events.kafka.topics import LOG
from events.store import Unavailable

REQUEST_TIMEOUT_MS = 10_000
SEND_TIMEOUT_S = 30.0
MAX_MESSAGE_BYTES = 1024 * 1024

logger = logging.getLogger(__name__)


class Producer(Protocol):
    """Where messages go."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Return once every message is kept; raises `Unavailable`, and then any part may be."""
        ...


class BrokerLostItsLog(Unavailable):
    """The broker came back without what it had acknowledged: publish again from the start."""


class KafkaProducer:
    """An idempotent producer where the broker has it; after any error, make a new one."""

    def __init__(self, producer: Any, bootstrap: str) -> None:
        self._producer = producer
        self._bootstrap = bootstrap
        self._last: dict[tuple[str, int], int] = {}

    @classmethod
    async def open(cls, bootstrap: str, *, idempotent: bool = True) -> Self:
        """Connect; raises `Unavailable`. The embedded broker knows no idempotent producer."""
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=idempotent,
            linger_ms=1,
            max_batch_size=256 * 1024,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await _stop(producer)
            raise Unavailable(f"Kafka at {bootstrap} cannot be reached: {error}") from error
        except asyncio.CancelledError:
            await _stop(producer)  # else its connections and its task would outlive us
            raise
        return cls(producer, bootstrap)

    async def send(self, messages: Sequence[Message]) -> None:
        """See `Producer.send`; also raises `BrokerLostItsLog`."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                sent = [
                    await self._producer.send(
                        message.topic,
                        message.value,
                        key=message.key,
                        headers=list(message.headers),
                    )
                    for message in messages
                ]
                kept = await asyncio.gather(*sent, return_exceptions=True)
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka did not take the messages: {error}") from error
        for metadata in kept:
            if isinstance(metadata, BaseException):
                raise Unavailable(f"Kafka did not take a message: {metadata}") from metadata
            place = (metadata.topic, metadata.partition)
            # An idempotent broker may answer a repeated batch with the offset -1.
            if 0 <= metadata.offset <= self._last.get(place, -1):
                raise BrokerLostItsLog(
                    f"{metadata.topic}/{metadata.partition} went back to {metadata.offset}"
                )
            if metadata.offset >= 0:
                self._last[place] = metadata.offset

    async def is_empty(self) -> bool:
        """Tell whether the broker holds nothing of the log; raises `Unavailable`."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await consumer.start()
                partitions = await self._producer.partitions_for(LOG.name)
                ends: dict[TopicPartition, int] = await consumer.end_offsets(
                    [TopicPartition(LOG.name, partition) for partition in partitions]
                )
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka cannot be asked for its log: {error}") from error
        finally:
            await _stop(consumer)
        for partition, end in ends.items():
            # A log that is lost from here on is noticed wherever we send to next.
            self._last.setdefault((partition.topic, partition.partition), end - 1)
        return not any(ends.values())

    async def close(self) -> None:
        """Send nothing more and let go of the connection."""
        await _stop(self._producer)


async def _stop(client: Any) -> None:
    try:
        async with asyncio.timeout(5):
            await client.stop()
    except (KafkaError, OSError, TimeoutError):
        logger.warning("a Kafka client did not stop in time")
