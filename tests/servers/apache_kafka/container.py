"""One node of Apache Kafka in a container, where a Docker engine answers."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.embedded.kafka_probe import kafka_answers
from services.embedded.ports import free_port
from tests.servers.apache_kafka.jars import kafka_version
from tests.servers.apache_kafka.settings import (
    Listener,
    ProxyRoute,
    as_environment,
    node_settings,
)
from tests.servers.errors import NotHere

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

_LOCAL = frozenset({"localhost", "127.0.0.1"})
_PROBE = "import docker; docker.from_env(timeout=5).ping()"
_PROBE_TIMEOUT = 20.0
_READY_TIMEOUT = 90.0
_READY_EVERY = 0.1
_CLIENTS_INSIDE, _PROXIED_INSIDE, _CONTROLLER_INSIDE = 9092, 9094, 9093


class ContainerKafka:
    """A node in a container of the official image, on fixed ports of the engine's host.

    `say` gets a line about what takes long.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._container: DockerContainer | None = None
        self._port = free_port()
        self._host = "127.0.0.1"
        self.proxy_route = ProxyRoute(listen_port=free_port(), target_port=free_port())

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""
        return f"{self._host}:{self._port}"

    async def start(self) -> None:
        """Start the container and wait until it takes work. Raises NotHere."""
        if not await asyncio.to_thread(_engine_answers):
            raise NotHere("no Docker engine answers")
        image = f"apache/kafka:{kafka_version()}"
        self._say(f"Starting {image} (the first time it is pulled, which may take minutes) …")
        try:
            await asyncio.to_thread(self._create, image)
        except Exception as error:
            # Whatever Docker's client raises: an image that cannot be had, an old engine, …
            await self.stop()
            raise NotHere(f"the container did not start: {error}") from error
        await self._until_ready()

    async def stop(self) -> None:
        """Remove the container; harmless when done twice."""
        if self._container is not None:
            await asyncio.to_thread(self._container.stop)
            self._container = None

    async def kill(self) -> None:
        """End the node by SIGKILL; its data stays."""
        await asyncio.to_thread(self._running().get_wrapped_container().kill)

    async def restart(self) -> None:
        """Start the node again on the same ports and data."""
        container = self._running().get_wrapped_container()
        # Also where it still runs.
        await asyncio.to_thread(container.restart, timeout=20)
        await self._until_ready()

    async def lose_data(self) -> None:
        """Kill the node and remove all it kept; `restart` brings it back empty."""
        image = self._running().image
        await self.stop()
        await asyncio.to_thread(self._create, image)

    def _running(self) -> "DockerContainer":
        if self._container is None:
            raise NotHere("the container has not been started")
        return self._container

    def _create(self, image: str) -> None:
        # Imported only where an engine answers: it looks for one at once.
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.docker_client import DockerClient

        self._host = DockerClient().host()
        route = self.proxy_route
        self.proxy_route = ProxyRoute(route.listen_port, route.target_port, self._host)
        container = DockerContainer(image)
        # Only loopback, unless the engine runs on another machine.
        address = "127.0.0.1" if self._host in _LOCAL else "0.0.0.0"  # noqa: S104 (a remote engine)
        container.ports = {
            f"{_CLIENTS_INSIDE}/tcp": (address, self._port),  # type: ignore[dict-item] # docker's
            f"{_PROXIED_INSIDE}/tcp": (address, route.target_port),  # type: ignore[dict-item] # own
        }
        for name, value in self._environment().items():
            container.with_env(name, value)
        self._container = container
        container.start()

    def _environment(self) -> dict[str, str]:
        settings = node_settings(
            clients=Listener(bind=f":{_CLIENTS_INSIDE}", advertised=self.bootstrap),
            proxied=Listener(
                bind=f":{_PROXIED_INSIDE}",
                advertised=self.proxy_route.bootstrap,
            ),
            controller=f"localhost:{_CONTROLLER_INSIDE}",
            folder="/tmp/kafka-data",
        )
        return {
            **as_environment(settings),
            "CLUSTER_ID": "UGxhY2V0LXRlc3RzLW9uZQ",
            "KAFKA_HEAP_OPTS": "-Xms256m -Xmx512m",
        }

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(_READY_TIMEOUT):
                while not await kafka_answers(self.bootstrap):  # noqa: ASYNC110 (no event tells)
                    await asyncio.sleep(_READY_EVERY)
        except TimeoutError:
            with contextlib.suppress(NotHere):
                await self.stop()
            raise NotHere(f"Kafka's container was not ready in {_READY_TIMEOUT:g} s") from None


def _engine_answers() -> bool:
    # In a process of its own, because Docker's client leaves sockets open where no engine is, and
    # the warning about that would fail a test.
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE],
            check=False,
            capture_output=True,
            timeout=_PROBE_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0
