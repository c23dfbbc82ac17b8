"""What an open page is told of, and when that ends."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from projections.queries import Change
from services.queue.broadcast import WATCHED, Broadcast
from services.queue.pages import stream
from services.queue.pages.stream import Streams
from tests.pages.fakes import MARIA, Placet

PATIENCE_S = 5


class NoTail:
    async def head(self) -> int:
        return 0

    async def after(self, seq: int, limit: int = 500) -> list[Change]:
        return [][seq:limit]


def change(workspace: str = "default", seq: int = 1) -> Change:
    return Change(
        seq=seq,
        workspace=workspace,
        approval_id="a" * 27,
        version=2,
        type="approval.decided",
        shown=2,
        recorded_at=datetime.now(UTC),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def following(placet: Placet) -> AsyncIterator[Placet]:
    running = asyncio.create_task(placet.broadcast.run())
    yield placet
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


class Reader:
    """A browser that reads a stream over ASGI, and may go away."""

    def __init__(self, placet: Placet, cookies: str) -> None:
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/inbox/stream",
            "raw_path": b"/inbox/stream",
            "query_string": b"",
            "headers": [(b"cookie", cookies.encode())],
            "server": ("placet.test", 80),
            "client": ("127.0.0.1", 1),
        }
        self.task = asyncio.create_task(placet.app(scope, self._receive, self._send))

    async def _receive(self) -> MutableMapping[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status.set_result(message["status"])
        else:
            self.parts.put_nowait(message.get("body", b""))

    async def next(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.parts.get()

    async def go_away(self) -> None:
        self._gone.set()
        async with asyncio.timeout(PATIENCE_S):
            await self.task


def cookies(placet: Placet) -> str:
    return "; ".join(f"{name}={value}" for name, value in placet.cookies().items())


async def test_a_page_is_told_what_changed_and_no_more_than_that(following: Placet) -> None:
    reader = Reader(following, cookies(following))
    assert await reader.next() == b"retry: 2000\n\n"
    approval_id = await following.world.ask("A secret title", approvers=[MARIA])
    told = await reader.next()
    assert told == (
        b'event: changed\ndata: {"id":"%s","type":"approval.requested","version":1}\n\n'
        % approval_id.encode()
    )
    await reader.go_away()
    assert not following.broadcast._watchers


async def test_a_stream_ends_when_the_server_goes_down(following: Placet) -> None:
    reader = Reader(following, cookies(following))
    await reader.next()
    following.closing.set()
    async with asyncio.timeout(PATIENCE_S):
        await reader.task
    assert not following.broadcast._watchers


async def test_nobody_is_told_nothing(nobody: httpx2.AsyncClient) -> None:
    assert (await nobody.get("/inbox/stream")).status_code == 401


async def test_another_workspace_s_changes_are_not_told() -> None:
    broadcast = Broadcast(NoTail())
    events = Streams(broadcast, asyncio.Event(), heartbeat_s=0.05)._events("default")
    await anext(events)
    (watcher,) = broadcast._watchers
    broadcast._show(change(workspace="other"))
    assert await anext(events) == b": still here\n\n"
    broadcast._show(change())
    assert b"changed" in await anext(events)
    assert watcher.changes.empty()
    await events.aclose()
    assert not broadcast._watchers


async def test_a_quiet_stream_says_that_it_is_there() -> None:
    streams = Streams(Broadcast(NoTail()), asyncio.Event(), heartbeat_s=0.01)
    events = streams._events("default")
    assert [await anext(events) for _ in range(3)] == [
        b"retry: 2000\n\n",
        b": still here\n\n",
        b": still here\n\n",
    ]
    await events.aclose()


async def test_whoever_fell_behind_is_sent_away_to_read_everything_anew() -> None:
    broadcast = Broadcast(NoTail())
    events = Streams(broadcast, asyncio.Event())._events("default")
    await anext(events)
    for seq in range(WATCHED + 1):
        broadcast._show(change(seq=seq))
    assert [event async for event in events] == []
    assert not broadcast._watchers


async def test_a_stream_lasts_its_time_and_is_then_asked_for_again() -> None:
    streams = Streams(Broadcast(NoTail()), asyncio.Event(), heartbeat_s=0.02, lasts_s=0.03)
    async with asyncio.timeout(PATIENCE_S):
        events = [event async for event in streams._events("default")]
    assert events[0] == b"retry: 2000\n\n"
    assert len(events) <= 3


async def test_no_more_streams_than_there_is_room_for(
    placet: Placet, john: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_STREAMS", 1)
    reader = Reader(placet, cookies(placet))
    await reader.next()
    assert (await john.get("/inbox/stream")).status_code == 503
    await reader.go_away()
    again = Reader(placet, cookies(placet))
    assert await again.next() == b"retry: 2000\n\n"
    await again.go_away()


async def test_asking_for_the_headers_opens_no_stream(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    answer = await john.head("/inbox/stream")
    assert answer.status_code == 200
    assert not placet.broadcast._watchers
