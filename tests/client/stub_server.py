"""A server that answers as it was told to, or not at all, and remembers what it was sent."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer; `cut` ends the connection in its place, `body` is JSON unless it is text."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0
    cut: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Choose = Callable[[Asked, Sequence[Asked]], Answer]
"""Which answer a request gets, after those that were asked before it."""


class Stub:
    """Answers as is chosen."""

    def __init__(self, choose: Choose) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self._choose = choose

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while (asked := await _read(reader)) is not None:
                answer = self._choose(asked, self.asked)
                self.asked.append(asked)
                await asyncio.sleep(answer.after_s)
                if answer.cut:
                    break
                writer.write(_written(answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head[0].split(" ")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, path=path, headers=headers, body=body)


def _written(answer: Answer) -> bytes:
    body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    headers = {"Content-Type": "application/json", **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {len(body.encode())}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def stub(*answers: Answer) -> AbstractAsyncContextManager[Stub]:
    """A server that gives these answers in turn, the last one again and again."""
    return stub_that(lambda _, before: answers[min(len(before), len(answers) - 1)])


@asynccontextmanager
async def stub_that(choose: Choose) -> AsyncIterator[Stub]:
    """A server on loopback."""
    told = Stub(choose)
    server = await asyncio.start_server(told.serve, HOST, 0)
    told.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield told
    finally:
        server.close()
