"""A program: endpoints on loopback, of which some hang; counts what came, and how late.

One process serves them all, each on a port of its own, and answers at once. A control port tells
the ports, and what was taken since it was asked last.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

import msgspec
import uvloop

from benchmarks.measure import quantile

HOST = "127.0.0.1"
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_ID = b"webhook-id: "
_OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class _Data(msgspec.Struct):
    decided_at: datetime | None = None


class _Body(msgspec.Struct):
    data: _Data


_read = msgspec.json.Decoder(_Body).decode


class Taken(msgspec.Struct):
    """What came to the healthy endpoints since the last question; times in seconds.

    `lasted` is from the first to the last of them; `ids` how many different messages.
    """

    deliveries: int
    ids: int
    lasted: float
    p50: float
    p99: float
    longest: float
    sample: str
    hung: int


class Counter:
    """Takes note of each delivery."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.late: list[float] = []
        self.ids: set[bytes] = set()
        self.first = self.last = 0.0
        self.sample = b""
        self.hung = 0

    def note(self, head: bytes, body: bytes) -> None:
        """Count one."""
        now = time.time()
        decided_at = _read(body).data.decided_at
        if decided_at is not None:
            self.late.append(now - decided_at.timestamp())
        self.ids.add(head.partition(_ID)[2].partition(b"\r\n")[0])
        self.first = self.first or now
        self.last = now
        self.sample = body

    def taken(self) -> bytes:
        """Return what came, as JSON, and begin anew."""
        taken = Taken(
            deliveries=len(self.late),
            ids=len(self.ids),
            lasted=self.last - self.first,
            p50=quantile(self.late, 0.5),
            p99=quantile(self.late, 0.99),
            longest=max(self.late, default=0.0),
            sample=self.sample.decode(),
            hung=self.hung,
        )
        self._clear()
        return msgspec.json.encode(taken)


Answer = Callable[[bytes, bytes], bytes | None]
"""Answers a request's head and body; None never does."""


class Served(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = self._buffer[:end]
            length = head.partition(_LENGTH)[2].partition(b"\r\n")[0]
            needed = end + len(_END) + int(length or 0)
            if len(self._buffer) < needed:
                return
            body, self._buffer = self._buffer[end + len(_END) : needed], self._buffer[needed:]
            answer = self._answer(head, body)
            if answer is not None:
                self._transport.write(answer)


async def serve(control_port: int, healthy: int, hanging: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    counter = Counter()

    def take(head: bytes, body: bytes) -> bytes:
        counter.note(head, body)
        return _OK

    def hang(_head: bytes, _body: bytes) -> None:
        counter.hung += 1

    async def opened(answer: Answer, port: int = 0) -> int:
        server = await loop.create_server(lambda: Served(answer), HOST, port, backlog=512)
        found: int = server.sockets[0].getsockname()[1]
        return found

    ports = {
        "healthy": [await opened(take) for _ in range(healthy)],
        "hanging": [await opened(hang) for _ in range(hanging)],
    }

    def control(head: bytes, _body: bytes) -> bytes:
        said = b"{}"
        if b" /ports " in head:
            said = msgspec.json.encode(ports)
        elif b" /came " in head:
            said = msgspec.json.encode({"ids": len(counter.ids)})
        elif b" /taken " in head:
            said = counter.taken()
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said)

    await opened(control, control_port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(*(int(argument) for argument in sys.argv[1:])))
