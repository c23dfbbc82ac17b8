"""Reads topics in batches: handle, then commit; drain before partitions go; park poison."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from events.kafka.messages import Headers
from events.store import Unavailable

MAX_RECORDS = 500
TRIES = 3
"""How often one message may fail, the store being there, before it is parked."""
BACK_OFF_S = (0.1, 0.5, 1.0, 2.0, 5.0)
COMMIT_TIMEOUT_S = 4.0
STOP_TIMEOUT_S = 6.0
"""With the last commit: less than whoever ends a member waits for it."""
LOOK_MS = 200
"""How long to wait for more before what is handled is committed."""
IDLE_MS = 1000
"""How long to wait where nothing is: what comes ends it, and each look costs a little."""
COMMIT_EVERY_S = 0.5
"""How much handled work, at the most, a member that is killed leaves to be handled again.

A commit is a round trip to the broker: after each small batch it would hold up the next.
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivered:
    """One message with its coordinates."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that can never be handled as it is, and why."""

    message: Delivered
    reason: str


Handle = Callable[[Sequence[Delivered]], Awaitable[Sequence[Rejected]]]
"""Handles a batch durably and returns what must be parked; raises `Unavailable` to be retried.

It must bear to see a message twice.
"""
Park = Callable[[str, Rejected], Awaitable[None]]
"""Keeps (consumer group, message) durably; raises `Unavailable`."""


class _Revoked(Exception):
    """The partitions are wanted back while a batch cannot be finished."""


class BatchConsumer:
    """A member of one consumer group; offsets are committed after the work, never before.

    That is at once when nothing more waits, and every `COMMIT_EVERY_S` when more does.

    `wait_ms` is how long the broker may hold a fetch open: the embedded broker is not woken by
    new messages and wants a short one.
    """

    def __init__(
        self,
        *,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        park: Park,
        wait_ms: int = 100,
        max_records: int = MAX_RECORDS,
    ) -> None:
        self.group = group
        self._bootstrap = bootstrap
        self._topics = topics
        self._handle = handle
        self._park = park
        self._wait_ms = wait_ms
        self._max_records = max_records
        self._working = asyncio.Lock()
        self._revoking = asyncio.Event()
        self._consumer: Any = None
        self._handled_to: dict[Any, int] = {}
        self._uncommitted: dict[Any, int] = {}
        self._committed_at = 0.0
        self.handled = 0
        self.failing: str | None = "has not joined its group yet"

    async def run(self) -> None:
        """Consume until cancelled; raises `Unavailable` when the broker cannot be reached."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=self._wait_ms,
            max_partition_fetch_bytes=2 * 1024 * 1024,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            rebalance_timeout_ms=30_000,
            max_poll_interval_ms=300_000,
        )
        consumer.subscribe(list(self._topics), listener=_Drain(self))
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await _stop(consumer)
            raise Unavailable(f"Kafka at {self._bootstrap} cannot be reached: {error}") from error
        self._consumer = consumer
        try:
            while True:
                await self._once(consumer)
        finally:
            self._consumer = None
            self.failing = "is not connected"
            await self._commit(consumer)
            await _stop(consumer)

    def joined(self) -> None:
        """Note that the group has told this member what to read: it can work."""
        self.failing = None

    async def drain(self) -> None:
        """Wait until no batch is under way, so that the next owner begins where this one ended."""
        self._revoking.set()
        async with self._working:
            self._revoking.clear()
            if self._consumer is not None:
                await self._commit(self._consumer)

    def lag(self) -> dict[str, int]:
        """Return how many messages wait, for each partition of which anything was read."""
        if self._consumer is None:
            return {}
        return {
            f"{partition.topic}/{partition.partition}": max(
                0, (self._consumer.highwater(partition) or 0) - offset
            )
            for partition, offset in self._handled_to.items()
            if partition in self._consumer.assignment()
        }

    async def _once(self, consumer: Any) -> None:
        try:
            fetched = await consumer.getmany(
                timeout_ms=LOOK_MS if self._uncommitted else IDLE_MS,
                max_records=self._max_records,
            )
        except KafkaError as error:
            logger.warning("%s: %s", self.group, error)
            await asyncio.sleep(1)
            return
        async with self._working:
            if not fetched:
                await self._commit(consumer)
                return
            try:
                await self._process(consumer, fetched)
            except _Revoked:
                _seek_back(consumer, fetched)

    async def _process(self, consumer: Any, fetched: dict[Any, list[Any]]) -> None:
        batch = [_delivered(record) for records in fetched.values() for record in records]
        await self._work(batch)
        offsets = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
        self._handled_to.update(offsets)
        self._uncommitted.update(offsets)
        if asyncio.get_running_loop().time() - self._committed_at >= COMMIT_EVERY_S:
            await self._commit(consumer)

    async def _work(self, batch: Sequence[Delivered]) -> None:
        attempt = 0
        while True:
            try:
                for rejected in await self._handle(batch):
                    await self._park(self.group, rejected)
            except Unavailable as error:
                self.failing = str(error)
            except Exception as error:
                logger.exception("%s: a batch of %d failed", self.group, len(batch))
                if len(batch) > 1:
                    for message in batch:
                        await self._work([message])
                    return
                if attempt + 1 >= TRIES:
                    await self._give_up(batch[0], error)
                    return
            else:
                self.failing = None
                self.handled += len(batch)
                return
            await self._back_off(attempt)
            attempt += 1

    async def _give_up(self, message: Delivered, error: Exception) -> None:
        rejected = Rejected(message, f"{type(error).__name__}: {error}")
        attempt = 0
        while True:
            try:
                await self._park(self.group, rejected)
            except Unavailable as unavailable:
                self.failing = str(unavailable)
            else:
                return
            await self._back_off(attempt)
            attempt += 1

    async def _back_off(self, attempt: int) -> None:
        delay = BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)]
        try:
            async with asyncio.timeout(delay):
                await self._revoking.wait()
        except TimeoutError:
            return
        raise _Revoked

    async def _commit(self, consumer: Any) -> None:
        assigned = consumer.assignment()
        offsets = {
            partition: offset
            for partition, offset in self._uncommitted.items()
            if partition in assigned
        }
        self._uncommitted = {}
        self._committed_at = asyncio.get_running_loop().time()
        if not offsets:
            return
        try:
            async with asyncio.timeout(COMMIT_TIMEOUT_S):
                await consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError, TimeoutError, KafkaError) as error:
            # The partitions moved on, or the broker is away: whoever reads next sees this again.
            logger.info("%s: offsets were not committed: %s", self.group, error)


class _Drain(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, consumer: BatchConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Finish the batch under way before the partitions go."""
        if revoked:
            await self._consumer.drain()

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002 # its protocol
        """Reading starts at the committed offsets."""
        self._consumer.joined()


def _delivered(record: Any) -> Delivered:
    return Delivered(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers
    )


def _seek_back(consumer: Any, fetched: dict[Any, list[Any]]) -> None:
    for partition, records in fetched.items():
        try:
            consumer.seek(TopicPartition(partition.topic, partition.partition), records[0].offset)
        except IllegalStateError:
            continue  # not ours any more: the next owner starts at the committed offset


async def _stop(consumer: Any) -> None:
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await consumer.stop()
    except (KafkaError, OSError, TimeoutError):
        logger.warning("a consumer did not stop in time")
