"""Asking, commenting and withdrawing: `POST /v1/approvals` and what the requester does with it."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from tests.api.api_kit import (
    ADMIN_KEY,
    ANN,
    BEN,
    REQUESTER,
    Office,
    ask,
    asked,
    decide,
    found,
    pointers,
    refused,
)

KEY = {"Idempotency-Key": "order-17"}
NOT_THERE = "0" * 27

WHOLE = {
    "type": "purchase",
    "title": "Ten chairs",
    "payload": {"amount": 750.5, "lines": [{"item": "chair", "count": 10}]},
    "approvers": [{"email": "Ann@Example.com", "name": "Ann"}, BEN, "ANN@example.com"],
    "requester": {"email": "rita@example.com", "name": "Rita"},
    "reason": "The old ones broke.",
    "urgency": "high",
    "expires_in": 3600,
    "callback_url": "https://agent.example.com/told",
    "links": [{"kind": "issue", "id": "17", "url": "https://tracker.example.com/17"}],
    "subject": "chairs",
    "revision": "r7",
    "checkpoint_name": "before-order",
    "execution_id": "run-1",
    "agent_id": "buyer",
    "metadata": {"team": "facilities"},
}


async def test_an_ask_is_answered_with_the_whole_approval(agent: httpx2.AsyncClient) -> None:
    answer = await agent.post("/v1/approvals", json=WHOLE)
    assert answer.status_code == 201
    view = found(answer)
    assert len(view["id"]) == 27
    assert [
        {key: one[key] for key in ("email", "name", "answer", "asked")} for one in view["approvers"]
    ] == [
        {"email": ANN, "name": "Ann", "answer": None, "asked": True},
        {"email": BEN, "name": None, "answer": None, "asked": True},
    ]
    assert view["requester"] == WHOLE["requester"]
    for name in ("type", "title", "payload", "reason", "urgency", "links", "subject", "revision"):
        assert view[name] == WHOLE[name], name
    for name in ("checkpoint_name", "execution_id", "agent_id", "metadata"):
        assert view[name] == WHOLE[name], name
    assert (view["status"], view["version"], view["round"]) == ("pending", 1, 1)
    created, expires = (datetime.fromisoformat(view[name]) for name in ("created_at", "expires_at"))
    assert expires - created == timedelta(hours=1)
    assert created.utcoffset() == timedelta(0)


async def test_absent_things_are_null_and_lists_are_never_absent(agent: httpx2.AsyncClient) -> None:
    view = await ask(agent)
    assert view["requester"] == {"email": REQUESTER, "name": None}
    assert view["links"] == []
    assert view["payload"] == {}
    assert view["metadata"] == {}
    for name in ("source", "subject", "outcome", "decided_by", "decided_at", "withdrawn_by"):
        assert name in view
        assert view[name] is None


async def test_the_same_key_and_body_again_is_the_same_approval(agent: httpx2.AsyncClient) -> None:
    first = await agent.post("/v1/approvals", json=asked(payload={"a": 1, "b": 2}), headers=KEY)
    spaced = b'{ "title":"Dinner", "type":"expense","approvers":["ann@example.com"],'
    spaced += b'"payload":{"b":2, "a":1} }'
    again = await agent.post("/v1/approvals", content=spaced, headers=KEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert found(again) == found(first)


async def test_the_same_key_with_another_body_is_refused(agent: httpx2.AsyncClient) -> None:
    await agent.post("/v1/approvals", json=asked(), headers=KEY)
    answer = await agent.post("/v1/approvals", json=asked(title="Lunch"), headers=KEY)
    refused(answer, 422, "idempotency_key_reused")


async def test_each_principal_has_keys_of_its_own(
    agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    mine = await agent.post("/v1/approvals", json=asked(), headers=KEY)
    theirs = await ben.post("/v1/approvals", json=asked(), headers=KEY)
    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert found(mine)["id"] != found(theirs)["id"]


async def test_a_key_sent_twice_at_the_same_moment_asks_once(agent: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(agent.post("/v1/approvals", json=asked(), headers=KEY) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({found(answer)["id"] for answer in answers}) == 1


async def test_without_a_key_each_call_asks_anew(agent: httpx2.AsyncClient) -> None:
    assert (await ask(agent))["id"] != (await ask(agent))["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_a_key_that_cannot_be_kept_is_refused(agent: httpx2.AsyncClient, key: str) -> None:
    answer = await agent.post("/v1/approvals", json=asked(), headers={"Idempotency-Key": key})
    assert "Idempotency-Key" in refused(answer, 422, "invalid")["detail"]


async def test_a_final_approval_is_still_told_for_its_key(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    first = await agent.post("/v1/approvals", json=asked(), headers=KEY)
    await decide(ann, found(first)["id"])
    again = await agent.post("/v1/approvals", json=asked(), headers=KEY)
    assert (again.status_code, found(again)["status"]) == (200, "approved")


async def test_who_asked_may_withdraw_it_and_again(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/withdraw"
    answer = await agent.post(path, json={"reason": "Not needed."})
    assert answer.status_code == 200
    view = found(answer)
    assert (view["status"], view["withdrawn_by"]) == ("withdrawn", REQUESTER)
    assert view["withdrawn_reason"] == "Not needed."
    again = await agent.post(path)  # a body is not needed
    assert (again.status_code, found(again)["version"]) == (200, view["version"])


async def test_nobody_else_may_withdraw_it_but_an_administrator(
    office: Office, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/withdraw"
    document = refused(await ben.post(path, json={}), 403, "not_the_requester")
    assert document["approval"]["id"] == approval["id"]
    admin = await office.person("boss@example.com", ["admin"])
    assert found(await admin.post(path, json={}))["withdrawn_by"] == "boss@example.com"


async def test_what_is_decided_cannot_be_withdrawn(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await decide(ann, approval["id"])
    answer = await agent.post(f"/v1/approvals/{approval['id']}/withdraw", json={})
    assert refused(answer, 409, "already_resolved")["approval"]["status"] == "approved"


async def test_what_mirrors_a_record_is_withdrawn_in_its_source(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    approval_id = await office.mirrored()
    answer = await agent.post(f"/v1/approvals/{approval_id}/withdraw", json={})
    assert "erp" in refused(answer, 403, "not_the_requester")["detail"]


async def test_a_comment_stands_in_the_history_once_for_each_key(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/comments"
    for _ in range(2):
        answer = await ann.post(path, json={"text": "Which chairs?"}, headers=KEY)
        assert answer.status_code == 201
        assert found(answer)["id"] == approval["id"]
    await ann.post(path, json={"text": "Those chairs."})
    history = found(await ann.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    texts = [one["data"]["text"] for one in history if one["type"] == "approval.commented"]
    assert texts == ["Which chairs?", "Those chairs."]
    assert {one["by"] for one in history[1:]} == {ANN}


async def test_many_who_comment_at_once_are_kept_or_told_to_try_again(
    agent: httpx2.AsyncClient,
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/comments"
    answers = await asyncio.gather(
        *(agent.post(path, json={"text": f"no. {number}"}) for number in range(24))
    )
    for answer in answers:
        if answer.status_code != 201:
            refused(answer, 503, "unavailable")
            assert answer.headers["retry-after"]
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    kept = [answer for answer in answers if answer.status_code == 201]
    assert len(history) == 1 + len(kept)
    assert kept


@pytest.mark.parametrize(
    ("call", "body"),
    [("decision", {"decision": "approve"}), ("withdraw", {}), ("comments", {"text": "?"})],
)
@pytest.mark.parametrize("approval_id", [NOT_THERE, "x", "%F0%9F%A6%89", "%00", "a%20b"])
async def test_what_is_not_there_cannot_be_changed(
    agent: httpx2.AsyncClient, call: str, body: dict[str, str], approval_id: str
) -> None:
    answer = await agent.post(f"/v1/approvals/{approval_id}/{call}", json=body)
    refused(answer, 404, "not_found")


@pytest.mark.parametrize("seconds", [0, -1, 367 * 86_400, 10**30, 1.5, "60", True])
async def test_a_time_to_answer_out_of_range_is_refused(
    agent: httpx2.AsyncClient, seconds: object
) -> None:
    answer = await agent.post("/v1/approvals", json=asked(expires_in=seconds))
    assert pointers(refused(answer, 422, "invalid")) == ["/expires_in"]


@pytest.mark.parametrize(
    "when",
    [
        "2126-11-21T12:00:00",  # no zone
        "2020-11-21T12:00:00Z",  # over
        "2126-11-21T12:00:00Z",  # beyond a year
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "tomorrow",
        17,
    ],
)
async def test_a_time_that_cannot_be_a_last_moment_is_refused(
    agent: httpx2.AsyncClient, when: object
) -> None:
    answer = await agent.post("/v1/approvals", json=asked(expires_at=when))
    assert pointers(refused(answer, 422, "invalid")) == ["/expires_at"]


async def test_a_time_of_another_zone_is_told_in_utc(agent: httpx2.AsyncClient) -> None:
    when = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    local = when.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)
    view = await ask(agent, expires_at=local.isoformat())
    assert view["expires_at"] == when.isoformat().replace("+00:00", "Z")


async def test_both_ways_to_say_the_last_moment_are_one_too_many(
    agent: httpx2.AsyncClient,
) -> None:
    when = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    answer = await agent.post("/v1/approvals", json=asked(expires_in=60, expires_at=when))
    assert pointers(refused(answer, 422, "invalid")) == ["/expires_at"]


async def test_the_bootstrap_key_asks_in_the_default_workspace(office: Office) -> None:
    admin = await office.stranger(ADMIN_KEY)
    assert (await ask(admin))["workspace"] == "default"
