"""Endpoints on loopback that answer what a test wants, byte by byte, and who posts to them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from services.outgoing.delivering import Answer, Delivering
from services.outgoing.guard import Allowed, parse_allowed

HOST = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LOOPBACK = parse_allowed("127.0.0.0/8")
SHORT_S = 0.3
LONG_S = 30.0
"""A timeout that no test waits for: who would wait for it fails by the bound of the run."""

Behave = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Endpoint:
    """What came in: whole requests, on how many connections, and how many of these are open."""

    behave: Behave
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                await self.behave(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side has gone
        finally:
            self.open -= 1
            if not writer.is_closing():
                writer.transport.abort()


@asynccontextmanager
async def endpoint(
    behave: bytes | Behave = OK, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """Run an endpoint that answers these bytes, or behaves like this after each request."""

    async def says(writer: asyncio.StreamWriter) -> None:
        assert isinstance(behave, bytes)
        writer.write(behave)
        await writer.drain()

    found = Endpoint(says if isinstance(behave, bytes) else behave)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(found.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, HOST, 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # transports close in the loop's next turn


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    del writer
    await asyncio.Event().wait()


def dripping(first: bytes, drop: bytes = b"x", every_s: float = 0.02) -> Behave:
    """Say something, then a little more now and then, for as long as somebody listens."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(every_s)

    return behave


def calling(allowed: Allowed, **more: Any) -> Delivering:
    """One that trusts nobody's certificate: to load whom the system trusts takes its time."""
    return Delivering(allowed, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **more)


async def post(sender: Delivering, url: str, **headers: str) -> Answer:
    """Post a body that does not matter."""
    return await sender.post(url, headers, b'{"type":"approval.decided"}')
