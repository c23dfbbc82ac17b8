"""What became of attempts is written down, whoever else had the same and whenever Postgres is."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from asyncpg.exceptions import DeadlockDetectedError

from events.store import Unavailable
from services.webhooks.deliveries import Deliveries, Outcome
from tests.core.examples import ask, requested
from tests.webhooks.webhook_kit import (
    FakeAnswer,
    Office,
    Post,
    answering,
    eventually,
    eventually_now,
)

A = "https://a.example.com/hook"


async def test_an_outcome_waits_for_postgres(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await office.subscribe(A)
    troubles: list[Exception] = [Unavailable("away"), DeadlockDetectedError("two at once")]
    record = Deliveries.record

    async def sometimes(self: Deliveries, outcomes: Sequence[Outcome]) -> Any:
        if troubles:
            raise troubles.pop(0)
        return await record(self, outcomes)

    monkeypatch.setattr(Deliveries, "record", sometimes)
    monkeypatch.setattr("services.webhooks.results.PAUSE_S", 0.01)
    await office.tell(requested(ask()))
    writing = asyncio.create_task(office.webhooks.results.run())

    async def delivered() -> bool:
        return await office.states(webhook) == ["delivered"]

    await eventually(delivered, "it is written down")
    writing.cancel()
    with suppress(asyncio.CancelledError):
        await writing
    assert troubles == []
    assert len(office.deliver.posts) == 1


async def test_what_cannot_be_written_holds_up_nothing_and_is_tried_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    webhook = await office.subscribe(A)
    record = Deliveries.record
    broken = True

    async def sometimes(self: Deliveries, outcomes: Sequence[Outcome]) -> Any:
        if broken:
            raise ValueError("a defect of ours")
        return await record(self, outcomes)

    monkeypatch.setattr(Deliveries, "record", sometimes)
    await office.tell(requested(ask()))
    with caplog.at_level(logging.CRITICAL):
        await office.settle()
    broken = False
    assert await office.states(webhook) == ["waiting"]
    office.clock.turn(seconds=50)
    await office.settle()
    assert await office.states(webhook) == ["delivered"]
    assert len({post.id for post in office.deliver.posts}) == 1


async def test_what_somebody_else_delivered_stays_delivered(office: Office) -> None:
    webhook = await office.subscribe(A)
    late = asyncio.Event()

    async def fails_late(_: Post) -> FakeAnswer:
        await late.wait()
        return FakeAnswer(status=500)

    office.deliver.behaviours[A] = fails_late
    await office.tell(requested(ask()))
    await eventually_now(lambda: office.deliver.posts, "the first is at it")
    other = Office(office.app_db, office.worker_db)
    other.clock.turn(minutes=2)  # to it, the lease is over
    other.webhooks.sender.open(other.deliver)
    await other.settle()
    assert await office.states(webhook) == ["delivered"]
    late.set()
    await office.settle()
    [delivery] = await office.deliveries(webhook)
    assert (delivery.state, delivery.attempts_made) == ("delivered", 2)
    assert [one.status for one in delivery.attempts] == [200, 500]
    await other.webhooks.lanes.close(0)


async def test_what_has_too_little_left_of_its_lease_is_not_tried(office: Office) -> None:
    webhook = await office.subscribe(A)
    free = asyncio.Event()

    async def one_by_one(_: Post) -> FakeAnswer:
        await free.wait()
        return FakeAnswer()

    office.deliver.behaviours[A] = one_by_one
    for _ in range(10):
        await office.tell(requested(ask()))
    await eventually_now(lambda: len(office.deliver.posts) == 8, "eight are under way")
    office.clock.turn(seconds=30)
    free.set()
    await eventually_now(lambda: not office.webhooks.lanes.under_way, "they end")
    assert len(office.deliver.posts) == 8
    await office.settle()  # given back, and so due at once
    assert len(office.deliver.posts) == 10
    assert set(await office.states(webhook)) == {"delivered"}


async def test_what_another_replica_is_taking_is_left_to_it(office: Office) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    for _ in range(6):
        await office.tell(requested(ask()))
    await office.settle()
    office.deliver.behaviours.clear()
    office.deliver.posts.clear()
    office.clock.turn(minutes=1)
    async with office.worker_db.connection() as connection, connection.transaction():
        await connection.fetch(
            "SELECT number FROM webhook_deliveries ORDER BY number LIMIT 2 FOR UPDATE"
        )
        async with asyncio.timeout(10):  # it does not wait for the lock
            assert await office.webhooks.sweeper.sweep() == 4
    await office.settle()
    assert set(await office.states(webhook)) == {"delivered"}
    assert len(office.deliver.posts) == 6


async def test_two_replicas_share_what_is_due(office: Office) -> None:
    webhook = await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    for _ in range(30):
        await office.tell(requested(ask()))
    await office.settle()
    office.deliver.behaviours.clear()
    office.deliver.posts.clear()
    other = Office(office.app_db, office.worker_db)
    other.webhooks.sender.open(other.deliver)
    for one in (office, other):
        one.clock.turn(minutes=1)
    await asyncio.gather(office.webhooks.sweeper.sweep(), other.webhooks.sweeper.sweep())
    await asyncio.gather(office.settle(), other.settle())
    both = [post.id for post in (*office.deliver.posts, *other.deliver.posts)]
    assert len(both) == len(set(both)) == 30
    assert set(await office.states(webhook)) == {"delivered"}
    await other.webhooks.lanes.close(0)


async def test_the_figures_say_how_much_waits_and_what_failed(office: Office) -> None:
    await office.subscribe(A)
    office.deliver.behaviours[A] = answering(500)
    await office.tell(requested(ask()))
    await office.settle()
    looking = asyncio.create_task(office.webhooks.run_looking())

    def figures() -> dict[str, float]:
        return {name: next(gauge())[1] for name, (_, gauge) in office.webhooks.gauges().items()}

    await eventually_now(lambda: figures()["placet_webhooks_waiting"] == 1, "it is counted")
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    found = figures()
    assert found["placet_webhooks_failed_attempts"] == 1
    assert found["placet_webhooks_oldest_waiting_seconds"] > 0
    assert found["placet_webhooks_disabled_endpoints"] == 0
