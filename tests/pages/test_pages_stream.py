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
from services.queue import streams
from services.queue.broadcast import WATCHED, Broadcast
from services.queue.streams import MISSED, STILL_HERE, Streams
from services.web.problems import Problem
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

    def __init__(self, placet: Placet, cookies: str, **more: str) -> None:
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
            "headers": [
                (b"cookie", cookies.encode()),
                *((name.replace("_", "-").encode(), text.encode()) for name, text in more.items()),
            ],
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
    assert await reader.next() == (
        b'id: 1\nevent: changed\ndata: {"id":"%s","type":"approval.requested","version":1}\n\n'
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


async def test_no_stream_begins_when_the_server_goes_down(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    placet.closing.set()
    assert (await john.get("/inbox/stream")).status_code == 503


async def test_a_stream_begins_only_once_the_log_is_followed(placet: Placet) -> None:
    reader = Reader(placet, cookies(placet))
    await asyncio.sleep(0.05)
    assert not reader.status.done()
    running = asyncio.create_task(placet.broadcast.run())
    assert await reader.next() == b"retry: 2000\n\n"
    await reader.go_away()
    running.cancel()
    await asyncio.wait([running])


async def test_a_stream_of_a_log_that_cannot_be_followed_is_refused(
    placet: Placet, john: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "FOLLOWED_WITHIN_S", 0.02)
    answer = await john.get("/inbox/stream")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert not placet.broadcast._watchers


async def test_a_reader_that_comes_back_is_told_to_read_everything_anew(following: Placet) -> None:
    reader = Reader(following, cookies(following), last_event_id="7")
    assert [await reader.next(), await reader.next()] == [b"retry: 2000\n\n", MISSED]
    await reader.go_away()


async def test_nobody_is_told_nothing(nobody: httpx2.AsyncClient) -> None:
    assert (await nobody.get("/inbox/stream")).status_code == 401


async def test_another_workspace_s_changes_are_not_told() -> None:
    broadcast = Broadcast(NoTail())
    open_streams = Streams(broadcast, asyncio.Event(), heartbeat_s=0.05)
    with open_streams.opened("default") as watcher:
        events = open_streams.events(watcher)
        await anext(events)
        broadcast._show(change(workspace="other"))
        assert await anext(events) == STILL_HERE
        broadcast._show(change())
        assert b"changed" in await anext(events)
        assert watcher.changes.empty()
        await events.aclose()
    assert not broadcast._watchers


async def test_a_quiet_stream_says_that_it_is_there() -> None:
    open_streams = Streams(Broadcast(NoTail()), asyncio.Event(), heartbeat_s=0.01)
    with open_streams.opened("default") as watcher:
        events = open_streams.events(watcher)
        assert [await anext(events) for _ in range(3)] == [
            b"retry: 2000\n\n",
            STILL_HERE,
            STILL_HERE,
        ]
        await events.aclose()


async def test_whoever_fell_behind_is_told_so_and_sent_away_to_read_everything_anew() -> None:
    broadcast = Broadcast(NoTail())
    open_streams = Streams(broadcast, asyncio.Event())
    with open_streams.opened("default") as watcher:
        events = open_streams.events(watcher)
        await anext(events)
        for seq in range(WATCHED + 1):
            broadcast._show(change(seq=seq))
        assert [event async for event in events] == [MISSED]


async def test_a_stream_lasts_its_time_and_is_then_asked_for_again() -> None:
    open_streams = Streams(Broadcast(NoTail()), asyncio.Event(), heartbeat_s=0.02, lasts_s=0.03)
    with open_streams.opened("default") as watcher:
        async with asyncio.timeout(PATIENCE_S):
            events = [event async for event in open_streams.events(watcher)]
    assert events[0] == b"retry: 2000\n\n"
    assert len(events) <= 3


async def test_no_more_streams_than_there_is_room_for() -> None:
    open_streams = Streams(Broadcast(NoTail()), asyncio.Event(), most=1)
    with open_streams.opened("default"):
        with pytest.raises(Problem) as refused, open_streams.opened("default"):
            pytest.fail("there was no room")
        assert refused.value.status == 503
    with open_streams.opened("default") as watcher:
        assert not watcher.missed


async def test_asking_for_the_headers_opens_no_stream(
    placet: Placet, john: httpx2.AsyncClient
) -> None:
    answer = await john.head("/inbox/stream")
    assert answer.status_code == 200
    assert not placet.broadcast._watchers
