"""Carries the store's events into Kafka: one leader, in order, the cursor moved after every ack.

The store is the truth and Kafka carries it: whatever goes wrong, a new producer goes on from the
cursor, and a broker that lost its log is told everything again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from events.kafka.messages import Message, messages
from events.kafka.producer import BrokerLostItsLog, KafkaProducer, Producer
from events.store import Unavailable
from events.store.log import Sequenced

BATCH = 1000
BUSY_S = 0.005
"""How often the store is asked while something happens."""
QUIET_AFTER_S = 2.0
QUIET_S = 0.1
"""How often the store is asked when nothing has happened for a while: a laptop wants its rest."""
LOOK_EVERY_S = 1.0
"""How often a publisher with nothing to do looks whether somebody else moved the log."""
BACK_OFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)

logger = logging.getLogger(__name__)


class Log(Protocol):
    """The publisher's side of the store: see `events.store.log.PostgresLog`."""

    async def sequence(self, batch: int) -> int:
        """Move committed events into the log and return how many."""
        ...

    async def progress(self) -> tuple[int, int]:
        """Return (published up to, log reaches to)."""
        ...

    async def after(self, seq: int, limit: int) -> list[Sequenced]:
        """Return the next events above a place."""
        ...

    async def move_cursor(self, expected: int, to: int) -> bool:
        """Say how far the log is published; False if another publisher said otherwise."""
        ...


class Publisher:
    """One pass after the other; correct, if wasteful, even when two run."""

    def __init__(self, log: Log, open_producer: Callable[[], Awaitable[KafkaProducer]]) -> None:
        self._log = log
        self._open_producer = open_producer
        self.published = 0
        self.head = 0
        self.failing: str | None = None

    async def run(self) -> None:
        """Publish until cancelled."""
        try:
            await self._run()
        finally:
            self.failing = None  # who does not lead has nothing that fails

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                async with self._producer() as producer:
                    self.failing = None
                    attempt = 0
                    await self._publish(producer)
            except BrokerLostItsLog as error:
                logger.warning("%s: publishing the log again from its start", error)
                await self._rewind()
            except Unavailable as error:
                self.failing = str(error)
                logger.warning("publishing waits: %s", error)
            await asyncio.sleep(BACK_OFF_S[min(attempt, len(BACK_OFF_S) - 1)])
            attempt += 1

    async def _publish(self, producer: Producer) -> None:
        self.published, self.head = await self._log.progress()
        clock = asyncio.get_running_loop().time
        looked = last = clock()
        while True:
            moved = await self.step(producer)
            if not moved and clock() - looked >= LOOK_EVERY_S:
                # A leader that is being replaced, or a statement of ours whose answer was lost,
                # may have logged what we did not count.
                self.published, self.head = await self._log.progress()
                looked = clock()
            if moved:
                last = clock()
            if moved >= BATCH:
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(BUSY_S if clock() - last < QUIET_AFTER_S else QUIET_S)

    async def step(self, producer: Producer) -> int:
        """Sequence and publish one batch and return its size; raises `Unavailable`."""
        moved = await self._log.sequence(BATCH)
        self.head += moved
        if not moved and self.published >= self.head:
            return 0
        batch = await self._log.after(self.published, BATCH)
        if not batch:
            self.published, self.head = await self._log.progress()
            return 0
        await producer.send(_messages(batch))
        if await self._log.move_cursor(self.published, batch[-1].seq):
            self.published = batch[-1].seq
            self.head = max(self.head, self.published)
        else:
            # Another publisher is at it: what it published is published, and ours came twice.
            self.published, self.head = await self._log.progress()
        return len(batch)

    async def _rewind(self) -> None:
        try:
            published, _ = await self._log.progress()
            await self._log.move_cursor(published, 0)
        except Unavailable as error:
            logger.warning("rewinding waits: %s", error)

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[KafkaProducer]:
        producer = await self._open_producer()
        try:
            published, _ = await self._log.progress()
            if published and await producer.is_empty():
                raise BrokerLostItsLog("the broker holds no log at all")
            yield producer
        finally:
            await producer.close()


def _messages(batch: Sequence[Sequenced]) -> list[Message]:
    return [
        message for sequenced in batch for message in messages(sequenced.seq, sequenced.recorded)
    ]
