"""Companies: formal approvals, hires that wait for the board, and linked issues."""

import asyncio
import secrets
from typing import Any

import httpx2
import pytest

from tests.api.api_kit import Office, decide, found, pointers, refused

HIRE = {
    "name": "Marketing Analyst",
    "role": "researcher",
    "reportsTo": "agent-1",
    "capabilities": "Market research, competitor analysis",
    "budgetMonthlyCents": 5000,
}
STRATEGY = {
    "type": "approve_ceo_strategy",
    "requestedByAgentId": "agent-1",
    "payload": {"plan": "Strategic breakdown..."},
}
APPROVALS = "/api/companies/default/approvals"
HIRES = "/api/companies/default/agent-hires"


async def strategy(ceo: httpx2.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await ceo.post(APPROVALS, json={**STRATEGY, **more})
    assert answer.status_code == 201, answer.text
    return found(answer)


async def test_a_strategy_waits_for_the_board_and_is_read_when_it_is_resolved(
    ceo: httpx2.AsyncClient, bea: httpx2.AsyncClient
) -> None:
    issue = f"ISS-{secrets.token_hex(4)}"
    asked = await strategy(ceo, issueIds=[issue, "ISS-0"])
    assert (asked["status"], asked["companyId"]) == ("pending", "default")
    assert asked["requestedByAgentId"] == "agent-1"
    assert asked["approvers"] == ["bea@example.com"]
    assert asked["payload"] == STRATEGY["payload"]
    await decide(bea, asked["id"], "approve", reason="Go ahead")
    view = found(await ceo.get(f"/api/approvals/{asked['id']}"))
    assert (view["status"], view["decidedBy"]) == ("approved", "bea@example.com")
    assert view["decisionReason"] == "Go ahead"
    issues = found(await ceo.get(f"/api/approvals/{asked['id']}/issues"))["data"]
    assert [one["id"] for one in issues] == [issue, "ISS-0"]


async def test_pending_approvals_are_polled_and_leave_when_they_are_resolved(
    here: Office, ceo: httpx2.AsyncClient, bea: httpx2.AsyncClient
) -> None:
    asked = await strategy(ceo)
    for expected in (True, False):
        await here.placet.shown()
        pending = found(await ceo.get(APPROVALS, params={"status": "pending", "limit": 200}))
        assert (asked["id"] in [one["id"] for one in pending["data"]]) is expected
        await decide(bea, asked["id"], "deny")
    rejected = found(await ceo.get(APPROVALS, params={"status": "rejected", "limit": 1}))
    assert [one["id"] for one in rejected["data"]] == [asked["id"]]
    assert rejected["nextCursor"] is not None


async def test_a_hired_agent_is_pending_until_the_board_agrees(
    ceo: httpx2.AsyncClient, bea: httpx2.AsyncClient
) -> None:
    answer = await ceo.post(HIRES, json=HIRE)
    assert answer.status_code == 201, answer.text
    hired = found(answer)
    agent, approval = hired["agent"], hired["approval"]
    assert agent["status"] == "pending_approval"
    assert {name: agent[name] for name in HIRE} == HIRE
    assert (approval["type"], approval["payload"]) == ("hire_agent", HIRE)
    await decide(bea, approval["id"])
    agent = found(await ceo.get(f"/api/agents/{agent['id']}"))
    assert agent["status"] == "active"


@pytest.mark.parametrize(("decision", "status"), [("deny", "rejected"), (None, "withdrawn")])
async def test_an_agent_that_was_not_agreed_to_never_is_active(
    ceo: httpx2.AsyncClient, bea: httpx2.AsyncClient, decision: str | None, status: str
) -> None:
    hired = found(await ceo.post(HIRES, json=HIRE))
    if decision is None:
        await ceo.post(f"/v1/approvals/{hired['approval']['id']}/withdraw")
    else:
        await decide(bea, hired["approval"]["id"], decision)
    assert found(await ceo.get(f"/api/agents/{hired['agent']['id']}"))["status"] == status


async def test_who_may_not_hire_is_told_who_may(agent: httpx2.AsyncClient) -> None:
    document = refused(await agent.post(HIRES, json=HIRE), 403, "not_a_requester")
    assert "manager@example.com" in document["detail"]
    assert "ceo@example.com" in document["detail"]


async def test_without_a_policy_an_agent_is_hired_at_once(here: Office) -> None:
    workspace = f"w-{secrets.token_hex(4)}"
    client = await here.stranger(await here.placet.key(workspace, "ceo@example.com"))
    answer = await client.post(f"/api/companies/{workspace}/agent-hires", json=HIRE)
    assert answer.status_code == 201, answer.text
    hired = found(answer)
    assert (hired["agent"]["status"], hired["approval"]) == ("active", None)
    assert found(await client.get(f"/api/agents/{hired['agent']['id']}")) == hired["agent"]


@pytest.mark.parametrize("workspace", ["default", "another"])
async def test_the_same_key_and_body_again_hires_nobody_twice(here: Office, workspace: str) -> None:
    client = await here.stranger(await here.placet.key(workspace, "ceo@example.com"))
    headers = {"Idempotency-Key": secrets.token_hex(4)}
    address = f"/api/companies/{workspace}/agent-hires"
    made = await asyncio.gather(
        *(client.post(address, json=HIRE, headers=headers) for _ in range(4))
    )
    again = await client.post(address, json=HIRE, headers=headers)
    assert again.status_code == 200
    assert {found(answer)["agent"]["id"] for answer in [*made, again]} == {
        found(again)["agent"]["id"]
    }
    other = await client.post(address, json={**HIRE, "role": "writer"}, headers=headers)
    refused(other, 422, "idempotency_key_reused")


async def test_the_same_key_and_body_again_asks_the_board_once(ceo: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(4)}
    first = await ceo.post(APPROVALS, json=STRATEGY, headers=headers)
    again = await ceo.post(APPROVALS, json=STRATEGY, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert found(first) == found(again)


async def test_another_company_is_not_there(here: Office, ceo: httpx2.AsyncClient) -> None:
    for method, path, body in (
        ("POST", "approvals", STRATEGY),
        ("GET", "approvals", None),
        ("POST", "agent-hires", HIRE),
    ):
        answer = await ceo.request(method, f"/api/companies/other/{path}", json=body)
        assert "workspace" in refused(answer, 404, "not_found")["detail"]
    asked = await strategy(ceo)
    hired = found(await ceo.post(HIRES, json=HIRE))
    spy = await here.stranger(await here.placet.key("other", "spy@example.com", ["admin"]))
    refused(await spy.get(f"/api/approvals/{asked['id']}"), 404, "not_found")
    refused(await spy.get(f"/api/approvals/{asked['id']}/issues"), 404, "not_found")
    refused(await spy.get(f"/api/agents/{hired['agent']['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("approvals", {**STRATEGY, "payload": {}}, "/payload/plan"),
        ("approvals", {**STRATEGY, "requestedByAgentId": "a\0"}, "/requestedByAgentId"),
        ("approvals", {**STRATEGY, "issueIds": ["a\n"]}, "/issueIds/0"),
        ("approvals", {**STRATEGY, "requested_by": "x"}, "/requested_by"),
        ("agent-hires", {"name": "Analyst"}, "/role"),
        ("agent-hires", {**HIRE, "budgetMonthlyCents": -1}, "/budgetMonthlyCents"),
    ],
)
async def test_what_is_wrong_is_named_in_the_dialect_s_own_words(
    ceo: httpx2.AsyncClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = await ceo.post(f"/api/companies/default/{path}", json=body)
    assert pointers(refused(answer, 422, "invalid")) == [pointer]


async def test_what_is_asked_in_these_words_is_approved_as_it_is_or_not_at_all(
    ceo: httpx2.AsyncClient, bea: httpx2.AsyncClient
) -> None:
    asked = await strategy(ceo)
    answer = await decide(bea, asked["id"], payload={"plan": "Another one"})
    refused(answer, 422, "not_editable")
