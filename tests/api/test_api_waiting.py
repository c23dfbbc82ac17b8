"""Waiting for an outcome, and being told what changes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from projections.queries import Changes, Queries
from services.bootstrap.serving import serving
from services.embedded.ports import free_port
from services.queue import streams
from services.queue.api import queue_router
from services.queue.broadcast import Broadcast
from services.queue.streams import Streams
from services.queue.waits import COME_AGAIN_S, Waits
from services.web.app import authenticated, make_app
from tests.api.api_kit import (
    HOST,
    PATIENCE_S,
    REQUESTER,
    Office,
    ask,
    decide,
    found,
    placet_on,
    pointers,
    refused,
)
from tests.servers.postgres import TestingPostgres
from tests.services.service_kit import until


async def test_a_wait_for_what_is_final_is_answered_at_once(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    final = found(await decide(ann, approval["id"]))
    began = time.monotonic()
    answer = await agent.get(f"/v1/approvals/{approval['id']}/wait", params={"timeout": 60})
    assert time.monotonic() - began < 30
    assert (answer.status_code, found(answer)) == (200, final)


async def test_a_wait_is_answered_when_it_becomes_final_whatever_the_publisher_does(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/wait"
    waiting = asyncio.create_task(agent.get(path, params={"timeout": 60}))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.sleep(0.3)
        assert not waiting.done()
        final = found(await decide(ann, approval["id"], "deny"))
        answer = await waiting
    assert (answer.status_code, found(answer)) == (200, final)


async def test_all_who_wait_are_answered_each_with_its_own(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approvals = [(await ask(agent))["id"] for _ in range(6)]
    await office.placet.shown()
    clients = [await office.person(REQUESTER) for _ in range(4)]
    waiting = [
        asyncio.create_task(client.get(f"/v1/approvals/{one}/wait", params={"timeout": 60}))
        for one in approvals
        for client in clients
    ]
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.sleep(0.2)
        finals = [found(await decide(ann, one)) for one in approvals]
        answers = [found(answer) for answer in await asyncio.gather(*waiting)]
    assert answers == [final for final in finals for _ in clients]


async def test_a_wait_for_an_unknown_one_is_answered_at_once(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for approval_id in ("2" * 27, "x", "%00", "\N{SNOWMAN}"):
            path = f"/v1/approvals/{approval_id}/wait"
            refused(await agent.get(path, params={"timeout": 60}), 404, "not_found")
        elsewhere = await office.mirrored()
        other = office.placet.client(await office.placet.key("another-one", REQUESTER))
        async with other:
            answer = await other.get(f"/v1/approvals/{elsewhere}/wait", params={"timeout": 60})
        refused(answer, 404, "not_found")


@asynccontextmanager
async def waiting_room(office: Office, *, most: int) -> AsyncIterator[tuple[Waits, int]]:
    """Serve the queue's calls beside the others, with room for so many waits; and the port."""
    parts, port = office.placet.parts, free_port()
    queries = Queries(parts.app_db, parts.store)
    closing = asyncio.Event()
    broadcast = Broadcast(Changes(parts.worker_db))
    waits = Waits(queries, broadcast, closing, most=most)
    streams = Streams(broadcast, closing)
    router = queue_router(queries, waits, streams, authenticated(parts.keys))
    following = asyncio.create_task(broadcast.run())
    async with serving(make_app([router]), HOST, port):
        yield waits, port
        closing.set()
    following.cancel()
    await asyncio.wait([following])


async def connections(
    office: Office, approval_id: str, port: int, many: int
) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Begin to wait on connections of our own, without reading an answer."""
    key = await office.placet.key(office.workspace, REQUESTER)
    request = (
        f"GET /v1/approvals/{approval_id}/wait?timeout=60 HTTP/1.1\r\nHost: here\r\n"
        f"Authorization: Bearer {key}\r\n\r\n"
    ).encode()
    opened = [await asyncio.open_connection(HOST, port) for _ in range(many)]
    for _, writer in opened:
        writer.write(request)
    return opened


async def test_who_hangs_up_leaves_nothing_behind(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    async with (
        asyncio.timeout(PATIENCE_S),
        waiting_room(office, most=10) as (waits, port),
    ):
        opened = await connections(office, approval["id"], port, 5)
        await until(lambda: len(waits._open) == 5)
        for _, writer in opened:
            writer.close()
        await until(lambda: not waits._open)


async def test_one_more_than_there_is_room_for_is_told_when_to_come_again(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    async with (
        asyncio.timeout(PATIENCE_S),
        waiting_room(office, most=2) as (waits, port),
    ):
        opened = await connections(office, approval["id"], port, 2)
        await until(lambda: len(waits._open) == 2)
        path = f"http://{HOST}:{port}/v1/approvals/{approval['id']}/wait"
        answer = await agent.get(path)
        refused(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == str(COME_AGAIN_S)
        await decide(ann, approval["id"])
        assert all([await reader.readline() == b"HTTP/1.1 200 OK\r\n" for reader, _ in opened])
        assert (await agent.get(path)).status_code == 200
        for _, writer in opened:
            writer.close()


async def test_a_wait_ends_when_its_time_is_over(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/wait"
    for seconds in (0, 1):
        began = time.monotonic()
        answer = await agent.get(path, params={"timeout": seconds})
        assert time.monotonic() - began >= seconds
        assert (answer.status_code, found(answer)) == (200, approval)


@pytest.mark.parametrize("timeout", ["-1", "61", "0.5", "soon", "", "9" * 400])
async def test_a_wait_of_another_length_is_refused(agent: httpx2.AsyncClient, timeout: str) -> None:
    approval = await ask(agent)
    answer = await agent.get(f"/v1/approvals/{approval['id']}/wait", params={"timeout": timeout})
    assert pointers(refused(answer, 422, "invalid")) == ["/timeout"]


async def events(answer: httpx2.Response) -> AsyncIterator[dict[str, str]]:
    """What a stream tells, without comments."""
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line == "" and event:
            yield event
            event = {}
        elif not line.startswith(":") and line:
            name, _, text = line.partition(": ")
            event[name] = text


async def test_a_stream_tells_what_changed_once_the_queue_shows_it(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    async with (
        asyncio.timeout(PATIENCE_S),
        ann.stream("GET", "/v1/stream") as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        told = events(answer)
        assert await anext(told) == {"retry": "2000"}
        approval = await ask(agent)
        await decide(ann, approval["id"])
        await office.placet.shown()
        seen = [await anext(told) for _ in range(3)]
    assert [one["event"] for one in seen] == ["changed"] * 3
    assert [json.loads(one["data"]) for one in seen] == [
        {"id": approval["id"], "type": f"approval.{kind}", "version": version}
        for version, kind in enumerate(("requested", "decision_submitted", "decided"), start=1)
    ]
    places = [int(one["id"]) for one in seen]
    assert places == list(range(places[0], places[0] + 3))


async def test_a_reader_that_comes_back_is_told_to_read_everything_anew(
    ann: httpx2.AsyncClient,
) -> None:
    headers = {"Last-Event-ID": "1"}
    async with (
        asyncio.timeout(PATIENCE_S),
        ann.stream("GET", "/v1/stream", headers=headers) as answer,
    ):
        told = events(answer)
        assert [await anext(told), await anext(told)] == [
            {"retry": "2000"},
            {"event": "missed", "data": "{}"},
        ]


async def test_what_the_document_says_of_the_stream_is_what_it_does(office: Office) -> None:
    call = office.placet.app.openapi()["paths"]["/v1/stream"]["get"]
    said = call["responses"]["200"]["description"]
    for word in ("`changed`", "`missed`", "`Last-Event-ID`"):
        assert word in said
    assert f"{streams.HEARTBEAT_S:.0f} s" in said
    assert f"{streams.LASTS_S / 60:.0f} minutes" in said
    assert list(call["responses"]["200"]["content"]) == ["text/event-stream"]


async def test_a_watcher_from_before_a_new_start_is_told_that_it_missed_something() -> None:
    broadcast = Broadcast(tail=None)  # type: ignore[arg-type] # it is not read here
    with broadcast.watching("here") as early:
        broadcast._begin()
        assert (early.followed.is_set(), early.missed) == (True, False)
        with broadcast.watching("here") as later:
            assert (later.followed.is_set(), later.missed) == (True, False)
            broadcast._begin()
            assert (early.missed, later.missed) == (True, True)


async def test_waits_and_streams_end_when_the_server_goes_down(
    postgres: TestingPostgres, migrated: str
) -> None:
    async with postgres.database(template=migrated) as dsn:
        async with placet_on(dsn) as placet:
            client = placet.client(await placet.key("here", "agent@example.com"))
            approval = await ask(client)
            path = f"/v1/approvals/{approval['id']}/wait"
            waiting = asyncio.create_task(client.get(path, params={"timeout": 60}))
            listening = asyncio.create_task(client.get("/v1/stream"))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            assert not listening.done()
        async with asyncio.timeout(PATIENCE_S):
            assert found(await waiting) == approval
            assert (await listening).text.startswith("retry: 2000\n\n")
        await client.aclose()
