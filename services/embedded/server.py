"""The life of one of our own servers: claimed directory, port, start, watch, stop, start again."""

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from services.embedded.child import Child, Command, StopSteps
from services.embedded.data_dir import DataDir
from services.embedded.errors import ChildDied, DataDirUnusable, LocalServerProblem
from services.embedded.leftovers import Trace, end_leftovers, tag_of
from services.embedded.ports import claim_port

_TRIES = 3
_TAKEN = ("could not bind", "in use")


class LocalServer(ABC):
    """A server on a loopback port, with all it writes in `directory`.

    `port`: None takes a free one. Use it as `async with`, or `start` and `stop`. Two at once on the
    same directory are refused; what an earlier run left running there is ended first.
    """

    name: str
    """What messages call it."""
    program: str
    """How its process's name begins."""
    setting: str
    """What a person would change to get another port."""
    needed: int
    """Bytes that must be free for its directory."""
    stop_with: StopSteps
    ready_timeout: float
    """Seconds."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self.tag = tag_of(self.directory)
        self._wanted_port = port
        self._port: int | None = port
        self._claim: DataDir | None = None
        self._child: Child | None = None

    @property
    @abstractmethod
    def log(self) -> Path:
        """The file that its output is added to; begun anew at a start when above 10 MiB."""

    @property
    @abstractmethod
    def mark(self) -> str:
        """The argument of its command line that holds `tag`."""

    @abstractmethod
    async def prepare(self) -> None:
        """Make what must be there before the process starts; nothing of it runs now."""

    @abstractmethod
    def command(self, port: int) -> Command:
        """How to start it on this port."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Whether it takes work; answers within seconds and raises nothing while it does not."""

    @property
    def port(self) -> int:
        """The loopback port."""
        if self._port is None:
            raise LocalServerProblem(f"{self.name} has not been started.")
        return self._port

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self._started().pid

    @property
    def died(self) -> asyncio.Future[ChildDied]:
        """Done when the server ended unasked; each start makes a new one."""
        return self._started().died

    async def start(self) -> Self:
        """Start the server and return once it takes work.

        Raises LocalServerProblem, of the kind that says what to mend.
        """
        # Also where the caller holds a folder above: what follows ends every server of this
        # directory, which must not be one in use.
        self._claim = DataDir.claim(self.directory, needed=self.needed)
        try:
            await self._run()
        except OSError as error:
            await self.stop()
            raise DataDirUnusable(f"{self.directory} cannot be used: {error}.") from error
        except BaseException:
            await self.stop()
            raise
        return self

    async def stop(self) -> None:
        """Stop the server cleanly and let go of the directory; harmless when done twice."""
        try:
            if self._child is not None:
                await self._child.stop()
        finally:
            if self._claim is not None:
                self._claim.release()
                self._claim = None

    async def kill(self) -> None:
        """End the server by SIGKILL, as a crash would, and keep the directory for `restart`."""
        await self._started().kill()

    async def restart(self) -> None:
        """Start the server again on the same port and directory, whether it died or still runs."""
        await self._started().stop()
        self._wanted_port = self._port
        await self._run()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _started(self) -> Child:
        if self._child is None:
            raise LocalServerProblem(f"{self.name} has not been started.")
        return self._child

    async def _run(self) -> None:
        trace = Trace(program=self.program, tag=self.tag, mark=self.mark)
        await end_leftovers(trace, self.stop_with)
        await self.prepare()
        for tries_left in reversed(range(_TRIES)):
            self._port = claim_port(self._wanted_port, self.setting)
            self._child = await Child.start(self.command(self._port))
            try:
                await self._child.wait_until_ready(self.is_ready, timeout=self.ready_timeout)
                return
            except ChildDied as death:
                # Between our look at the port and the server's, another program may have come.
                if tries_left == 0 or not _says_taken(death):
                    raise
            except BaseException:
                await self._child.stop()
                raise


def _says_taken(death: ChildDied) -> bool:
    return any(words in line for line in death.last_lines for words in _TAKEN)
