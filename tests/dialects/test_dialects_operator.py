"""Notifying the operator: one call in two spellings, answered at once, decided later."""

import secrets
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.api.api_kit import Office, decide, found, pointers, refused

STANDARD = {
    "type": "approval_request",
    "action": "bulk_send",
    "context": {
        "recipient_count": 500,
        "subject": "Product Update",
        "preview": "We are excited to announce...",
    },
    "reason": "Sending to 500 recipients exceeds safety threshold",
    "urgency": "medium",
    "callbackUrl": "https://my-agent.com/webhook/approval",
    "expiresIn": 3600,
}
UPGRADE = {
    "type": "approval_request",
    "action": "account_upgrade",
    "context": {
        "currentTier": "free",
        "requestedTier": "developer",
        "monthlyCost": 9,
        "reason": "Need sending capabilities",
    },
    "reason": "Agent requires sending access for email automation",
    "urgency": "high",
}


async def notify(client: httpx2.AsyncClient, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await client.post("/v1/notify-operator", json=body, **more)
    assert answer.status_code == 201, answer.text
    return found(answer)


async def native(client: httpx2.AsyncClient, request: dict[str, Any]) -> dict[str, Any]:
    return found(await client.get(f"/v1/approvals/{request['requestId']}"))


async def test_the_standard_request_becomes_an_approval_of_the_operator(
    agent: httpx2.AsyncClient,
) -> None:
    request = await notify(agent, STANDARD)
    assert request["requestId"] == request["request_id"]
    assert request["expiresAt"] == request["expires_at"]
    assert (request["status"], request["action"]) == ("pending", "bulk_send")
    view = await native(agent, request)
    assert view["title"] == "Agent Approval Required: Bulk Send"
    assert (view["type"], view["payload"]) == ("bulk_send", STANDARD["context"])
    assert (view["reason"], view["urgency"]) == (STANDARD["reason"], "medium")
    assert [one["email"] for one in view["approvers"]] == ["otto@example.com"]
    assert view["payload_digest"] == request["contextDigest"]
    lasts = datetime.fromisoformat(view["expires_at"]) - datetime.fromisoformat(view["created_at"])
    assert lasts == timedelta(hours=1)


async def test_the_upgrade_request_is_taken_as_it_stands(agent: httpx2.AsyncClient) -> None:
    view = await native(agent, await notify(agent, UPGRADE))
    assert (view["type"], view["urgency"]) == ("account_upgrade", "high")
    assert view["title"] == "Agent Approval Required: Account Upgrade"


async def test_both_spellings_say_the_same(agent: httpx2.AsyncClient) -> None:
    body = {name: STANDARD[name] for name in ("type", "action", "context")}
    snake = await notify(agent, {**body, "expires_in": 300, "callback_url": "https://a.example/x"})
    both = await notify(agent, {**body, "expires_in": 300, "expiresIn": 300})
    for request in (snake, both):
        view = await native(agent, request)
        created = datetime.fromisoformat(view["created_at"])
        assert datetime.fromisoformat(view["expires_at"]) - created == timedelta(minutes=5)


async def test_an_action_that_nobody_defined_is_asked_about_too(agent: httpx2.AsyncClient) -> None:
    body = {"type": "approval_request", "action": "execute_campaign", "context": {}}
    view = await native(agent, await notify(agent, body))
    assert (view["type"], view["urgency"]) == ("execute_campaign", "medium")


async def test_the_same_key_and_body_again_is_the_same_request(
    agent: httpx2.AsyncClient, otto: httpx2.AsyncClient
) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(4)}
    first = await notify(agent, STANDARD, headers=headers)
    await decide(otto, first["requestId"], "deny")
    again = await agent.post("/v1/notify-operator", json=STANDARD, headers=headers)
    assert again.status_code == 200
    assert found(again) == {**first, "status": "denied"}
    other = await agent.post("/v1/notify-operator", json=UPGRADE, headers=headers)
    refused(other, 422, "idempotency_key_reused")


async def test_a_request_that_was_recalled_reads_as_expired(agent: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(4)}
    request = await notify(agent, STANDARD, headers=headers)
    await agent.post(f"/v1/approvals/{request['requestId']}/withdraw")
    again = await agent.post("/v1/notify-operator", json=STANDARD, headers=headers)
    assert found(again)["status"] == "expired"


async def test_the_operator_does_not_edit_what_the_agent_remembers(
    agent: httpx2.AsyncClient, otto: httpx2.AsyncClient
) -> None:
    request = await notify(agent, STANDARD)
    answer = await decide(otto, request["requestId"], payload={"recipient_count": 5})
    refused(answer, 422, "not_editable")


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"type": "notification"}, "/type"),
        ({"action": "a\0b"}, "/action"),
        ({"action": None}, "/action"),
        ({"context": {"subject": "No number"}}, "/context"),
        ({"context": {"recipient_count": 0}}, "/context/recipient_count"),
        ({"expires_in": 300}, "/expiresIn"),
        ({"callback_url": "https://other.example/x"}, "/callbackUrl"),
        ({"callbackUrl": "ftp://my-agent.com"}, "/callbackUrl"),
        ({"expiresIn": 0}, "/expiresIn"),
        ({"callbackURL": "https://my-agent.com/"}, "/callbackURL"),
        ({"urgency": "now"}, "/urgency"),
    ],
)
async def test_what_is_wrong_is_named_in_the_dialect_s_own_words(
    agent: httpx2.AsyncClient, more: dict[str, Any], pointer: str
) -> None:
    answer = await agent.post("/v1/notify-operator", json={**STANDARD, **more})
    document = refused(answer, 422, "invalid")
    assert pointers(document) == [pointer]
    assert "payload" not in document["detail"]


async def test_who_may_not_ask_for_an_action_is_told_who_may(agent: httpx2.AsyncClient) -> None:
    body = {"type": "approval_request", "action": "approve_ceo_strategy", "context": {"plan": "x"}}
    answer = await agent.post("/v1/notify-operator", json=body)
    assert "ceo@example.com" in refused(answer, 403, "not_a_requester")["detail"]


async def test_where_nobody_is_the_operator_somebody_must_be_named(here: Office) -> None:
    client = await here.stranger(await here.placet.key("elsewhere", "agent@example.com"))
    document = refused(await client.post("/v1/notify-operator", json=UPGRADE), 422, "invalid")
    assert pointers(document) == ["/approvers"]
    request = await notify(client, {**UPGRADE, "approvers": ["ann@example.com"]})
    assert request["approvers"] == ["ann@example.com"]
