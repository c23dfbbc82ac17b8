"""The address `/mcp`: the SDK's own client over HTTP, who is let in, and what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from services.bootstrap.serving import serving
from services.embedded.ports import HOST, free_port
from services.mcp.endpoint import MAX_BODY, Endpoint
from services.web.app import make_app
from tests.mcp.stand_in import (
    BOTH,
    ID,
    KEY,
    NO_CERTIFICATES,
    PUBLIC,
    StandIn,
    approval,
    done,
    problem,
    refused,
    said,
    texts,
    tools,
)

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
LEGACY = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-06-18",
    "Authorization": f"Bearer {KEY}",
}


@dataclass
class Served:
    """An endpoint on a port, with a stand-in for the API behind it."""

    url: str
    api: StandIn
    endpoint: Endpoint

    async def post(self, body: Any = LIST, **headers: str | None) -> httpx2.Response:
        """What the address answers; a header that is None is left out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        merged = {**LEGACY, **named}
        async with httpx2.AsyncClient(timeout=20, verify=NO_CERTIFICATES) as http:
            return await http.post(
                self.url,
                json=body,
                headers={name: value for name, value in merged.items() if value is not None},
            )

    async def is_up(self) -> None:
        """Wait until the loop runs that answers."""
        for _ in range(1_000):
            if (await self.post()).status_code != 503:
                return
            await asyncio.sleep(0.02)
        pytest.fail("the endpoint does not come up")


@asynccontextmanager
async def connected(url: str, key: str = KEY, mode: str = "auto") -> AsyncIterator[Client]:
    """The SDK's own client over HTTP."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20, verify=NO_CERTIFICATES) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    api = StandIn(BOTH)
    calls = api.api()
    endpoint = Endpoint(calls, PUBLIC, ["placet.internal"])
    port = free_port()
    running = asyncio.create_task(endpoint.run())
    try:
        async with serving(make_app([endpoint.router()]), HOST, port):
            served = Served(f"http://{HOST}:{port}/mcp", api, endpoint)
            await served.is_up()
            yield served
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await calls.aclose()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_clients_of_both_ages_are_served_with_their_own_key(
    served: Served, mode: str
) -> None:
    served.api.on("GET", f"/v1/approvals/{ID}", said(approval()))
    async with connected(served.url, mode=mode) as client:
        assert "decide" in await tools(client)
        _, content = await done(client, "get_approval", approval_id=ID)
        assert content["id"] == ID
        assert "approval_id" in await refused(client, "get_approval", approval_id="x")
    assert {one.headers["authorization"] for one in served.api.asked} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_each_request_is_its_own_key_s_whatever_came_before(
    served: Served, mode: str
) -> None:
    async with connected(served.url, mode=mode) as client:
        assert "decide" in await tools(client)
    served.api.agent = True
    async with connected(served.url, mode=mode) as client:
        assert "decide" not in await tools(client)


async def test_without_a_key_it_answers_401_and_says_how(served: Served) -> None:
    for given in (None, "", "Bearer", f"Basic {KEY}", KEY):
        answer = await served.post(Authorization=given)
        assert answer.status_code == 401, given
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["code"] == "no_key"


async def test_a_wrong_key_is_answered_401_as_an_invalid_token(served: Served) -> None:
    for wrong in ("plk_wrong", "x" * 5_000, "caf\u00e9"):
        async with httpx2.AsyncClient(verify=NO_CERTIFICATES) as http:
            answer = await http.post(
                served.url,
                json=LIST,
                headers=LEGACY | {"Authorization": f"Bearer {wrong}".encode("latin-1")},  # type: ignore[dict-item]
            )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.json()["code"] == "wrong_key"
        assert wrong not in answer.text


async def test_the_client_of_the_sdk_fails_with_a_wrong_key(served: Served) -> None:
    with pytest.raises((MCPError, httpx2.HTTPStatusError, ExceptionGroup)):
        async with connected(served.url, key="plk_wrong") as client:
            await client.list_tools()


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 421),
        ("Host", "127.0.0.1.evil.example", 421),
        ("Host", "placet.example.com.evil.example", 421),
        ("Host", "placet.example.com", 200),
        ("Host", "placet.example.com:8443", 200),
        ("Host", "localhost:8080", 200),
        ("Host", "[::1]:8080", 200),
        ("Host", "placet.internal", 200),
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Origin", "http://placet.example.com", 403),
        ("Origin", "https://placet.example.com", 200),
        ("Origin", "http://127.0.0.1:6274", 200),
        ("Origin", "http://localhost", 200),
    ],
)
async def test_only_its_own_names_lead_to_it(
    served: Served, header: str, value: str, status: int
) -> None:
    before = len(served.api.asked)
    answer = await served.post(**{header: value})
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["code"] == "wrong_address"
        assert f"{PUBLIC}/mcp" in answer.json()["detail"]
        # A key that came by a wrong name goes nowhere.
        assert len(served.api.asked) == before


async def test_a_body_beyond_the_bound_is_refused_before_it_is_read(served: Served) -> None:
    big = {**LIST, "params": {"_meta": {"padding": "x" * MAX_BODY}}}
    assert (await served.post(big)).status_code == 413


async def test_what_the_api_finds_too_large_is_told_to_the_model(served: Served) -> None:
    served.api.on("POST", "/v1/approvals", problem(413, "too_large", "The body is over 256 KiB."))
    async with connected(served.url) as client:
        text = await refused(
            client, "request_approval", type="t", title="x", payload={"text": "x" * 300_000}
        )
    assert "256 KiB" in text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
async def test_there_is_no_session_to_get_or_to_end(served: Served, method: str) -> None:
    async with httpx2.AsyncClient(verify=NO_CERTIFICATES) as http:
        answer = await http.request(method, served.url, headers=LEGACY)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("body", [[], 3, "x", {"jsonrpc": "2.0"}, [LIST, LIST]])
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28", "1999-01-01"])
async def test_what_is_no_request_is_refused_and_breaks_nothing(
    served: Served, body: Any, version: str
) -> None:
    answer = await served.post(body, MCP_Protocol_Version=version)
    assert 400 <= answer.status_code < 500
    assert (await served.post()).status_code == 200


async def test_a_number_that_json_has_not_is_refused_and_never_made_null(served: Served) -> None:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "request_approval",
            "arguments": {"type": "t", "title": "x", "payload": {"amount": "HERE"}},
        },
    }
    async with httpx2.AsyncClient(verify=NO_CERTIFICATES) as http:
        await http.post(
            served.url,
            content=json.dumps(call).replace('"HERE"', "NaN"),
            headers=LEGACY | {"Content-Type": "application/json"},
        )
    assert not served.api.calls("POST", "/v1/approvals")


async def test_an_api_that_is_away_is_told_before_anything_is_served(served: Served) -> None:
    def away(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("away")

    served.api.on("GET", "/v1/me", away)
    answer = await served.post()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "cannot be reached" in answer.json()["detail"]


async def test_something_else_in_the_place_of_the_api_is_told(served: Served) -> None:
    served.api.on("GET", "/v1/me", said({"hello": "world"}))
    answer = await served.post()
    assert (answer.status_code, answer.json()["code"]) == (502, "not_placet")


async def test_calls_do_not_wait_for_each_other(served: Served) -> None:
    served.api.on("GET", f"/v1/approvals/{ID}", said(approval()))
    async with connected(served.url) as client:
        answers = await asyncio.gather(
            *(client.call_tool("get_approval", {"approval_id": ID}) for _ in range(50))
        )
    assert all(not one.is_error for one in answers), [texts(one) for one in answers]


async def test_it_serves_again_after_its_loop_was_started_anew() -> None:
    api = StandIn()
    calls = api.api()
    endpoint = Endpoint(calls, PUBLIC)
    port = free_port()
    async with serving(make_app([endpoint.router()]), HOST, port):
        served = Served(f"http://{HOST}:{port}/mcp", api, endpoint)
        assert (await served.post()).status_code == 503
        for _ in range(2):
            running = asyncio.create_task(endpoint.run())
            await served.is_up()
            assert (await served.post()).status_code == 200
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        assert (await served.post()).status_code == 503
    await calls.aclose()
