"""The publisher carries the log into Kafka in order, whatever fails on the way."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest

from events.envelope import Recorded
from events.kafka.messages import Message
from events.kafka.producer import BrokerLostItsLog, KafkaProducer
from events.store import Unavailable
from events.store.database import Database
from events.store.log import PostgresLog, Sequenced
from events.store.memory import MemoryStore
from events.store.postgres import PostgresStore
from services.decision.asking import Asking
from services.decision.intake import Intake
from services.decision.request_body import ApprovalBody, AskedBy
from services.publisher import publish
from services.publisher.publish import BATCH, Publisher
from tests.services.service_kit import Clock, observation, observed, until


class MemoryLog:
    """The publisher's side of a store, in a list."""

    def __init__(self, events: Sequence[Recorded] = ()) -> None:
        self.waiting = list(events)
        self.log: list[Recorded] = []
        self.published = 0
        self.moves: list[tuple[int, int]] = []

    async def sequence(self, batch: int) -> int:
        moved, self.waiting = self.waiting[:batch], self.waiting[batch:]
        self.log += moved
        return len(moved)

    async def progress(self) -> tuple[int, int]:
        return self.published, len(self.log)

    async def after(self, seq: int, limit: int) -> list[Sequenced]:
        return [
            Sequenced(place, event) for place, event in enumerate(self.log, start=1) if place > seq
        ][:limit]

    async def move_cursor(self, expected: int, to: int) -> bool:
        if self.published != expected:
            return False
        self.moves.append((expected, to))
        self.published = to
        return True


class Broker:
    """Keeps what it is sent, and fails when it is told to."""

    def __init__(self) -> None:
        self.kept: list[Message] = []
        self.faults: list[Exception | None] = []
        self.opened = self.closed = 0
        self.away = False

    def seqs(self, topic: str = "approval.log") -> list[int]:
        """The places in the log of what is kept of a topic."""
        return [
            int(dict(message.headers)["ce_sequence"])
            for message in self.kept
            if message.topic == topic
        ]

    async def open(self) -> KafkaProducer:
        if self.away:
            raise Unavailable("no broker")
        self.opened += 1
        return _Producer(self)  # type: ignore[return-value]  # a twin


class _Producer:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def send(self, messages: Sequence[Message]) -> None:
        await asyncio.sleep(0)
        fault = self._broker.faults.pop(0) if self._broker.faults else None
        if fault is not None:
            # Any part of it may have been kept.
            self._broker.kept += messages[: len(messages) // 2]
            raise fault
        self._broker.kept += messages

    async def is_empty(self) -> bool:
        return not self._broker.kept

    async def close(self) -> None:
        self._broker.closed += 1


async def events(count: int) -> list[Recorded]:
    """Events of that many approvals, one each."""
    store = MemoryStore()
    asking = Asking(store, lambda: datetime.now(UTC))
    body = ApprovalBody(type="t", title="T", approvers=["a@x.com"])
    ids = [
        (
            await asking.ask(
                "w", body, asked_by=AskedBy(email="r@x.com"), idempotency_key=None, fingerprint=""
            )
        ).view.id
        for _ in range(count)
    ]
    return [(await store.read("w", [one]))[one][0] for one in ids]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "BACK_OFF_S", (0.001,))
    monkeypatch.setattr(publish, "BUSY_S", 0.001)


async def running(publisher: Publisher, holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Run a publisher until something holds."""
    task = asyncio.create_task(publisher.run())
    try:
        await until(holds)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_batch_is_published_in_the_order_of_the_log() -> None:
    log, broker = MemoryLog(await events(5)), Broker()
    publisher = Publisher(log, broker.open)
    assert await publisher.step(await broker.open()) == 5
    assert broker.seqs() == broker.seqs("approval.requested") == [1, 2, 3, 4, 5]
    assert [message.key.decode() for message in broker.kept if message.topic == "approval.log"] == [
        event.approval_id for event in log.log
    ]
    assert (log.moves, publisher.published, publisher.head) == ([(0, 5)], 5, 5)
    assert await publisher.step(await broker.open()) == 0


async def test_the_cursor_stays_where_it_is_when_the_broker_does_not_take_everything() -> None:
    log, broker = MemoryLog(await events(4)), Broker()
    publisher = Publisher(log, broker.open)
    broker.faults = [Unavailable("no leader")]
    producer = await broker.open()
    with pytest.raises(Unavailable):
        await publisher.step(producer)
    assert (log.published, log.moves) == (0, [])
    assert await publisher.step(await broker.open()) == 4
    assert set(broker.seqs()) == {1, 2, 3, 4}
    assert broker.seqs()[-4:] == [1, 2, 3, 4]


@pytest.mark.usefixtures("quick")
async def test_after_an_error_a_new_producer_goes_on_from_the_cursor() -> None:
    log, broker = MemoryLog(await events(3)), Broker()
    publisher = Publisher(log, broker.open)
    broker.faults = [None, Unavailable("cut off"), Unavailable("cut off")]
    task = asyncio.create_task(publisher.run())
    await until(lambda: log.published == 3)
    log.waiting += await events(2)
    await until(lambda: log.published == 5)
    task.cancel()
    await asyncio.wait([task])
    assert broker.opened == broker.closed == 3
    assert broker.seqs()[:3] == [1, 2, 3]
    assert broker.seqs()[-2:] == [4, 5]
    assert publisher.failing is None


@pytest.mark.usefixtures("quick")
async def test_a_broker_that_is_away_is_named_until_it_is_back() -> None:
    log, broker = MemoryLog(await events(1)), Broker()
    broker.away = True
    publisher = Publisher(log, broker.open)
    task = asyncio.create_task(publisher.run())
    await until(lambda: publisher.failing == "no broker")
    broker.away = False
    await until(lambda: log.published == 1)
    assert publisher.failing is None
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.usefixtures("quick")
async def test_a_broker_that_went_back_is_told_the_whole_log_again() -> None:
    log, broker = MemoryLog(await events(3)), Broker()
    publisher = Publisher(log, broker.open)
    task = asyncio.create_task(publisher.run())
    await until(lambda: log.published == 3)
    broker.kept.clear()
    broker.faults = [BrokerLostItsLog("approval.log/0 went back to 0")]
    log.waiting += await events(1)
    await until(lambda: log.published == 4 and broker.seqs()[-4:] == [1, 2, 3, 4])
    assert (3, 0) in log.moves
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.usefixtures("quick")
async def test_a_broker_that_is_found_empty_is_told_the_whole_log_again() -> None:
    log, broker = MemoryLog(await events(3)), Broker()
    await running(Publisher(log, broker.open), lambda: log.published == 3)
    broker.kept.clear()
    await running(Publisher(log, broker.open), lambda: broker.seqs() == [1, 2, 3])
    assert log.published == 3


async def test_a_long_log_goes_batch_by_batch() -> None:
    one = (await events(1))[0]
    log, broker = MemoryLog([one] * (2 * BATCH + 1)), Broker()
    publisher = Publisher(log, broker.open)
    producer = await broker.open()
    assert [await publisher.step(producer) for _ in range(4)] == [BATCH, BATCH, 1, 0]
    assert broker.seqs() == list(range(1, 2 * BATCH + 2))


async def test_two_publishers_at_once_lose_nothing_and_go_only_forward(
    app_db: Database, worker_db: Database
) -> None:
    store, log, broker = PostgresStore(app_db), PostgresLog(worker_db), Broker()
    seen = [
        observation(f"R-{number}", revision=str(revision), amount=revision)
        for revision in range(1, 4)
        for number in range(15)
    ]
    publishers = [Publisher(log, broker.open) for _ in range(2)]
    producer = await broker.open()

    async def publish_all(publisher: Publisher) -> None:
        while (await log.progress())[0] < len(seen):
            await publisher.step(producer)

    async with asyncio.timeout(20):
        await asyncio.gather(
            Intake(store, Clock()).observed(observed(*seen)),
            *(publish_all(publisher) for publisher in publishers),
        )
    assert await log.progress() == (45, 45)
    first_times = list(dict.fromkeys(broker.seqs()))
    assert first_times == list(range(1, 46)), "whoever reads only forward sees all, in order"


async def test_events_of_a_transaction_that_commits_late_are_not_passed_over(
    app_db: Database, worker_db: Database
) -> None:
    store, log, broker = PostgresStore(app_db), PostgresLog(worker_db), Broker()
    intake, publisher = Intake(store, Clock()), Publisher(PostgresLog(worker_db), broker.open)
    producer = await broker.open()
    name = secrets.token_hex(4)
    async with worker_db.connection() as slow:
        transaction = slow.transaction()
        await transaction.start()
        # It has drawn its place before the next event, and commits after it.
        await slow.execute(
            "INSERT INTO events (workspace, approval_id, version, type, schema_version, data,"
            " command_id) SELECT workspace, $1, 1, type, schema_version, data, command_id FROM"
            " (VALUES ('w', 'approval.commented', 1::smallint,"
            ' \'{"comment_id":"c","by":{"email":"a@b"},"text":"t",'
            '"at":"2026-01-01T00:00:00Z"}\', \'c\'))'
            " AS v (workspace, type, schema_version, data, command_id)",
            name,
        )
        await intake.observed(observed(observation()))
        assert await publisher.step(producer) == 0
        await transaction.commit()
    assert await publisher.step(producer) == 2
    keys = [message.key.decode() for message in broker.kept if message.topic == "approval.log"]
    assert keys[0] == name
    assert await log.progress() == (2, 2)
