"""Who may: keys, scopes, and workspaces that never see each other's."""

import asyncio
import re
import secrets
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from services.web.keys import Keys, new_key, parse_key
from services.web.scopes import SCOPES, Scope
from tests.api.api_kit import ANN, BEN, Office, Placet, ask, decide, found, refused

CALLS: dict[tuple[str, str], Scope] = {
    ("GET", "/v1/approvals"): "approvals:read",
    ("GET", "/v1/queue"): "approvals:read",
    ("GET", "/v1/stream"): "approvals:read",
    ("GET", "/v1/approvals/{id}"): "approvals:read",
    ("GET", "/v1/approvals/{id}/history"): "approvals:read",
    ("GET", "/v1/approvals/{id}/links"): "approvals:read",
    ("GET", "/v1/approvals/{id}/difference"): "approvals:read",
    ("GET", "/v1/approvals/{id}/wait"): "approvals:read",
    ("GET", "/v1/types"): "approvals:read",
    ("GET", "/v1/types/{id}"): "approvals:read",
    ("GET", "/v1/policies"): "approvals:read",
    ("POST", "/v1/approvals"): "approvals:request",
    ("POST", "/v1/approvals/{id}/withdraw"): "approvals:request",
    ("POST", "/v1/approvals/{id}/comments"): "approvals:request",
    ("POST", "/v1/approvals/{id}/acknowledge"): "approvals:request",
    ("POST", "/v1/approvals/{id}/remind"): "approvals:request",
    ("POST", "/v1/approvals/{id}/answers"): "approvals:request",
    ("POST", "/v1/approvals/{id}/revise"): "approvals:request",
    ("POST", "/v1/approvals/{id}/decision"): "approvals:decide",
    ("POST", "/v1/approvals/{id}/reassign"): "approvals:decide",
    ("POST", "/v1/approvals/{id}/questions"): "approvals:decide",
    ("POST", "/v1/decisions"): "approvals:decide",
    ("POST", "/v1/notify-operator"): "approvals:request",
    ("POST", "/api/v1/agents/{id}/versions"): "approvals:request",
    ("POST", "/api/v1/agents/{id}/executions"): "approvals:request",
    ("GET", "/api/v1/executions/{id}"): "approvals:read",
    ("GET", "/api/v1/approvals"): "approvals:read",
    ("GET", "/api/v1/approvals/{id}"): "approvals:read",
    ("POST", "/api/v1/approvals/{id}/decide"): "approvals:decide",
    ("GET", "/api/companies/{id}/approvals"): "approvals:read",
    ("POST", "/api/companies/{id}/approvals"): "approvals:request",
    ("POST", "/api/companies/{id}/agent-hires"): "approvals:request",
    ("GET", "/api/agents/{id}"): "approvals:read",
    ("GET", "/api/approvals/{id}"): "approvals:read",
    ("GET", "/api/approvals/{id}/issues"): "approvals:read",
    ("POST", "/api/issues/{id}/interactions"): "approvals:request",
    ("GET", "/api/issues/{id}/interactions/{id}"): "approvals:read",
    ("POST", "/api/issues/{id}/comments"): "approvals:request",
    ("GET", "/v1/webhooks"): "webhooks:manage",
    ("POST", "/v1/webhooks"): "webhooks:manage",
    ("POST", "/v1/webhooks/callback-secret"): "webhooks:manage",
    ("GET", "/v1/webhooks/{id}"): "webhooks:manage",
    ("PATCH", "/v1/webhooks/{id}"): "webhooks:manage",
    ("DELETE", "/v1/webhooks/{id}"): "webhooks:manage",
    ("POST", "/v1/webhooks/{id}/rotate-secret"): "webhooks:manage",
    ("POST", "/v1/webhooks/{id}/enable"): "webhooks:manage",
    ("GET", "/v1/webhooks/{id}/deliveries"): "webhooks:manage",
    ("POST", "/v1/webhooks/{id}/replay"): "webhooks:manage",
    ("GET", "/v1/people"): "approvals:read",
    ("GET", "/v1/people/{id}"): "approvals:read",
    ("POST", "/v1/people/resolve"): "approvals:read",
    ("POST", "/v1/people/import"): "people:manage",
    ("GET", "/v1/people/{id}/notifications"): "approvals:decide",
    ("PUT", "/v1/people/{id}/notifications"): "approvals:decide",
    ("POST", "/v1/approvals/{id}/undo"): "approvals:decide",
    ("GET", "/v1/figures"): "admin",
    ("GET", "/v1/delegations"): "approvals:read",
    ("POST", "/v1/delegations"): "approvals:decide",
    ("DELETE", "/v1/delegations/{id}"): "approvals:decide",
}
INSTEAD: dict[tuple[str, str], Scope] = {
    ("POST", "/v1/delegations"): "people:manage",
    ("DELETE", "/v1/delegations/{id}"): "people:manage",
    ("GET", "/v1/people/{id}/notifications"): "people:manage",
    ("PUT", "/v1/people/{id}/notifications"): "people:manage",
}
"""What does as well for somebody else's."""
OF_AN_APPROVAL = [call for call in CALLS if "/approvals/{id}" in call[1]]
OF_ANYBODY = {("GET", "/v1/me")}
"""What any key may: no scope is needed to be told who one is."""


def test_every_call_that_needs_a_key_is_among_these(placet: Placet) -> None:
    paths = placet.app.openapi()["paths"]
    documented = {
        (method.upper(), re.sub(r"\{[^}]*\}", "{id}", path))
        for path, calls in paths.items()
        for method, call in calls.items()
        if "security" in call
    }
    assert documented == set(CALLS) | OF_ANYBODY


@pytest.mark.parametrize("call", CALLS)
async def test_a_key_without_the_scope_is_refused_with_its_name(
    office: Office, agent: httpx2.AsyncClient, call: tuple[str, str]
) -> None:
    approval = await ask(agent)
    needed = CALLS[call]
    enough = (needed, INSTEAD.get(call), "admin")
    others = [scope for scope in SCOPES if scope not in enough]
    client = await office.person(ANN, others)
    answer = await client.request(call[0], call[1].format(id=approval["id"]), json={})
    assert f"scope {needed}" in refused(answer, 403, "missing_scope")["detail"]


async def test_an_administrator_may_everything(office: Office) -> None:
    boss = await office.person(BEN, ["admin"])
    approval = await ask(boss)
    assert (await decide(boss, approval["id"], approver=ANN)).status_code == 200
    assert (await boss.get("/v1/queue")).status_code == 200


@pytest.mark.parametrize("call", CALLS)
async def test_nobody_is_told_anything_without_a_key(office: Office, call: tuple[str, str]) -> None:
    nobody = await office.stranger(None)
    answer = await nobody.request(call[0], call[1].format(id="0" * 27))
    refused(answer, 401, "no_key")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "plk_x_y", "Digest x"])
async def test_another_kind_of_authorization_is_none(office: Office, header: str) -> None:
    nobody = await office.stranger(None)
    answer = await nobody.get("/v1/queue", headers={"Authorization": header})
    refused(answer, 401, "no_key")


async def test_the_name_of_the_scheme_may_be_written_in_any_case(office: Office) -> None:
    key = await office.placet.key(office.workspace, ANN)
    nobody = await office.stranger(None)
    answer = await nobody.get("/v1/queue", headers={"Authorization": f"bEARER  {key}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "text",
    ["wrong", "plk_a_b", pytest.param(new_key().text, id="never made"), "ÿ", "x" * 5000],
)
async def test_an_unknown_key_opens_nothing(office: Office, text: str) -> None:
    nobody = await office.stranger(None)
    header = f"Bearer {text}".encode("latin-1")
    answer = await nobody.get("/v1/queue", headers=[(b"Authorization", header)])
    refused(answer, 401, "wrong_key")
    assert "invalid_token" in answer.headers["www-authenticate"]


async def test_a_key_with_another_secret_opens_nothing(office: Office) -> None:
    key = parse_key(await office.placet.key(office.workspace, ANN))
    assert key is not None
    forged = type(key)(key_id=key.key_id, secret=new_key().secret)
    stranger = await office.stranger(forged.text)
    refused(await stranger.get("/v1/queue"), 401, "wrong_key")


async def test_a_revoked_key_opens_nothing_to_who_had_not_used_it(office: Office) -> None:
    text = await office.placet.key(office.workspace, ANN)
    key = parse_key(text)
    assert key is not None
    assert await office.placet.parts.keys.revoke(office.workspace, key.key_id)
    stranger = await office.stranger(text)
    refused(await stranger.get("/v1/queue"), 401, "wrong_key")


async def test_a_revoked_key_is_forgotten_after_a_moment(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.web.keys.CACHE_S", 0.2)
    text = await office.placet.key(office.workspace, ANN)
    key = parse_key(text)
    assert key is not None
    client = await office.stranger(text)
    assert (await client.get("/v1/queue")).status_code == 200
    await office.placet.parts.keys.revoke(office.workspace, key.key_id)
    await asyncio.sleep(0.25)
    refused(await client.get("/v1/queue"), 401, "wrong_key")


async def test_an_expired_key_opens_nothing(office: Office) -> None:
    over = await office.person(ANN, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    refused(await over.get("/v1/queue"), 401, "wrong_key")
    still = await office.person(ANN, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await still.get("/v1/queue")).status_code == 200


async def test_a_workspace_cannot_revoke_another_s_key(office: Office, placet: Placet) -> None:
    text = await placet.key("somebody-else", ANN)
    key = parse_key(text)
    assert key is not None
    keys: Keys = placet.parts.keys
    assert not await keys.revoke(office.workspace, key.key_id)


@pytest.mark.parametrize("call", OF_AN_APPROVAL)
async def test_another_workspace_s_approval_is_not_there_even_by_its_id(
    office: Office, agent: httpx2.AsyncClient, call: tuple[str, str]
) -> None:
    approval = await ask(agent)
    await office.placet.shown()
    other = Office(
        placet=office.placet, workspace=f"w-{secrets.token_hex(6)}", clients=office.clients
    )
    answer_yes = {"decision": "approve"}
    text = {"text": "?"}
    bodies = {
        "decision": answer_yes,
        "decide": answer_yes,
        "comments": text,
        "questions": text,
        "answers": text,
        "reassign": {"to": BEN},
        "revise": {"title": "Another"},
    }
    spy = await other.person(ANN, ["admin"])
    answer = await spy.request(
        call[0], call[1].format(id=approval["id"]), json=bodies.get(call[1].split("/")[-1], {})
    )
    document = refused(answer, 404, "not_found")
    assert "approval" not in document
    assert found(await agent.get(f"/v1/approvals/{approval['id']}"))["version"] == 1


async def test_lists_and_queues_show_one_workspace(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    other = Office(
        placet=office.placet, workspace=f"w-{secrets.token_hex(6)}", clients=office.clients
    )
    theirs = await other.person(BEN)
    hidden = await ask(theirs)
    await office.placet.shown()
    for client, mine in ((agent, approval), (theirs, hidden)):
        for path in ("/v1/approvals", f"/v1/queue?approver={ANN}"):
            listed = found(await client.get(path))["data"]
            assert [one["id"] for one in listed] == [mine["id"]]


async def test_a_key_of_idempotency_is_one_workspace_s_own(office: Office) -> None:
    other = Office(
        placet=office.placet, workspace=f"w-{secrets.token_hex(6)}", clients=office.clients
    )
    headers = {"Idempotency-Key": "the same"}
    body = {"type": "t", "title": "t", "approvers": [BEN]}
    answers = [
        await (await place.person(ANN)).post("/v1/approvals", json=body, headers=headers)
        for place in (office, other)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
