"""Bad input is answered with a problem document that says what is wrong, and never with a 5xx."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from services.web.bodies import MAX_BODY, MAX_DEPTH
from tests.api.api_kit import (
    ANN,
    PATIENCE_S,
    PROBLEM,
    Office,
    Placet,
    ask,
    asked,
    found,
    pointers,
    refused,
)

JSON = {"Content-Type": "application/json"}


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + closing * levels


async def post(client: httpx2.AsyncClient, body: bytes | str) -> httpx2.Response:
    return await client.post("/v1/approvals", content=body, headers=JSON)


@pytest.mark.parametrize(
    ("more", "unknown", "pointer"),
    [
        ({"titel": "x"}, "titel", "/titel"),
        ({"status": "approved"}, "status", "/status"),
        ({"requester": {"email": ANN, "admin": True}}, "admin", "/requester/admin"),
        ({"links": [{"kind": "a", "id": "b", "href": "c"}]}, "href", "/links/0/href"),
    ],
)
async def test_an_unknown_field_is_refused_by_name(
    agent: httpx2.AsyncClient, more: dict[str, Any], unknown: str, pointer: str
) -> None:
    answer = await agent.post("/v1/approvals", json=asked(**more))
    document = refused(answer, 422, "invalid")
    assert pointers(document) == [pointer]
    assert f"`{unknown}`" in document["detail"]


@pytest.mark.parametrize("name", ["type", "title", "approvers"])
async def test_a_missing_field_is_named(agent: httpx2.AsyncClient, name: str) -> None:
    body = asked()
    del body[name]
    answer = await agent.post("/v1/approvals", json=body)
    assert pointers(refused(answer, 422, "invalid")) == [f"/{name}"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", ""),
        ("type", 7),
        ("type", None),
        ("type", "x" * 201),
        ("type", "a\0b"),
        ("type", "a\nb"),
        ("title", ""),
        ("title", "x" * 501),
        ("title", ["x"]),
        ("payload", "text"),
        ("payload", []),
        ("payload", {"amount": 2**53}),
        ("payload", {"amount": 10**40}),
        ("approvers", []),
        ("approvers", ANN),
        ("approvers", {}),
        ("approvers", [f"a{number}@example.com" for number in range(51)]),
        ("requester", "nobody"),
        ("requester", {}),
        ("reason", "x" * 10_001),
        ("urgency", "urgent"),
        ("urgency", "HIGH"),
        ("callback_url", "javascript:alert(1)"),
        ("callback_url", "http://a b"),
        ("callback_url", "http://" + "x" * 2_000),
        ("links", [{"kind": "a", "id": "b"}] * 51),
        ("links", [{"kind": "a"}]),
        ("subject", ""),
        ("subject", "\0"),
        ("revision", "\x1b"),
        ("checkpoint_name", 1),
        ("execution_id", "x" * 201),
        ("agent_id", {}),
        ("metadata", []),
    ],
)
async def test_a_field_of_another_shape_is_refused_by_name(
    agent: httpx2.AsyncClient, field: str, value: object
) -> None:
    answer = await agent.post("/v1/approvals", json=asked(**{field: value}))
    (pointer,) = pointers(refused(answer, 422, "invalid"))
    assert pointer.split("/")[1] == field


async def test_an_approver_who_is_no_address_is_named_by_place(agent: httpx2.AsyncClient) -> None:
    answer = await agent.post("/v1/approvals", json=asked(approvers=[ANN, "ben"]))
    assert pointers(refused(answer, 422, "invalid")) == ["/approvers/1"]


async def test_fifty_approvers_are_not_too_many(agent: httpx2.AsyncClient) -> None:
    people = [f"a{number}@example.com" for number in range(50)]
    assert [one["email"] for one in (await ask(agent, approvers=people))["approvers"]] == people


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b'{"type": "x"',
        b"null trailing",
        b'{"type": NaN}',
        b'{"payload": {"a": Infinity}}',
        b'{"payload": {"a": -Infinity}}',
        b'{"payload": {"a": 1e999}}',
        b'{"payload": {"a": 01}}',
        b'{"title": "\xff\xfe"}',
        b'{"title": "\\ud800"}',
        b'{"payload": {"\\udfff": 1}}',
        b'{"title": "\xed\xa0\x80"}',
        b'{"title": "a\nb"}',
        b"\xef\xbb\xbf{}",
        b"\x00",
        b"<xml/>",
        b"title=Dinner",
        b'{"payload": {"a": ' + b"9" * 5_000 + b"}}",
    ],
)
async def test_what_is_no_json_is_refused(agent: httpx2.AsyncClient, body: bytes) -> None:
    answer = await post(agent, body)
    assert found(answer)["code"] in ("not_json", "invalid")
    refused(answer, 422, found(answer)["code"])


@pytest.mark.parametrize("body", ["[]", "null", "7", '"text"', "true"])
async def test_what_is_no_object_is_refused(agent: httpx2.AsyncClient, body: str) -> None:
    refused(await post(agent, body), 422, "invalid")


async def test_texts_with_what_a_database_cannot_hold_come_back_as_they_were(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    odd = {"nul": "a\0b", "\0": ["\x7f", "\u2028", "\U0001f989", "\ufffe"]}
    approval = await ask(
        agent,
        title="a\0b \U0001f989",
        reason="\0",
        payload=odd,
        metadata=odd,
        links=[{"kind": "\0", "id": "\0"}],
    )
    await agent.post(f"/v1/approvals/{approval['id']}/comments", json={"text": "\0"})
    await office.placet.shown()
    read = found(await agent.get(f"/v1/approvals/{approval['id']}"))
    assert (read["title"], read["payload"], read["metadata"]) == ("a\0b \U0001f989", odd, odd)
    assert len(found(await agent.get("/v1/approvals"))["data"]) == 1
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert history[1]["data"]["text"] == "\0"


async def test_numbers_come_back_as_they_were(agent: httpx2.AsyncClient) -> None:
    payload = {"a": 2**53 - 1, "b": -(2**53) + 1, "c": 0.1, "d": 1e300, "e": -0.5, "f": 0}
    approval = await ask(agent, payload=payload)
    assert found(await agent.get(f"/v1/approvals/{approval['id']}"))["payload"] == payload


async def test_of_a_name_that_comes_twice_one_value_is_kept_everywhere(
    agent: httpx2.AsyncClient,
) -> None:
    body = '{"type":"a","title":"first","title":"last","approvers":["ann@example.com"],'
    body += '"payload":{"n":1,"n":2}}'
    answer = await post(agent, body)
    approval = found(answer)
    assert (approval["title"], approval["payload"]) == ("last", {"n": 2})
    same = await ask(agent, title="last", payload={"n": 2})
    assert approval["payload_digest"] == same["payload_digest"]


async def test_nesting_has_a_bound_and_brackets_in_texts_do_not_count(
    agent: httpx2.AsyncClient,
) -> None:
    within = nested(MAX_DEPTH - 2)
    body = json.dumps(asked(title="[" * 400))[:-1] + ', "payload": {"a": %s}}'
    assert (await post(agent, body % within)).status_code == 201
    for deep in (nested(MAX_DEPTH - 1), nested(2_000), '{"a":' * 2_000 + "1" + "}" * 2_000):
        refused(await post(agent, body % deep), 422, "too_deep")
    refused(await post(agent, "[" * 200_000), 422, "too_deep")


async def test_a_text_that_never_ends_takes_no_time_to_refuse(agent: httpx2.AsyncClient) -> None:
    # Quadratic it would take some hundred times longer than anybody waits.
    async with asyncio.timeout(PATIENCE_S):
        began = time.process_time()
        answer = await post(agent, b'"' + b'\\"' * 120_000 + b"[" * 40)
        assert time.process_time() - began < PATIENCE_S
    refused(answer, 422, "not_json")


def padded(size: int) -> bytes:
    body = json.dumps(asked()).encode()
    return body[:-1] + b', "reason": null' + b" " * (size - len(body) - 17) + b" }"


async def test_a_body_has_a_bound_that_is_met_exactly(agent: httpx2.AsyncClient) -> None:
    assert len(padded(MAX_BODY)) == MAX_BODY
    assert (await post(agent, padded(MAX_BODY))).status_code == 201
    refused(await post(agent, padded(MAX_BODY + 1)), 413, "too_large")


async def test_a_body_that_does_not_say_its_length_has_the_same_bound(
    agent: httpx2.AsyncClient,
) -> None:
    async def parts(size: int) -> AsyncIterator[bytes]:
        body = padded(size)
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    answer = await agent.post("/v1/approvals", content=parts(MAX_BODY), headers=JSON)
    assert answer.status_code == 201
    assert "content-length" not in answer.request.headers
    answer = await agent.post("/v1/approvals", content=parts(MAX_BODY * 4), headers=JSON)
    refused(answer, 413, "too_large")


@pytest.mark.parametrize("call", ["decision", "withdraw", "comments"])
async def test_the_other_calls_hold_to_the_same_bounds(
    agent: httpx2.AsyncClient, call: str
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/{call}"
    large = b" " * (MAX_BODY + 1)
    refused(await agent.post(path, content=large, headers=JSON), 413, "too_large")
    deep = b'{"reason": ' + nested(40).encode() + b"}"
    refused(await agent.post(path, content=deep, headers=JSON), 422, "too_deep")
    answer = await agent.post(path, json={"reason": "x" * 10_001, "text": "x" * 10_001})
    refused(answer, 422, "invalid")
    refused(await agent.post(path, json={"nonsense": 1}), 422, "invalid")
    refused(await agent.post(path, content=b"\xff", headers=JSON), 422, "not_json")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""]
)
async def test_a_body_that_is_said_to_be_something_else_is_refused(
    agent: httpx2.AsyncClient, kind: str
) -> None:
    body = json.dumps(asked())
    answer = await agent.post("/v1/approvals", content=body, headers={"Content-Type": kind})
    refused(answer, 415, "wrong_type")


@pytest.mark.parametrize(
    "kind", [None, "application/json; charset=utf-8", "APPLICATION/JSON", "application/x+json"]
)
async def test_a_body_that_is_json_by_any_name_is_taken(
    agent: httpx2.AsyncClient, kind: str | None
) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    answer = await agent.post("/v1/approvals", content=json.dumps(asked()), headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/approvals/", "/v1/approval", "/v2/queue", "/nothing", "/v1/queue/"],
)
async def test_an_address_that_is_not_there_is_a_problem_document(
    agent: httpx2.AsyncClient, path: str
) -> None:
    for method in ("GET", "POST", "DELETE"):
        refused(await agent.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/approvals", "GET, POST"),
        ("/v1/queue", "GET"),
        ("/v1/stream", "GET"),
        ("/v1/approvals/0/comments", "POST"),
        ("/healthz", "GET"),
        ("/asyncapi", "GET"),
    ],
)
async def test_a_method_that_is_not_for_an_address_is_told_which_are(
    agent: httpx2.AsyncClient, path: str, allowed: str
) -> None:
    answer = await agent.request("DELETE", path)
    assert allowed in refused(answer, 405, "method_not_allowed")["detail"]
    assert answer.headers["allow"] == allowed
    assert (await agent.request("PROPFIND", path)).headers["allow"] == allowed


async def test_what_the_server_itself_cannot_read_ends_only_that_connection(
    placet: Placet, agent: httpx2.AsyncClient
) -> None:
    host, _, port = placet.url.removeprefix("http://").partition(":")
    for junk in (b"\x00\x01\r\n\r\n", b"GET /v1/queue HTTP/9\r\n\r\n", b"POST / HTTP/1.1\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(junk)
        writer.write_eof()
        async with asyncio.timeout(PATIENCE_S):
            told = await reader.read()
        assert b" 500 " not in told
        writer.close()
        await writer.wait_closed()
    assert (await agent.get("/v1/queue")).status_code == 200


async def test_who_goes_away_in_the_middle_of_a_body_has_asked_nothing(
    office: Office, placet: Placet, agent: httpx2.AsyncClient
) -> None:
    host, _, port = placet.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = "POST /v1/approvals HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\nAuthorization: "
    key = agent.headers["authorization"]
    writer.write(f"{head}{key}\r\n\r\n{json.dumps(asked())}".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await office.placet.shown()
    assert found(await agent.get("/v1/approvals"))["data"] == []


async def test_a_page_that_is_not_there_is_no_problem_of_the_api(agent: httpx2.AsyncClient) -> None:
    answer = await agent.get("/v1/nothing", headers={"Accept": "text/html"})
    assert answer.headers["content-type"] == PROBLEM
