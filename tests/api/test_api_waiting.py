"""Waiting for an outcome, and being told what changes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from services.queue import streams
from services.queue.broadcast import Broadcast
from tests.api.api_kit import PATIENCE_S, Office, ask, decide, found, placet_on, pointers, refused
from tests.servers.postgres import TestingPostgres


async def test_a_wait_for_what_is_final_is_answered_at_once(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    final = found(await decide(ann, approval["id"]))
    began = time.monotonic()
    answer = await agent.get(f"/v1/approvals/{approval['id']}/wait", params={"timeout": 60})
    assert time.monotonic() - began < 30
    assert (answer.status_code, found(answer)) == (200, final)


async def test_a_wait_is_answered_when_it_becomes_final(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/wait"
    waiting = asyncio.create_task(agent.get(path, params={"timeout": 60}))
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.sleep(0.3)
        assert not waiting.done()
        final = found(await decide(ann, approval["id"], "deny"))
        await office.placet.shown()
        answer = await waiting
    assert (answer.status_code, found(answer)) == (200, final)


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
            client = placet.client(await placet.key("here", "ann@example.com"))
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
