"""A loopback TCP proxy whose faults a test switches on and off while connections run through it."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum, auto
from types import TracebackType
from typing import Self

from services.embedded.ports import HOST, free_port

_CHUNK = 64 * 1024
_CONNECT_TIMEOUT = 10.0
_RESET = struct.pack("ii", 1, 0)


class Way(Enum):
    """The direction of bytes."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


BOTH = frozenset(Way)


@dataclass(eq=False)
class _Link:
    """A client's connection and ours to the server for it, by the way their writers lead."""

    writers: dict[Way, asyncio.StreamWriter]
    ended: set[Way] = field(default_factory=set)

    def end(self, way: Way) -> None:
        if way not in self.ended:
            self.ended.add(way)
            with contextlib.suppress(OSError, RuntimeError):  # that side may be gone already
                self.writers[way].write_eof()

    def reset(self) -> None:
        for writer in self.writers.values():
            _reset(writer)


class TcpProxy:
    """Passes bytes between clients and a server, and spoils that as told.

    `delay`: seconds that each chunk waits, each way. `swallowed`: the ways in which bytes vanish
    while connections stay open; new connections are accepted then, too. Both may be set at any
    time. `passed` counts the bytes that went through, by way. Use it as `async with`.
    """

    def __init__(
        self,
        target_port: int,
        *,
        target_host: str = HOST,
        listen_port: int | None = None,
    ) -> None:
        self.delay = 0.0
        self.swallowed: frozenset[Way] = frozenset()
        self.passed = dict.fromkeys(Way, 0)
        self.host = HOST
        self.port = free_port() if listen_port is None else listen_port
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many connections run through now."""
        return len(self._links)

    async def start(self) -> Self:
        """Begin to listen."""
        await self.accept()
        return self

    async def stop(self) -> None:
        """Cut everything and stop listening; harmless when done twice."""
        self.refuse()
        self.cut()
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    def cut(self) -> int:
        """Reset all connections now, and say how many; new ones get through."""
        broken = len(self._links)
        for link in self._links:
            link.reset()
        return broken

    def refuse(self) -> None:
        """Refuse new connections; those that run go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def accept(self) -> None:
        """Take new connections again, on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)

    def swallow(self, *ways: Way) -> None:
        """Let the bytes of these ways vanish, without a word; of none, to let all through."""
        self.swallowed = frozenset(ways)

    def blackhole(self) -> None:
        """Let all bytes vanish, both ways."""
        self.swallowed = BOTH

    def half_close(self, way: Way) -> None:
        """Tell the receivers of this way that no more comes; the other way goes on."""
        for link in self._links:
            link.end(way)

    async def heal(self) -> None:
        """Take back all faults; what vanished is gone, and what was cut stays cut."""
        self.delay = 0.0
        self.swallowed = frozenset()
        await self.accept()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                from_server, to_server = await asyncio.open_connection(*self._target)
        except (OSError, TimeoutError):
            _reset(writer)
            return
        link = _Link({Way.TO_SERVER: to_server, Way.TO_CLIENT: writer})
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pump(link, reader, Way.TO_SERVER),
                self._pump(link, from_server, Way.TO_CLIENT),
            )
        finally:
            self._links.discard(link)
            for end in link.writers.values():
                end.close()

    async def _pump(self, link: _Link, reader: asyncio.StreamReader, way: Way) -> None:
        writer = link.writers[way]
        try:
            while data := await reader.read(_CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                if way in self.swallowed or way in link.ended:
                    continue
                writer.write(data)
                await writer.drain()
                self.passed[way] += len(data)
        except OSError:
            link.reset()  # one side broke: the other shall see it the same way
            return
        if way not in self.swallowed:
            link.end(way)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    # A plain close would look like an orderly end where nothing was left unread.
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
