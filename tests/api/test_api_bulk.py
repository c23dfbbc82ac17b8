"""Many decisions in one call: each checked by itself, each with a result of its own."""

from typing import Any

import httpx2
import pytest

from tests.api.api_kit import ANN, Office, ask, decide, found, pointers, refused

NOT_THERE = "0" * 27


async def decided(client: httpx2.AsyncClient, *decisions: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.post("/v1/decisions", json={"decisions": list(decisions)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = found(answer)["data"]
    return results


async def test_each_answer_has_the_result_that_it_would_have_had_alone(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    fresh = (await ask(agent))["id"]
    stale = (await ask(agent, revision="2"))["id"]
    taken = (await ask(agent, approvers=["ann@example.com", "ben@example.com"]))["id"]
    not_hers = (await ask(agent, approvers=["ben@example.com"]))["id"]
    mirrored = await office.mirrored()
    await decide(ben, taken, "deny")
    results = await decided(
        ann,
        {"approval_id": fresh, "decision": "approve", "reason": "Fine."},
        {"approval_id": stale, "decision": "approve", "revision": "1"},
        {"approval_id": taken, "decision": "approve"},
        {"approval_id": not_hers, "decision": "approve"},
        {"approval_id": NOT_THERE, "decision": "approve"},
        {"approval_id": "no id", "decision": "approve"},
        {"approval_id": fresh, "decision": "perhaps"},
        {"approval_id": mirrored, "decision": "approve"},
    )
    assert [one["status"] for one in results] == [200, 409, 409, 403, 404, 404, 422, 202]
    assert [one["problem"] and one["problem"]["code"] for one in results] == [
        None,
        "stale_revision",
        "already_resolved",
        "not_an_approver",
        "not_found",
        "not_found",
        "invalid",
        None,
    ]
    assert (results[0]["approval"]["status"], results[0]["approval"]["decision_reason"]) == (
        "approved",
        "Fine.",
    )
    assert results[2]["problem"]["approval"]["status"] == "rejected"
    assert results[7]["approval"]["status"] == "deciding"
    assert found(await ann.get(f"/v1/approvals/{fresh}"))["decided_by"] == ANN


async def test_answers_for_the_same_approval_are_given_in_their_order(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval_id = (await ask(agent))["id"]
    results = await decided(
        ann,
        {"approval_id": approval_id, "decision": "deny"},
        {"approval_id": approval_id, "decision": "approve"},
        {"approval_id": approval_id, "decision": "deny"},
    )
    assert [one["status"] for one in results] == [200, 409, 200]
    assert results[2]["approval"]["status"] == "rejected"


async def test_two_hundred_are_decided_at_once_and_one_more_is_refused(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    some = [(await ask(agent))["id"] for _ in range(20)]
    many = [{"approval_id": some[n % 20], "decision": "approve"} for n in range(200)]
    results = await decided(ann, *many)
    assert [one["status"] for one in results] == [200] * 200
    answer = await ann.post("/v1/decisions", json={"decisions": [*many, many[0]]})
    assert pointers(refused(answer, 422, "invalid")) == ["/decisions"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/decisions"),
        ({"decisions": []}, "/decisions"),
        ({"decisions": [{"decision": "approve"}]}, "/decisions/0/approval_id"),
        ({"decisions": [{"approval_id": NOT_THERE, "decision": 1}]}, "/decisions/0/decision"),
    ],
)
async def test_a_body_that_is_none_decides_nothing(
    ann: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await ann.post("/v1/decisions", json=body)
    assert pointers(refused(answer, 422, "invalid"))[0].replace("...", "0") == pointer


async def test_an_agents_key_decides_none(office: Office) -> None:
    key = await office.placet.key(office.workspace, "bot@example.com", ["approvals:read"])
    bot = await office.stranger(key)
    answer = await bot.post("/v1/decisions", json={"decisions": []})
    refused(answer, 403, "missing_scope")
