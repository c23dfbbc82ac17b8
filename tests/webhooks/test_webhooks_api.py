"""`/v1/webhooks`: who may, what is refused by name, and what its own OpenAPI document allows."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from events.approval import Link
from events.store.database import Database
from projections.approval_view import ApprovalView
from services.bootstrap.serving import serving
from services.embedded.ports import HOST, free_port
from services.outgoing.guard import check_url, parse_allowed
from services.outgoing.signing import new_secret
from services.web.app import authenticated, make_app
from services.web.keys import Keys
from services.web.openapi import describe
from services.web.scopes import SCOPES, Scope
from services.webhooks.messages import BY_DEFAULT
from services.webhooks.redelivering import deliveries_router
from services.webhooks.registry import MOST
from services.webhooks.shapes import ANSWERS, BODIES
from services.webhooks.subscribing import subscriptions_router
from tests.core.examples import answer, ask, decided, requested
from tests.servers.postgres import TestingPostgres
from tests.webhooks.webhook_kit import Office, answering, sending

URL = "https://a.example.com/hook"
PATIENCE_S = 20
PATH = "/v1/webhooks/{webhook_id}"
CALLS = [
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks"),
    ("POST", "/v1/webhooks/callback-secret"),
    ("GET", PATH),
    ("PATCH", PATH),
    ("DELETE", PATH),
    ("POST", f"{PATH}/rotate-secret"),
    ("POST", f"{PATH}/enable"),
    ("GET", f"{PATH}/deliveries"),
    ("POST", f"{PATH}/replay"),
]
OF_ONE = [call for call in CALLS if "{webhook_id}" in call[1]]


@dataclass(frozen=True, kw_only=True)
class Api:
    """The routes on a real port."""

    app: FastAPI
    url: str
    keys: Keys
    office: Office

    async def client(
        self, workspace: str = "acme", scopes: Sequence[Scope] = ("webhooks:manage",)
    ) -> httpx2.AsyncClient:
        key = await self.keys.create(
            workspace, principal="ann@example.com", name="", scopes=scopes, expires_at=None
        )
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key.text}"},
            timeout=PATIENCE_S,
            verify=False,  # no TLS here, and reading certificates takes long
        )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def api(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Api]:
    async with postgres.database(template=migrated) as dsn:
        app_db = await Database.open(dsn, "placet_app", size=4)
        worker_db = await Database.open(dsn, "placet_worker", size=4)
        office = Office(app_db, worker_db)
        keys = Keys(app_db, None)
        who = authenticated(keys)
        allowed = partial(check_url, allowed=parse_allowed(""))
        app = make_app(
            [
                subscriptions_router(office.registry, allowed, who),
                deliveries_router(office.registry, office.replays, office.webhooks.wake, who),
            ]
        )
        approval = {"Approval": {"$ref": "#/components/schemas/ApprovalView"}}
        describe(app, [ApprovalView, Link, *ANSWERS], list(BODIES), approval)
        port = free_port()
        async with sending(office), serving(app, HOST, port):
            yield Api(app=app, url=f"http://{HOST}:{port}", keys=keys, office=office)
        await app_db.close()
        await worker_db.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ann(api: Api, request: pytest.FixtureRequest) -> AsyncIterator[httpx2.AsyncClient]:
    """Who manages the webhooks of a workspace of the test's own."""
    async with await api.client(request.node.name) as client:
        yield client


def refused(got: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert got.status_code == status, got.text
    assert got.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = got.json()
    assert document["code"] == code
    return document


async def added(client: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    got = await client.post("/v1/webhooks", json={"url": URL, **more})
    assert got.status_code == 201, got.text
    made: dict[str, Any] = got.json()
    return made


async def test_a_subscription_is_made_listed_shown_changed_and_removed(
    ann: httpx2.AsyncClient,
) -> None:
    made = await added(ann, types=["expense"], requester="RITA@example.com", description="Mine")
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "kind": "subscription",
        "url": URL,
        "event_types": list(BY_DEFAULT),
        "types": ["expense"],
        "requester": "rita@example.com",
        "description": "Mine",
        "status": "active",
        "disabled_at": None,
        "disabled_reason": None,
        "failing_since": None,
        "created_at": made["created_at"],
    }
    path = f"/v1/webhooks/{made['id']}"
    assert (await ann.get(path)).json() == made
    assert (await ann.get("/v1/webhooks")).json() == {"data": [made], "next_cursor": None}
    other = {"url": "https://b.example.com", "requester": None, "event_types": ["approval.decided"]}
    changed = (await ann.patch(path, json=other)).json()
    assert changed == made | other
    assert (await ann.patch(path, json={})).json() == changed
    for shown in (await ann.get(path), await ann.patch(path, json={}), await ann.delete(path)):
        assert secret not in shown.text
    refused(await ann.get(path), 404, "not_found")
    refused(await ann.delete(path), 404, "not_found")
    assert (await ann.get("/v1/webhooks")).json()["data"] == []


async def test_a_secret_is_made_or_given_and_shown_only_when_it_is_new(
    ann: httpx2.AsyncClient,
) -> None:
    mine = new_secret()
    made = await added(ann, secret=mine)
    assert made["secret"] == mine
    path = f"/v1/webhooks/{made['id']}/rotate-secret"
    rotated = (await ann.post(path)).json()
    assert rotated["secret"] not in ("", mine)
    assert (await ann.post(path, json={"secret": mine})).json()["secret"] == mine
    callbacks = "/v1/webhooks/callback-secret"
    assert (await ann.post(callbacks)).json()["secret"].startswith("whsec_")
    assert (await ann.post(callbacks, json={"secret": mine})).json() == {"secret": mine}


async def test_a_secret_that_is_none_is_refused_and_not_repeated(ann: httpx2.AsyncClient) -> None:
    bad = "whsec_c2hvcnQ="
    got = await ann.post("/v1/webhooks", json={"url": URL, "secret": bad})
    assert refused(got, 422, "invalid")["errors"][0]["pointer"] == "/secret"
    assert bad not in got.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": "ftp://a.example.com"}, "/url"),
        ({"url": "http://127.0.0.1/x"}, "/url"),
        ({"url": "https://10.0.0.1/x"}, "/url"),
        ({"url": f"https://a.example.com/{'x' * 2000}"}, "/url"),
        ({"url": "https://a.example.com/\0"}, "/url"),
        ({"url": URL, "event_types": []}, "/event_types"),
        ({"url": URL, "event_types": ["approval.eaten"]}, "/event_types/0"),
        ({"url": URL, "types": ["a\nb"]}, "/types/0"),
        ({"url": URL, "types": ["x"] * 51}, "/types"),
        ({"url": URL, "requester": "nobody"}, "/requester"),
        ({"url": URL, "description": "\0"}, "/description"),
        ({"url": URL, "status": "active"}, "/status"),
    ],
)
async def test_what_is_wrong_is_refused_by_name(
    ann: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    document = refused(await ann.post("/v1/webhooks", json=body), 422, "invalid")
    assert document["errors"][0]["pointer"] == pointer
    if body:
        made = await added(ann)
        got = await ann.patch(f"/v1/webhooks/{made['id']}", json=body)
        assert refused(got, 422, "invalid")["errors"][0]["pointer"] == pointer


async def test_half_a_pair_is_no_json(ann: httpx2.AsyncClient) -> None:
    body = b'{"url": "https://a.example.com", "description": "\\ud800"}'
    got = await ann.post("/v1/webhooks", content=body, headers={"Content-Type": "application/json"})
    refused(got, 422, "not_json")


async def test_a_workspace_has_a_bounded_number(ann: httpx2.AsyncClient) -> None:
    for _ in range(MOST):
        last = await added(ann)
    refused(await ann.post("/v1/webhooks", json={"url": URL}), 409, "too_many_webhooks")
    assert (await ann.delete(f"/v1/webhooks/{last['id']}")).status_code == 200
    await added(ann)
    ids, cursor = [], None
    while True:
        params: dict[str, Any] = {"limit": 30} | ({"cursor": cursor} if cursor else {})
        page = (await ann.get("/v1/webhooks", params=params)).json()
        ids += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(ids) == len(set(ids)) == MOST


async def test_deliveries_are_shown_with_their_attempts_page_by_page(
    api: Api, ann: httpx2.AsyncClient, request: pytest.FixtureRequest
) -> None:
    workspace = request.node.name
    url = "https://d.example.com"
    made = await added(ann, url=url)
    api.office.deliver.behaviours[url] = answering(500, body=b"sorry")
    asked = requested(ask())
    [event] = await api.office.tell(asked, workspace=workspace)
    await api.office.settle()
    api.office.deliver.behaviours.clear()
    await api.office.tell(
        decided(answer(), asked), approval_id=event.approval_id, workspace=workspace
    )
    await api.office.settle()
    path = f"/v1/webhooks/{made['id']}/deliveries"
    page = (await ann.get(path, params={"limit": 1})).json()
    [newest] = page["data"]
    assert (newest["state"], newest["type"]) == ("delivered", "approval.decided")
    page = (await ann.get(path, params={"limit": 1, "cursor": page["next_cursor"]})).json()
    [oldest] = page["data"]
    assert page["next_cursor"] is None
    assert oldest["event_id"] == event.event_id
    assert (oldest["state"], oldest["attempts_made"]) == ("waiting", 1)
    [attempt] = oldest["attempts"]
    assert (attempt["status"], attempt["answer"], attempt["error"]) == (500, "sorry", None)
    assert oldest["next_attempt_at"] > attempt["at"]
    waiting = (await ann.get(path, params={"state": "waiting"})).json()["data"]
    assert waiting == [oldest]
    assert (await ann.get(f"/v1/webhooks/{made['id']}")).json()["failing_since"] is None
    got = await ann.post(f"/v1/webhooks/{made['id']}/replay", json={"ids": [oldest["id"]]})
    assert got.json() == {"replayed": 1, "next_cursor": None}
    await api.office.settle()
    assert len((await ann.get(path, params={"state": "delivered"})).json()["data"]) == 2
    params = {"since": "2026-01-01T00:00:00Z"}
    await api.office.logged()
    got = await ann.post(f"/v1/webhooks/{made['id']}/replay", json=params)
    assert got.json() == {"replayed": 2, "next_cursor": None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": []},
        {"ids": ["\0"]},
        {"ids": ["x"], "since": "2026-01-01T00:00:00Z"},
        {"until": "2026-01-01T00:00:00Z"},
        {"since": "2026-01-01T00:00:00"},
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "2026-01-01T00:00:00Z", "cursor": "0"},
        {"since": "2026-01-01T00:00:00Z", "cursor": "9" * 30},
    ],
)
async def test_a_replay_of_nothing_in_particular_is_refused(
    ann: httpx2.AsyncClient, body: dict[str, Any]
) -> None:
    made = await added(ann)
    refused(await ann.post(f"/v1/webhooks/{made['id']}/replay", json=body), 422, "invalid")


async def test_callbacks_are_listed_apart_and_belong_to_their_approvals(
    api: Api, ann: httpx2.AsyncClient, request: pytest.FixtureRequest
) -> None:
    asked = requested(ask(callback_url="https://c.example.com/x"))
    await api.office.tell(asked, decided(answer(), asked), workspace=request.node.name)
    await api.office.settle()
    assert (await ann.get("/v1/webhooks")).json()["data"] == []
    [origin] = (await ann.get("/v1/webhooks", params={"kind": "callback"})).json()["data"]
    assert (origin["kind"], origin["url"]) == ("callback", "https://c.example.com:443")
    path = f"/v1/webhooks/{origin['id']}"
    [delivery] = (await ann.get(f"{path}/deliveries")).json()["data"]
    assert (delivery["url"], delivery["state"]) == ("https://c.example.com/x", "delivered")
    refused(await ann.patch(path, json={}), 409, "is_a_callback")
    refused(await ann.delete(path), 409, "is_a_callback")
    refused(await ann.post(f"{path}/rotate-secret"), 409, "is_a_callback")
    assert (await ann.post(f"{path}/enable")).json()["status"] == "active"
    got = await ann.post(f"{path}/replay", json={"ids": [delivery["event_id"]]})
    assert got.json()["replayed"] == 1


async def test_a_disabled_webhook_is_enabled_before_it_is_replayed(
    api: Api, ann: httpx2.AsyncClient, request: pytest.FixtureRequest
) -> None:
    made = await added(ann, url="https://gone.example.com")
    api.office.deliver.behaviours["https://gone.example.com"] = answering(410)
    [event] = await api.office.tell(requested(ask()), workspace=request.node.name)
    await api.office.settle()
    path = f"/v1/webhooks/{made['id']}"
    assert (await ann.get(path)).json()["disabled_reason"] == "It answered 410 Gone."
    refused(await ann.post(f"{path}/replay", json={"ids": [event.event_id]}), 409, "disabled")
    assert (await ann.post(f"{path}/enable")).json()["status"] == "active"
    got = await ann.post(f"{path}/replay", json={"ids": [event.event_id]})
    assert got.json()["replayed"] == 1


@pytest.mark.parametrize("webhook_id", ["wh_0", "0", "x" * 3000, "%00", "%ED%A0%80", "a.b", "é"])
@pytest.mark.parametrize("call", OF_ONE)
async def test_an_id_that_never_was_is_not_found(
    ann: httpx2.AsyncClient, call: tuple[str, str], webhook_id: str
) -> None:
    bodies = {"replay": {"ids": ["x"]}}
    got = await ann.request(
        call[0], call[1].format(webhook_id=webhook_id), json=bodies.get(call[1].split("/")[-1], {})
    )
    refused(got, 404, "not_found")


@pytest.mark.parametrize("call", CALLS)
async def test_another_scope_and_another_workspace_see_nothing(
    api: Api, ann: httpx2.AsyncClient, call: tuple[str, str]
) -> None:
    made = await added(ann)
    path = call[1].format(webhook_id=made["id"])
    others = [scope for scope in SCOPES if scope not in ("webhooks:manage", "admin")]
    async with await api.client("acme", others) as client:
        got = await client.request(call[0], path, json={})
        assert "scope webhooks:manage" in refused(got, 403, "missing_scope")["detail"]
    async with httpx2.AsyncClient(base_url=api.url, verify=False) as nobody:  # no TLS
        refused(await nobody.request(call[0], path, json={}), 401, "no_key")
    if call in OF_ONE:
        async with await api.client("somebody-else", ["admin"]) as spy:
            body = {"ids": ["x"]} if path.endswith("replay") else {}
            refused(await spy.request(call[0], path, json=body), 404, "not_found")
    assert (await ann.get(f"/v1/webhooks/{made['id']}")).status_code == 200


def test_every_call_says_that_it_needs_a_key(api: Api) -> None:
    paths = api.app.openapi()["paths"]
    documented = {
        (method.upper(), path)
        for path, calls in paths.items()
        for method, call in calls.items()
        if "security" in call
    }
    assert documented == set(CALLS)
