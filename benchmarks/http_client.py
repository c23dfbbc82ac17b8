"""A lean HTTP/1.1 client on one kept connection: it must cost less than what it measures."""

import asyncio
from typing import Self, cast

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_CHUNKED = b"transfer-encoding: chunked"


class Closed(Exception):
    """The server closed the connection: connect again."""


class Connection(asyncio.Protocol):
    """One request at a time; answers must say their length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._needed = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Connect; raises OSError."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request and return status and body; raises `Closed`."""
        if self._transport is None or self._transport.is_closing():
            raise Closed("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Let go of the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transport is none by inheritance, only by what it does.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer, and hand it over when it is whole."""
        self._buffer = self._buffer + data if self._buffer else data
        if not self._needed:
            end = self._buffer.find(_END)
            if end < 0:
                return
            self._needed = end + len(_END) + _length(self._buffer[:end].lower())
        if len(self._buffer) < self._needed:
            return
        whole, self._buffer = self._buffer[: self._needed], self._buffer[self._needed :]
        self._needed = 0
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            head, _, body = whole.partition(_END)
            answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Closed(str(exc or "the server closed the connection")))


def _length(head: bytes) -> int:
    at = head.find(_LENGTH)
    if at < 0:
        if _CHUNKED in head:
            raise ValueError("this client reads no chunked answers")
        return 0
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    """Return a whole request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {key}",
    ]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + _END + body
