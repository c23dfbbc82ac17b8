"""Bounds what comes back over HTTP, whoever reads it."""

import ssl
from collections.abc import AsyncIterator
from functools import cache

import httpx2

MOST = 1024 * 1024


class TooMuch(Exception):
    """More came back than anybody needs."""


class Bounded(httpx2.AsyncBaseTransport):
    """Another transport, of whose answers no more than `MOST` bytes are read."""

    def __init__(self, transport: httpx2.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return an answer; reading more of it than `MOST` raises `TooMuch`."""
        answer = await self._transport.handle_async_request(request)
        if not isinstance(answer.stream, httpx2.AsyncByteStream):
            raise TypeError(f"not an answer to wait for: {answer.stream!r}")
        answer.stream = _Stream(answer.stream)
        return answer

    async def aclose(self) -> None:
        """Close what is beneath."""
        await self._transport.aclose()


def over_tls() -> httpx2.AsyncBaseTransport:
    """Return a transport that checks certificates."""
    return httpx2.AsyncHTTPTransport(verify=_trusted())


@cache
def _trusted() -> ssl.SSLContext:
    """Return whose certificates are trusted: read once, which takes a while."""
    return httpx2.create_ssl_context()


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > MOST:
                raise TooMuch
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
