"""What lies between the services fails: a broker that forgets, two publishers, cut connections."""

import asyncio
from collections import Counter
from random import Random

import asyncpg
import pytest

from events.kafka.producer import KafkaProducer
from events.kafka.topics import LOG
from events.store.database import Connection, Database
from events.store.log import PostgresLog
from services.publisher.publish import Publisher
from tests.faults.load import REQUESTER, Load
from tests.faults.site import Site
from tests.servers.tcp_proxy import Way

pytestmark = pytest.mark.faults

PUBLISHERS = ("publisher", "publisher-2")
SEEN_S = 20.0
STOLEN = 10


async def test_two_publishers_at_once_publish_some_twice_and_all_in_order(
    site: Site, seed: int
) -> None:
    broker = site.ground.broker
    database = await Database.open(site.ground.dsn, "placet_worker", size=2)

    async def producer() -> KafkaProducer:
        return await KafkaProducer.open(broker.bootstrap, idempotent=broker.is_real)

    # It leads no more and has not noticed.
    second = Publisher(PostgresLog(database), producer)
    running = asyncio.create_task(second.run())
    try:
        async with site.load(seed, approvals=120) as load:
            await load.run()
        evidence = await site.holds()
        # What the other one published last, it sees when it looks again.
        async with asyncio.timeout(SEEN_S):
            while second.published != len(evidence.store):  # noqa: ASYNC110 # nobody tells us
                await asyncio.sleep(0.1)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await database.close()
    times = Counter((one.key, one.version) for one in evidence.topics if one.topic == LOG.name)
    assert max(times.values()) > 1, "they were never at it together"


async def test_what_another_logged_and_did_not_publish_is_published(site: Site, seed: int) -> None:
    database = await Database.open(site.ground.dsn, "placet_worker", size=1)
    log, logged = PostgresLog(database), 0
    try:
        async with site.load(seed, approvals=120) as load:
            for _ in range(STOLEN):
                asking = asyncio.create_task(load.ask())
                while not asking.done():
                    logged += await log.sequence(1)
                    await asyncio.sleep(0)
                await asking
                logged += await log.sequence(1)
    finally:
        await database.close()
    assert logged, "the publisher was faster every time"
    await site.holds()


async def test_connections_to_postgres_may_be_cut_again_and_again(site: Site, seed: int) -> None:
    async with site.load(seed, approvals=120) as load, asyncio.TaskGroup() as group:
        running = group.create_task(load.run())
        random, broken = Random(seed), 0
        while not running.done():
            await asyncio.sleep(random.uniform(0.1, 0.5))
            broken += site.to_postgres.cut()
    await site.holds()
    assert broken > len(site.to_postgres.passed)


@pytest.mark.kafka
async def test_connections_to_the_broker_may_be_cut_again_and_again(site: Site, seed: int) -> None:
    assert site.to_kafka is not None
    async with site.load(seed, approvals=120) as load, asyncio.TaskGroup() as group:
        running = group.create_task(load.run())
        random, broken = Random(seed), 0
        while not running.done():
            await asyncio.sleep(random.uniform(0.2, 0.8))
            broken += site.to_kafka.cut()
    await site.holds()
    assert broken > 0


async def test_an_ask_whose_commit_nobody_heard_of_is_one_approval_when_asked_again(
    site: Site, seed: int
) -> None:
    watching = await asyncpg.connect(site.ground.dsn, timeout=10)
    try:
        async with site.load(seed, approvals=120) as load:
            first = await load.ask()  # everything is connected and at ease
            site.to_postgres.swallow(Way.TO_CLIENT)
            asking = asyncio.create_task(load.ask())
            await _until_stored(watching, asks=_told(load) + 1)
            assert not asking.done(), "nobody can have been told yet"
            await site.to_postgres.heal()
            site.to_postgres.cut()
            second = await asking
            assert second != first
            told = load.telling.commands[-1]
            assert (told.answer, told.approval_id, told.by) == ("ok", second, REQUESTER)
    finally:
        await site.to_postgres.heal()
        await watching.close(timeout=5)
    await site.holds()


@pytest.mark.kafka
async def test_a_publisher_that_had_nothing_to_do_notices_what_the_broker_lost(
    site: Site, seed: int
) -> None:
    async with site.load(seed, approvals=20, pause=0) as load:
        await load.run()
        await site.holds()
        before = _times_told_again(site)
        await site.ground.broker.lose_data()
        await site.ground.broker.restart()
        await site.ground.make_topics()
        await load.ask()
    await site.holds()
    assert _times_told_again(site) > before


@pytest.mark.kafka
async def test_a_broker_that_lost_everything_under_load_is_told_everything_again(
    site: Site, seed: int
) -> None:
    async with site.load(seed, approvals=120) as load, asyncio.TaskGroup() as group:
        group.create_task(load.run())
        await load.reached(0.5)
        await site.ground.broker.lose_data()
        await site.ground.broker.restart()
        await site.ground.make_topics()
    # What was being sent when the broker went may be the first that it has when it is back.
    evidence = await site.holds(allowed=frozenset(("out_of_order",)))
    for approval_id, stream in evidence.streams.items():
        messages = [
            one.version
            for one in sorted(evidence.topics, key=lambda one: one.offset)
            if (one.topic, one.key) == (LOG.name, approval_id)
        ]
        told_again = dict.fromkeys(messages[messages.index(1) :])
        assert list(told_again) == [one.version for one in stream], messages


def _times_told_again(site: Site) -> int:
    return sum(site[name].said.count("publishing the log again") for name in PUBLISHERS)


def _told(load: Load) -> int:
    return sum(one.action == "ask" and one.promised for one in load.telling.commands)


async def _until_stored(connection: Connection, *, asks: int) -> None:
    async with asyncio.timeout(SEEN_S):
        while (  # noqa: ASYNC110 # no event tells
            await connection.fetchval("SELECT count(*) FROM placet.events WHERE version = 1") < asks
        ):
            await asyncio.sleep(0.02)
