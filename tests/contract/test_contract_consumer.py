"""A consumer loses nothing: it commits after the work, drains, tries again, and parks poison."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from events.kafka.consumer import BatchConsumer, Delivered, Handle, Rejected
from events.store import Unavailable
from tests.servers.brokers import Broker

PARTITIONS = 2
WITHIN_S = 30.0


class Desk:
    """A topic, a group that reads it, and what became of its messages."""

    def __init__(self, broker: Broker, topic: str) -> None:
        self.broker = broker
        self.topic = topic
        self.group = f"group-{topic}"
        self.handled: list[str] = []
        self.parked: list[tuple[str, str]] = []

    async def send(self, *values: str) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.broker.bootstrap)
        await producer.start()
        for place, value in enumerate(values):
            await producer.send_and_wait(self.topic, value.encode(), partition=place % PARTITIONS)
        await producer.stop()

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        self.handled += texts(batch)
        return []

    async def park(self, group: str, rejected: Rejected) -> None:
        assert group == self.group
        self.parked.append((*texts([rejected.message]), rejected.reason))

    @asynccontextmanager
    async def member(self, handle: Handle | None = None) -> AsyncIterator[BatchConsumer]:
        """A member of the group, while the context lasts."""
        consumer = BatchConsumer(
            bootstrap=self.broker.bootstrap,
            group=self.group,
            topics=[self.topic],
            handle=handle or self.handle,
            park=self.park,
            wait_ms=50,
        )
        running = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            running.cancel()
            await asyncio.wait([running])

    async def committed(self) -> int:
        """How many messages the group will not see again."""
        reader = AIOKafkaConsumer(
            bootstrap_servers=self.broker.bootstrap, group_id=self.group, enable_auto_commit=False
        )
        await reader.start()
        places = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        reader.assign(places)
        offsets = [await reader.committed(place) for place in places]
        await reader.stop()
        return sum(offset or 0 for offset in offsets)


def texts(batch: Sequence[Delivered]) -> list[str]:
    return [(message.value or b"").decode() for message in batch]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not true():  # noqa: ASYNC110 # what is waited for has no event
            await asyncio.sleep(0.02)


async def eventually(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await count() != wanted:  # noqa: ASYNC110 # the broker tells nobody
            await asyncio.sleep(0.1)


@pytest.fixture
async def desk(broker: Broker) -> AsyncIterator[Desk]:
    topic = f"consumer-{secrets.token_hex(6)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics(
        [NewTopic(name=topic, num_partitions=PARTITIONS, replication_factor=1)]
    )
    yield Desk(broker, topic)
    await admin.delete_topics([topic])
    await admin.close()


async def test_the_next_member_goes_on_where_the_last_one_ended(desk: Desk) -> None:
    await desk.send("a", "b", "c")
    async with desk.member():
        await until(lambda: len(desk.handled) == 3)
    await desk.send("d")
    async with desk.member():
        await until(lambda: len(desk.handled) == 4)
        await asyncio.sleep(0.5)
    assert sorted(desk.handled) == ["a", "b", "c", "d"]


async def test_nothing_is_committed_before_its_work_is_done(desk: Desk) -> None:
    working, done = asyncio.Event(), asyncio.Event()

    async def slow(batch: Sequence[Delivered]) -> Sequence[Rejected]:
        working.set()
        await done.wait()
        return await desk.handle(batch)

    await desk.send("a", "b")
    async with desk.member(slow):
        await asyncio.wait_for(working.wait(), WITHIN_S)
        await asyncio.sleep(1)
        assert await desk.committed() == 0
        done.set()
        await eventually(desk.committed, 2)


async def test_a_member_that_is_killed_at_its_work_leaves_it_to_the_next(desk: Desk) -> None:
    working = asyncio.Event()

    async def never(_: Sequence[Delivered]) -> Sequence[Rejected]:
        working.set()
        await asyncio.Event().wait()
        return []

    await desk.send("a", "b")
    async with desk.member(never):
        await asyncio.wait_for(working.wait(), WITHIN_S)
    async with desk.member():
        await until(lambda: sorted(desk.handled) == ["a", "b"])


async def test_what_is_rejected_is_parked_with_its_reason_and_the_rest_goes_on(desk: Desk) -> None:
    async def picky(batch: Sequence[Delivered]) -> Sequence[Rejected]:
        bad = [message for message in batch if message.value == b"bad"]
        await desk.handle([message for message in batch if message not in bad])
        return [Rejected(message, "is bad") for message in bad]

    await desk.send("a", "bad", "b")
    async with desk.member(picky):
        await until(lambda: sorted(desk.handled) == ["a", "b"] and len(desk.parked) == 1)
        await eventually(desk.committed, 3)
    assert desk.parked == [("bad", "is bad")]


async def test_a_message_that_breaks_its_batch_is_found_and_parked_alone(desk: Desk) -> None:
    async def breaks(batch: Sequence[Delivered]) -> Sequence[Rejected]:
        if "poison" in texts(batch):
            raise ZeroDivisionError("poison")
        return await desk.handle(batch)

    await desk.send("a", "poison", "b", "c")
    async with desk.member(breaks):
        await until(lambda: {*desk.handled} == {"a", "b", "c"} and len(desk.parked) == 1)
        await eventually(desk.committed, 4)
    assert desk.parked == [("poison", "ZeroDivisionError: poison")]


async def test_a_store_that_is_away_is_waited_for_and_nothing_is_parked(desk: Desk) -> None:
    away = 3

    async def stumbles(batch: Sequence[Delivered]) -> Sequence[Rejected]:
        nonlocal away
        if away:
            away -= 1
            raise Unavailable("Postgres cannot be reached")
        return await desk.handle(batch)

    await desk.send("a", "b")
    async with desk.member(stumbles) as consumer:
        await until(lambda: consumer.failing == "Postgres cannot be reached")
        await until(lambda: sorted(desk.handled) == ["a", "b"])
        assert consumer.failing is None
    assert desk.parked == []


async def test_a_batch_under_way_is_ended_before_its_partitions_go(desk: Desk) -> None:
    """Else both members would do the work, or the second would do it before the first."""
    working, done = asyncio.Event(), asyncio.Event()

    async def slow(batch: Sequence[Delivered]) -> Sequence[Rejected]:
        working.set()
        await done.wait()
        return await desk.handle(batch)

    await desk.send("a", "b")
    async with desk.member(slow):
        await asyncio.wait_for(working.wait(), WITHIN_S)
        async with desk.member() as second:
            await asyncio.sleep(1)
            assert second.failing is not None, "it has not joined while the first one works"
            assert desk.handled == []
            done.set()
            await until(lambda: second.failing is None)
            await desk.send("c", "d")
            await until(lambda: len(desk.handled) >= 4)
            await asyncio.sleep(0.5)
    assert sorted(desk.handled) == ["a", "b", "c", "d"]


async def test_its_lag_tells_what_waits(desk: Desk) -> None:
    async with desk.member() as consumer:
        await desk.send("a", "b")
        await until(lambda: len(desk.handled) == 2)
        await until(lambda: sum(consumer.lag().values()) == 0 and len(consumer.lag()) == PARTITIONS)
