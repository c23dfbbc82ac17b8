"""Records that a source pushes: who may, what is published, and what is answered."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from standardwebhooks.webhooks import Webhook

from events.store import Unavailable
from services.poller.replays import Replays
from services.poller.webhook import MAX_BODY_BYTES, Pushing, webhook_router
from services.sources import SourceRefused, SourceUnavailable
from services.sources.definition import SourceDefinition
from tests.poller.poller_kit import Desk
from tests.sources.source_kit import changed, define, row

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_AAKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/v1/sources/acme/webhook"


def pushing(desk: Desk, **changes: Any) -> Pushing:
    webhook = {"webhook": {"optional": True, "secret": {"env": "W"}, "record": "data"}}
    definition: SourceDefinition = define(changed(webhook | changes), W=SECRET)
    return Pushing(definition=definition, source=desk.source)


@pytest.fixture
async def client(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    app = FastAPI()
    app.include_router(webhook_router([pushing(desk)], desk.outlets))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://placet.test") as opened:
        yield opened


def signed(
    body: str, at: datetime, message_id: str = "msg_1", secret: str = SECRET
) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body),
    }


async def push(
    client: httpx2.AsyncClient, desk: Desk, body: Any, message_id: str = "msg_1", **more: Any
) -> httpx2.Response:
    text = body if isinstance(body, str) else json.dumps(body)
    headers = signed(text, desk.clock.now, message_id, **more)
    return await client.post(PATH, content=text.encode("utf-8", "surrogatepass"), headers=headers)


def problem(response: httpx2.Response, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "code", "detail"}
    assert (body["status"], body["code"]) == (status, code)
    return str(body["detail"])


async def test_a_signed_record_is_published_and_accepted(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    response = await push(client, desk, {"type": "x", "data": row()})
    assert response.status_code == 202
    assert response.json() == {"status": "accepted", "record_id": "r1"}
    (observation,) = desk.queue.published
    assert (observation.record_id, observation.state, observation.revision) == (
        "r1",
        "pending",
        "1",
    )
    assert observation.read_at == desk.clock.now


async def test_a_settled_record_is_published_even_while_the_queue_lags(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    await push(client, desk, {"data": row(status="approved", decided_by="kim@example.com")})
    (observation,) = desk.queue.published
    assert (observation.state, observation.settled_by) == ("settled", "kim@example.com")


async def test_a_message_that_comes_again_is_answered_but_not_published_again(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    assert (await push(client, desk, {"data": row()})).status_code == 202
    again = await push(client, desk, {"data": row()})
    assert (again.status_code, again.json()) == (200, {"status": "seen"})
    assert len(desk.queue.published) == 1
    assert (await push(client, desk, {"data": row()}, "msg_2")).status_code == 202
    assert len(desk.queue.published) == 2


async def test_a_message_that_was_not_durable_is_not_taken_for_seen(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    desk.queue.error = Unavailable("the broker is away")
    response = await push(client, desk, {"data": row()})
    problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "5"
    desk.queue.error = None
    assert (await push(client, desk, {"data": row()})).status_code == 202
    assert len(desk.queue.published) == 1


async def test_what_is_not_signed_is_refused(client: httpx2.AsyncClient, desk: Desk) -> None:
    body = json.dumps({"data": row()})
    problem(await client.post(PATH, content=body), 401, "signature_invalid")
    wrong = await push(client, desk, {"data": row()}, secret=OTHER_SECRET)
    assert problem(wrong, 401, "signature_invalid") == "no signature fits the message."
    good = signed(body, desk.clock.now)
    desk.clock.advance(301)
    late = await client.post(PATH, content=body, headers=good)
    assert "5 minutes" in problem(late, 401, "signature_invalid")
    assert desk.queue.published == []


async def test_an_unknown_source_and_one_without_a_webhook_are_not_found(desk: Desk) -> None:
    quiet = Pushing(definition=define(), source=desk.source)
    app = FastAPI()
    app.include_router(webhook_router([quiet], desk.outlets))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://placet.test"
    ) as client:
        problem(await client.post(PATH, content="{}"), 404, "unknown_source")
        nobody = await client.post("/v1/sources/nobody/webhook", content="{}")
        problem(nobody, 404, "unknown_source")


async def test_a_body_that_is_too_large_is_refused(client: httpx2.AsyncClient, desk: Desk) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 65536

    problem(await client.post(PATH, content=endless()), 413, "body_too_large")
    said = await client.post(PATH, content=b" " * (MAX_BODY_BYTES + 1))
    problem(said, 413, "body_too_large")
    fits = json.dumps({"data": row(), "pad": ""})
    fits = fits[:-2] + "x" * (MAX_BODY_BYTES - len(fits)) + '"}'
    assert len(fits) == MAX_BODY_BYTES
    assert (await push(client, desk, fits)).status_code == 202


@pytest.mark.parametrize(
    ("body", "reason", "record_id"),
    [
        ({"data": row(owner="?")}, "map.requester.email: must be an e-mail address", "r1"),
        ({"data": None}, "map: the record must be an object, not null", None),
        ({}, "map: the record must be an object, not null", None),
        ("not json", "the body is not JSON", None),
        ("", "the body is not JSON", None),
        ("[" * 100_000, "the body is not JSON", None),
    ],
)
async def test_a_record_that_cannot_be_mapped_is_parked(
    client: httpx2.AsyncClient, desk: Desk, body: Any, reason: str, record_id: str | None
) -> None:
    detail = problem(await push(client, desk, body), 422, "record_malformed")
    assert detail.startswith(reason)
    (parked,) = desk.parking.open.values()
    assert parked.reason.startswith(reason)
    assert parked.record_id == record_id
    assert desk.queue.published == []
    # Sent again, it is refused again, and not answered as if it had been taken in.
    problem(await push(client, desk, body), 422, "record_malformed")


async def test_a_good_record_resolves_the_parked_one(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    await push(client, desk, {"data": row(owner="?")})
    await push(client, desk, {"data": row()}, "msg_2")
    assert desk.parking.open == {}


async def test_a_late_push_does_not_bring_back_what_was_decided(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    desk.queue.knows("r1", "approved")
    desk.source.put("r1", "settled")
    assert (await push(client, desk, {"data": row()})).status_code == 202
    assert desk.source.reads == []  # within the tolerance of clocks: older than the answer
    desk.clock.advance(60)
    assert (await push(client, desk, {"data": row()}, "msg_2")).status_code == 202
    assert desk.source.reads == ["r1"]
    assert desk.queue.published == []
    desk.source.put("r1", revision="5")
    await push(client, desk, {"data": row()}, "msg_3")
    assert [one.revision for one in desk.queue.published] == ["5"]


async def test_a_source_that_cannot_be_asked_makes_the_sender_try_again(
    client: httpx2.AsyncClient, desk: Desk
) -> None:
    desk.queue.knows("r1", "approved")
    desk.clock.advance(60)
    desk.source.breaks["r1"] = SourceUnavailable("429", retry_after=17)
    response = await push(client, desk, {"data": row()})
    problem(response, 503, "unavailable")
    assert response.headers["retry-after"] == "17"
    desk.source.breaks["r1"] = SourceRefused("acme answered 403")
    problem(await push(client, desk, {"data": row()}), 422, "record_malformed")


async def test_workspaces_that_name_their_sources_alike_are_told_apart_by_signature() -> None:
    desks = [Desk(), Desk()]
    desks[1].source.workspace = "w2"
    doors = [pushing(desks[0])]
    other = define(changed({"webhook": {"secret": {"env": "W"}, "record": "data"}}), W=OTHER_SECRET)
    doors.append(Pushing(definition=other, source=desks[1].source))
    app = FastAPI()
    # Both publish to the first desk, as one process does.
    app.include_router(webhook_router(doors, desks[0].outlets))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://placet.test"
    ) as client:
        for secret in (SECRET, OTHER_SECRET):
            response = await push(client, desks[0], {"data": row()}, secret=secret)
            assert response.status_code == 202


def test_the_contract_names_every_answer(desk: Desk) -> None:
    app = FastAPI()
    app.include_router(webhook_router([pushing(desk)], desk.outlets))
    post = app.openapi()["paths"]["/v1/sources/{source}/webhook"]["post"]
    assert set(post["responses"]) == {"200", "202", "401", "404", "413", "422", "503"}
    assert "application/problem+json" in post["responses"]["422"]["content"]


def test_replays_are_remembered_for_a_while_and_never_without_a_bound() -> None:
    now = 0.0
    replays = Replays(10, size=3, clock=lambda: now)
    assert not replays.seen("w1", "acme", "m1")
    replays.remember("w1", "acme", "m1")
    assert replays.seen("w1", "acme", "m1")
    assert not replays.seen("w2", "acme", "m1")
    now = 10.5
    assert not replays.seen("w1", "acme", "m1")
    for number in range(50):
        replays.remember(f"m{number}")
    assert sum(replays.seen(f"m{number}") for number in range(50)) == 3
