"""The best broker to be had is chosen, and says what it can do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.embedded.broker import EmbeddedBroker
from tests.servers import brokers
from tests.servers.apache_kafka import container, jars
from tests.servers.apache_kafka.settings import (
    Listener,
    as_environment,
    as_properties,
    node_settings,
)
from tests.servers.brokers import Broker, choose_broker
from tests.servers.errors import KafkaRequired, NotHere, NotOurs
from tests.servers.tcp_proxy import TcpProxy


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without Docker, Java and Maven, and without settings for tests."""
    monkeypatch.delenv("PLACET_TEST_KAFKA", raising=False)
    monkeypatch.delenv("PLACET_TEST_REQUIRE_KAFKA", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(container, "_engine_answers", lambda: False)
    monkeypatch.setattr(jars.shutil, "which", lambda _: None)  # type: ignore[attr-defined] # patched where used
    return monkeypatch


async def make_topic(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        await admin.create_topics([NewTopic("letters", num_partitions=3, replication_factor=1)])
    finally:
        await admin.close()


async def topics(bootstrap: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def consume(bootstrap: str, count: int, group: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        "letters",
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    values: list[bytes] = []
    try:
        async with asyncio.timeout(30):
            while len(values) < count:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    values += [message.value for message in batch]
            await consumer.commit()
    finally:
        await consumer.stop()
    return values


async def test_without_any_kafka_the_embedded_broker_is_taken_and_told(
    bare: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    broker = await choose_broker(said.append)
    try:
        assert not broker.is_real
        assert broker.can_be_killed
        assert broker.kind == "the embedded broker"
        assert "no Docker engine answers; no java on the PATH" in said[-1]
        await make_topic(broker.bootstrap)
        address = broker.bootstrap
        await broker.lose_data()
        await broker.restart()
        assert broker.bootstrap == address
        assert await topics(address) == []
    finally:
        await broker.stop()


async def test_where_kafka_is_required_nothing_else_is_taken(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("PLACET_TEST_REQUIRE_KAFKA", "1")
    with pytest.raises(KafkaRequired, match="no Docker engine answers; no java on the PATH"):
        await choose_broker(lambda _: None)


async def test_a_given_broker_is_used_and_left_alone(
    bare: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    async with EmbeddedBroker(tmp_path / "broker") as server:
        bare.setenv("PLACET_TEST_KAFKA", server.bootstrap)
        broker = await choose_broker(lambda _: None)
        assert broker.bootstrap == server.bootstrap
        assert broker.is_real
        assert not broker.can_be_killed
        for harm in (broker.kill, broker.restart, broker.lose_data):
            with pytest.raises(NotOurs, match="PLACET_TEST_KAFKA"):
                await harm()
        await broker.stop()
        assert await topics(server.bootstrap) == []


async def test_a_given_broker_that_does_not_answer_is_refused(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("PLACET_TEST_KAFKA", "127.0.0.1:1")
    with pytest.raises(KafkaRequired, match=r"127\.0\.0\.1:1"):
        await choose_broker(lambda _: None)


async def test_a_container_is_preferred_to_jars(bare: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def refuse(_: object) -> Broker:
        tried.append("container")
        raise NotHere("not today")

    async def on_jars(_: object) -> Broker:
        tried.append("jars")
        raise NotHere("nor this")

    bare.setattr(brokers, "_in_container", refuse)
    bare.setattr(brokers, "_on_jars", on_jars)
    bare.setenv("PLACET_TEST_REQUIRE_KAFKA", "1")
    with pytest.raises(KafkaRequired, match="not today; nor this"):
        await choose_broker(lambda _: None)
    assert tried == ["container", "jars"]


async def test_an_old_java_is_not_taken(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    bare.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(NotHere, match="version 11"):
        await jars.find_java()


async def test_a_failing_fetch_leaves_nothing_and_shows_why(
    bare: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho no route to the repository\nexit 1\n")
    maven.chmod(0o755)
    bare.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bare.setattr(jars.shutil, "which", lambda _: str(maven))  # type: ignore[attr-defined] # patched where used
    with pytest.raises(NotHere, match="no route to the repository"):
        await jars.fetch_jars(lambda _: None)
    assert not list(jars.cache_folder().iterdir())


def test_the_image_gets_the_same_settings_as_the_jars() -> None:
    settings = node_settings(
        clients=Listener(bind=":9092", advertised="localhost:1234"),
        proxied=Listener(bind=":9094", advertised="localhost:1235"),
        controller="localhost:9093",
        folder="/data",
    )
    assert "auto.create.topics.enable=false\n" in as_properties(settings)
    environment = as_environment(settings)
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert environment["KAFKA_ADVERTISED_LISTENERS"] == (
        "CLIENTS://localhost:1234,PROXIED://localhost:1235"
    )
    assert len(environment) == len(settings)


@pytest.fixture(scope="module")
async def own_kafka() -> AsyncIterator[Broker]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PLACET_TEST_KAFKA", raising=False)
        try:
            broker = await brokers._on_jars(print)
        except NotHere as reason:
            pytest.skip(f"no Apache Kafka from Maven here: {reason}")
    yield broker
    await broker.stop()


@pytest.mark.kafka
@pytest.mark.faults
async def test_apache_kafka_keeps_everything_through_kill_9(own_kafka: Broker) -> None:
    assert own_kafka.is_real
    await make_topic(own_kafka.bootstrap)
    producer = AIOKafkaProducer(
        bootstrap_servers=own_kafka.bootstrap,
        acks="all",
        enable_idempotence=True,
    )
    await producer.start()
    try:
        first = [b"%d" % number for number in range(100)]
        await asyncio.gather(*[await producer.send("letters", value) for value in first])
        assert sorted(await consume(own_kafka.bootstrap, 100, "readers")) == sorted(first)
        address = own_kafka.bootstrap
        await own_kafka.kill()
        await own_kafka.restart()
        assert own_kafka.bootstrap == address
        await producer.send_and_wait("letters", b"after")
        assert await consume(address, 1, "readers") == [b"after"]
        assert sorted(await consume(address, 101, "others")) == sorted([*first, b"after"])
    finally:
        await producer.stop()


@pytest.mark.kafka
async def test_apache_kafka_makes_no_topic_by_accident(own_kafka: Broker) -> None:
    before = await topics(own_kafka.bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=own_kafka.bootstrap)
    await producer.start()
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(producer.send("accident", b"x"), 1)
    finally:
        await producer.stop()
    assert await topics(own_kafka.bootstrap) == before


@pytest.mark.kafka
@pytest.mark.faults
async def test_apache_kafka_can_lose_its_data(own_kafka: Broker) -> None:
    await own_kafka.lose_data()
    await own_kafka.restart()
    assert await topics(own_kafka.bootstrap) == []


@pytest.mark.kafka
async def test_clients_of_the_proxy_stay_on_the_proxy(own_kafka: Broker) -> None:
    route = own_kafka.proxy_route
    assert route is not None
    if "letters" not in await topics(own_kafka.bootstrap):
        await make_topic(own_kafka.bootstrap)
    async with TcpProxy(
        route.target_port,
        target_host=route.target_host,
        listen_port=route.listen_port,
    ) as proxy:
        producer = AIOKafkaProducer(bootstrap_servers=route.bootstrap, retry_backoff_ms=50)
        await producer.start()
        try:
            await producer.send_and_wait("letters", b"one")
            assert proxy.cut() > 0
            await producer.send_and_wait("letters", b"two")
            assert proxy.connections > 0
        finally:
            await producer.stop()
