"""One node of Apache Kafka as a child process, on Maven's jars."""

import contextlib
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from services.embedded.child import Child, Command, StopSteps
from services.embedded.data_dir import NEEDED_BYTES
from services.embedded.errors import ChildDied
from services.embedded.kafka_probe import kafka_answers
from services.embedded.ports import HOST, free_port, is_free
from services.embedded.server import LocalServer
from tests.servers.apache_kafka.jars import cache_folder, fetch_jars, find_java
from tests.servers.apache_kafka.settings import (
    Listener,
    ProxyRoute,
    as_properties,
    node_settings,
)

_CLUSTER_ID = "UGxhY2V0LXRlc3RzLW9uZQ"
_FORMAT_TIMEOUT = 60.0
_QUICK = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_FAST = ("-XX:+UseG1GC",)


class ApacheKafka(LocalServer):
    """A combined broker and controller with its messages and log in `directory`.

    `say` gets a line about what takes long. `heap`: MiB. `quick_start`: half the start-up time and
    less memory, for less throughput; measure with False.
    """

    name = "Apache Kafka"
    program = "java"
    setting = "the port of the tests' Kafka"
    needed = NEEDED_BYTES
    stop_with: StopSteps = ((signal.SIGTERM, 20.0),)
    ready_timeout = 90.0

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        *,
        say: Callable[[str], None],
        heap: int = 512,
        quick_start: bool = True,
    ) -> None:
        super().__init__(directory, port)
        self._say = say
        self._flags = (f"-Xms{heap // 2}m", f"-Xmx{heap}m", *(_QUICK if quick_start else _FAST))
        self._java = Path()
        self._jars = Path()
        self._controller = 0
        self._data = self.directory / "data"
        self.proxy_route = ProxyRoute(listen_port=free_port(), target_port=free_port())

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The file with the node's warnings."""
        return self.directory / "kafka.log"

    @property
    def mark(self) -> str:
        """A property of its virtual machine."""
        return f"-Dplacet.tag={self.tag}"

    async def prepare(self) -> None:
        """Fetch the jars and format the data folder, where that was not done before.

        Raises NotHere where there is no Java or no Maven, ChildDied when the formatting fails.
        """
        self._java = await find_java()
        self._jars = await fetch_jars(self._say)
        (self.directory / "tmp").mkdir(exist_ok=True)
        if not self._data.exists():
            # Formatting takes a Java's start, so every node gets a copy of one result.
            shutil.copytree(await self._formatted(), self._data)

    def command(self, port: int) -> Command:
        """The node's command line; writes its settings."""
        if self._controller == 0 or not is_free(self._controller):
            self._controller = free_port()
        route = self.proxy_route
        settings = node_settings(
            clients=Listener(bind=f"{HOST}:{port}", advertised=f"{HOST}:{port}"),
            proxied=Listener(bind=f"{HOST}:{route.target_port}", advertised=route.bootstrap),
            controller=f"{HOST}:{self._controller}",
            folder=str(self._data),
        )
        properties = self.directory / "server.properties"
        properties.write_text(as_properties(settings))
        return self._java_command("kafka.Kafka", str(properties), log=self.log)

    async def is_ready(self) -> bool:
        """Whether topics can be made."""
        return await kafka_answers(self.bootstrap)

    async def lose_data(self) -> None:
        """Kill the node and remove all it kept; `restart` brings it back empty."""
        await self.kill()
        shutil.rmtree(self._data)

    async def _formatted(self) -> Path:
        formatted = cache_folder() / "formatted"
        if formatted.is_dir():
            return formatted
        with tempfile.TemporaryDirectory(dir=formatted.parent) as unfinished:
            folder = Path(unfinished)
            listener = Listener(bind=f"{HOST}:1", advertised=f"{HOST}:1")
            settings = node_settings(
                clients=listener,
                proxied=Listener(bind=f"{HOST}:2", advertised=f"{HOST}:2"),
                controller=f"{HOST}:3",
                folder=str(folder / "data"),
            )
            properties = folder / "server.properties"
            properties.write_text(as_properties(settings))
            order = ("kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties))
            child = await Child.start(self._java_command(*order, log=self.log))
            try:
                code = await child.wait(timeout=_FORMAT_TIMEOUT)
            finally:
                await child.kill()
            if code != 0:
                raise ChildDied("Kafka's StorageTool", code, self.log, child.last_lines())
            with contextlib.suppress(OSError):  # another process was quicker
                (folder / "data").rename(formatted)
        return formatted

    def _java_command(self, *order: str, log: Path) -> Command:
        return Command(
            name=self.name,
            argv=(
                str(self._java),
                *self._flags,
                "-XX:-UsePerfData",
                self.mark,
                f"-Djava.io.tmpdir={self.directory / 'tmp'}",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true",
                "-cp",
                f"{self._jars}/*",
                *order,
            ),
            log=log,
            stop_with=self.stop_with,
        )
