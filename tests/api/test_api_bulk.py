"""Many decisions in one call: each checked by itself, each with a result of its own."""

from typing import Any

import httpx2
import pytest

from tests.api.api_kit import ANN, BEN, Office, ask, decide, found, pointers, refused
from tests.api.policy_kit import held, seat, step

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


async def test_votes_are_kept_each_by_itself(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    both = await held(office, step("all", seat(ANN), seat(BEN)))
    later = await held(office, step("any", seat(BEN)), step("any", seat(ANN)))
    own = await held(office, step("any", seat(ANN)), requester=ANN)
    edited = await held(office, step("all", seat(ANN), seat(BEN)), editable=True)
    results = await decided(
        ann,
        {"approval_id": both, "decision": "approve"},
        {"approval_id": later, "decision": "approve"},
        {"approval_id": own, "decision": "approve"},
        {"approval_id": edited, "decision": "approve", "payload": {"amount": 1}},
        {"approval_id": both, "decision": "approve"},
    )
    assert [one["status"] for one in results] == [200, 403, 403, 422, 200]
    assert [one["problem"] and one["problem"]["code"] for one in results] == [
        None,
        "not_an_approver",
        "own_request",
        "not_editable",
        None,
    ]
    assert results[0]["approval"]["status"] == "pending"
    assert "1 of 2" in results[0]["approval"]["progress"]["words"]
    (last,) = await decided(ben, {"approval_id": both, "decision": "approve"})
    assert last["approval"]["status"] == "approved"


async def test_two_hundred_votes_are_taken_at_once(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    many = [await held(office, step("all", seat(ANN), seat(BEN))) for _ in range(200)]
    votes = [{"approval_id": one, "decision": "approve"} for one in many]
    for client, status in ((ann, "pending"), (ben, "approved")):
        results = await decided(client, *votes)
        assert [one["status"] for one in results] == [200] * 200
        assert {one["approval"]["status"] for one in results} == {status}


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
