"""What was proposed, what was approved, and what took effect: three records of one approval."""

from typing import Any

import httpx2
import pytest

from tests.api.api_kit import ANN, BEN, REQUESTER, Office, ask, decide, found, pointers, refused
from tests.api.policy_kit import kinds, look, send

PROPOSED = {"amount": 500, "to": "list", "tags": ["a", "b"]}
APPROVED = {"amount": 50, "to": "list", "tags": ["a"]}
EFFECTIVE = {"amount": 49, "to": "list", "tags": ["a"]}


async def difference(client: httpx2.AsyncClient, approval_id: str) -> dict[str, Any]:
    answer = await client.get(f"/v1/approvals/{approval_id}/difference")
    assert answer.status_code == 200, answer.text
    return found(answer)


async def approved(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, **more: Any
) -> dict[str, Any]:
    approval = await ask(agent, payload=PROPOSED, editable=True)
    answer = await decide(ann, approval["id"], **more)
    assert answer.status_code == 200, answer.text
    return found(answer)


async def test_the_requester_is_shown_what_was_changed_and_what_came_of_it(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await approved(agent, ann, payload=APPROVED)
    assert await difference(agent, approval["id"]) == {
        "records": ["proposed", "approved"],
        "data": [
            {"pointer": "/amount", "proposed": 500, "approved": 50, "effective": None},
            {"pointer": "/tags/1", "proposed": "b", "approved": None, "effective": None},
        ],
        "count": 2,
    }
    told = await send(agent, approval["id"], "acknowledge", effective_payload=EFFECTIVE)
    view = found(told)
    assert (view["payload"], view["edited_payload"]) == (PROPOSED, APPROVED)
    assert view["effective_payload"] == EFFECTIVE
    digests = {view[f"{kind}payload_digest"] for kind in ("", "edited_", "effective_")}
    assert len(digests) == 3
    assert view == await look(agent, approval["id"])
    assert await difference(agent, approval["id"]) == {
        "records": ["proposed", "approved", "effective"],
        "data": [
            {"pointer": "/amount", "proposed": 500, "approved": 50, "effective": 49},
            {"pointer": "/tags/1", "proposed": "b", "approved": None, "effective": None},
        ],
        "count": 2,
    }


async def test_what_was_approved_as_it_was_proposed_differs_nowhere(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await approved(agent, ann)
    nowhere = {"records": ["proposed", "approved"], "data": [], "count": 0}
    assert await difference(agent, approval["id"]) == nowhere


async def test_until_it_is_approved_there_is_one_record(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, payload=PROPOSED)
    alone = {"records": ["proposed"], "data": [], "count": 0}
    assert await difference(agent, approval["id"]) == alone
    await decide(ann, approval["id"], "deny")
    assert await difference(agent, approval["id"]) == alone


async def test_it_may_be_told_after_the_outcome_was_heard_and_once(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await approved(agent, ann)
    heard = found(await send(agent, approval["id"], "acknowledge"))
    assert heard["effective_payload"] is None
    told = found(await send(agent, approval["id"], "acknowledge", effective_payload=EFFECTIVE))
    assert told["effective_payload"] == EFFECTIVE
    assert told["acknowledged_at"] == heard["acknowledged_at"]
    again = await send(agent, approval["id"], "acknowledge", effective_payload=EFFECTIVE)
    assert found(again) == told
    other = await send(agent, approval["id"], "acknowledge", effective_payload={"amount": 1})
    assert "told before" in refused(other, 409, "already_resolved")["detail"]
    assert (await kinds(agent, approval["id"])).count("approval.acknowledged") == 2


async def test_only_who_asked_says_what_took_effect(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await approved(agent, ann)
    answer = await send(ann, approval["id"], "acknowledge", effective_payload=EFFECTIVE)
    assert REQUESTER in refused(answer, 403, "not_the_requester")["detail"]
    assert (await look(agent, approval["id"]))["acknowledged_at"] is None
    boss = await office.person("boss@example.com", ["admin"])
    answer = await send(boss, approval["id"], "acknowledge", effective_payload=EFFECTIVE)
    assert found(answer)["effective_payload"] == EFFECTIVE


@pytest.mark.parametrize("end", ["deny", "withdraw"])
async def test_nothing_takes_effect_of_what_was_not_approved(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, end: str
) -> None:
    approval = await ask(agent)
    if end == "deny":
        await decide(ann, approval["id"], "deny")
    else:
        await send(agent, approval["id"], "withdraw")
    answer = await send(agent, approval["id"], "acknowledge", effective_payload=EFFECTIVE)
    assert "not approved" in refused(answer, 422, "not_editable")["detail"]
    assert (await send(agent, approval["id"], "acknowledge")).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"effective_payload": []}, "/effective_payload"),
        ({"effective_payload": {"amount": 2**60}}, "/effective_payload"),
        ({"effective": {}}, "/effective"),
    ],
)
async def test_what_took_effect_can_be_kept(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    approval = await approved(agent, ann)
    answer = await send(agent, approval["id"], "acknowledge", **body)
    assert pointers(refused(answer, 422, "invalid")) == [pointer]


async def test_a_difference_of_what_is_not_there_is_not_there(agent: httpx2.AsyncClient) -> None:
    refused(await agent.get(f"/v1/approvals/{'0' * 27}/difference"), 404, "not_found")


async def test_an_edit_under_two_approvers_counts_for_whoever_answers_first(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, payload=PROPOSED, editable=True, approvers=[ANN, BEN])
    await decide(ben, approval["id"], payload=APPROVED)
    document = refused(await decide(ann, approval["id"]), 409, "already_resolved")
    assert document["approval"]["edited_payload"] == APPROVED
