"""Chooses the broker that the tests run against: a real Kafka wherever one is to be had."""

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from services.embedded.broker import EmbeddedBroker
from services.embedded.errors import LocalServerProblem
from services.embedded.kafka_probe import kafka_answers
from tests.servers.apache_kafka.container import ContainerKafka
from tests.servers.apache_kafka.node import ApacheKafka
from tests.servers.apache_kafka.settings import ProxyRoute
from tests.servers.errors import KafkaRequired, NotHere, NotOurs

GIVEN = "PLACET_TEST_KAFKA"
REQUIRED = "PLACET_TEST_REQUIRE_KAFKA"

Say = Callable[[str], None]


class _Server(Protocol):
    @property
    def bootstrap(self) -> str: ...
    async def stop(self) -> None: ...
    async def kill(self) -> None: ...
    async def restart(self) -> None: ...


class Broker:
    """A running broker for tests.

    `kind` says which, for people. `is_real`: it is Apache Kafka, so tests marked `kafka` can run.
    `can_be_killed`: we started it; `kill`, `restart` and `lose_data` work. `proxy_route`: the way
    in for clients whose connections a test spoils, or None.
    """

    def __init__(self, kind: str, server: _Server, *, is_real: bool, folder: Path | None) -> None:
        self.kind = kind
        self.is_real = is_real
        self.can_be_killed = not isinstance(server, _Given)
        self.proxy_route: ProxyRoute | None = getattr(server, "proxy_route", None)
        self._server = server
        self._folder = folder

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`; a restart keeps it."""
        return self._server.bootstrap

    async def stop(self) -> None:
        """Stop it and remove what it kept; leaves a broker alone that we did not start."""
        try:
            await self._server.stop()
        finally:
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def kill(self) -> None:
        """End it by SIGKILL, now. Raises NotOurs for a broker that we did not start."""
        await self._server.kill()

    async def restart(self) -> None:
        """Bring it back on the same address; a real Kafka has kept its data."""
        await self._server.restart()

    async def lose_data(self) -> None:
        """Kill it and remove all topics, messages and offsets; `restart` brings it back empty."""
        if isinstance(self._server, ApacheKafka | ContainerKafka):
            await self._server.lose_data()
        else:
            await self._server.kill()


class _Given:
    """A broker that somebody else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    async def stop(self) -> None:
        """Nothing: it is not ours."""

    async def kill(self) -> None:
        raise NotOurs(f"The broker of {GIVEN} is not ours to kill; leave it unset for such tests.")

    async def restart(self) -> None:
        await self.kill()


async def choose_broker(say: Say) -> Broker:
    """Start, or find, the best broker to be had here; a new one at each call unless one is given.

    In this order: PLACET_TEST_KAFKA (bootstrap servers), Apache Kafka in a container, Apache Kafka
    on Maven's jars, the embedded broker. `say` gets lines about what takes long or is missing.
    Raises KafkaRequired instead of taking the embedded one when PLACET_TEST_REQUIRE_KAFKA is 1.
    """
    given = os.environ.get(GIVEN)
    if given:
        return await _reach(given)
    missing = []
    choices: tuple[Callable[[Say], Awaitable[Broker]], ...] = (_in_container, _on_jars)
    for choice in choices:
        try:
            return await choice(say)
        except (NotHere, LocalServerProblem) as reason:
            missing.append(str(reason))
    reasons = "; ".join(missing)
    if os.environ.get(REQUIRED) == "1":
        raise KafkaRequired(
            f"{REQUIRED}=1, but no Apache Kafka is to be had: {reasons}. Set {GIVEN} to the "
            "bootstrap servers of one, start Docker, or install Maven and Java 17.",
        )
    say(f"Testing on the embedded broker, without tests that need a real Kafka: {reasons}.")
    return await _embedded()


async def _reach(bootstrap: str) -> Broker:
    if not await kafka_answers(bootstrap.partition(",")[0]):
        raise KafkaRequired(f"{GIVEN} names {bootstrap}, and no Kafka answers there.")
    return Broker(f"Kafka at {bootstrap}", _Given(bootstrap), is_real=True, folder=None)


async def _in_container(say: Say) -> Broker:
    server = ContainerKafka(say)
    await server.start()
    return Broker("Apache Kafka in a container", server, is_real=True, folder=None)


async def _on_jars(say: Say) -> Broker:
    folder = Path(tempfile.mkdtemp(prefix="placet-kafka-"))
    try:
        server = await ApacheKafka(folder, say=say).start()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Broker("Apache Kafka on Maven's jars", server, is_real=True, folder=folder)


async def _embedded() -> Broker:
    folder = Path(tempfile.mkdtemp(prefix="placet-broker-"))
    try:
        server = await EmbeddedBroker(folder).start()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Broker("the embedded broker", server, is_real=False, folder=folder)
