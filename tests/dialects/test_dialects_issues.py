"""Confirmations in an issue's thread: bound to a revision, ended by what a person says."""

import secrets
from typing import Any

import httpx2
import pytest

from tests.api.api_kit import Office, decide, found, pointers, refused


@pytest.fixture
def issue() -> str:
    return f"ISS-{secrets.token_hex(4)}"


async def confirm(
    client: httpx2.AsyncClient, issue: str, revision: str | None, **more: Any
) -> httpx2.Response:
    body = {
        "kind": "request_confirmation",
        "supersedeOnUserComment": True,
        "prompt": "Accept this plan?",
        **({"idempotencyKey": f"confirmation:{issue}:plan:{revision}"} if revision else {}),
        **more,
    }
    return await client.post(f"/api/issues/{issue}/interactions", json=body)


async def comment(
    client: httpx2.AsyncClient, issue: str, text: str = "Wait, what about the costs?", **more: Any
) -> httpx2.Response:
    return await client.post(f"/api/issues/{issue}/comments", json={"body": text}, **more)


async def look(client: httpx2.AsyncClient, interaction: dict[str, Any]) -> dict[str, Any]:
    address = f"/api/issues/{interaction['issueId']}/interactions/{interaction['id']}"
    return found(await client.get(address))


async def test_a_confirmation_is_bound_to_the_revision_of_its_key_and_accepted(
    agent: httpx2.AsyncClient, otto: httpx2.AsyncClient, issue: str
) -> None:
    answer = await confirm(agent, issue, "rev-1")
    assert answer.status_code == 201, answer.text
    asked = found(answer)
    assert (asked["status"], asked["issueId"]) == ("pending", issue)
    assert asked["target"] == {"key": "plan", "revisionId": "rev-1"}
    assert asked["supersedeOnUserComment"] is True
    native = found(await otto.get(f"/v1/approvals/{asked['id']}"))
    assert (native["title"], native["revision"]) == ("Accept this plan?", "rev-1")
    issues = found(await agent.get(f"/api/approvals/{asked['id']}/issues"))["data"]
    assert [one["id"] for one in issues] == [issue]
    await decide(otto, asked["id"])
    accepted = await look(agent, asked)
    assert (accepted["status"], accepted["resolvedBy"]) == ("accepted", "otto@example.com")


async def test_the_same_key_is_the_same_confirmation(agent: httpx2.AsyncClient, issue: str) -> None:
    first = await confirm(agent, issue, "rev-1")
    again = await confirm(agent, issue, "rev-1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert found(first)["id"] == found(again)["id"]
    other = await confirm(agent, issue, "rev-1", prompt="Something else?")
    refused(other, 422, "idempotency_key_reused")


async def test_a_newer_revision_takes_the_place_of_the_older(
    agent: httpx2.AsyncClient, otto: httpx2.AsyncClient, issue: str
) -> None:
    first = found(await confirm(agent, issue, "rev-1"))
    second = found(await confirm(agent, issue, "rev-2"))
    gone = await look(agent, first)
    assert (gone["status"], gone["supersededBy"]) == ("expired", second["id"])
    refused(await decide(otto, first["id"]), 409, "already_resolved")
    assert (await look(agent, second))["status"] == "pending"


async def test_other_documents_of_the_issue_are_confirmed_for_themselves(
    agent: httpx2.AsyncClient, issue: str
) -> None:
    plan = found(await confirm(agent, issue, "rev-1"))
    design = found(
        await confirm(agent, issue, None, target={"key": "design", "revisionId": "rev-9"})
    )
    assert design["target"] == {"key": "design", "revisionId": "rev-9"}
    assert (await look(agent, plan))["status"] == "pending"


async def test_a_person_s_comment_ends_the_confirmations_that_want_it_so(
    agent: httpx2.AsyncClient, bea: httpx2.AsyncClient, otto: httpx2.AsyncClient, issue: str
) -> None:
    plan = found(await confirm(agent, issue, "rev-1"))
    within = found(
        await confirm(
            agent,
            issue,
            None,
            target={"key": "design", "revisionId": "1"},
            supersedeOnUserComment=False,
            payload={"supersedeOnUserComment": True},
        )
    )
    stays = found(await confirm(agent, issue, None, supersedeOnUserComment=False))
    answer = await comment(bea, issue)
    assert answer.status_code == 201, answer.text
    said = found(answer)
    assert sorted(said["approvalIds"]) == sorted([plan["id"], within["id"], stays["id"]])
    assert sorted(said["supersededIds"]) == sorted([plan["id"], within["id"]])
    for ended in (plan, within):
        assert (await look(agent, ended))["status"] == "expired"
        refused(await decide(otto, ended["id"]), 409, "already_resolved")
    assert (await look(agent, stays))["status"] == "pending"
    history = found(await agent.get(f"/v1/approvals/{stays['id']}/history"))["data"]
    assert history[-1]["data"]["text"] == "Wait, what about the costs?"


async def test_a_comment_ends_what_the_queue_does_not_show_yet_and_not_another_issue_s(
    here: Office, agent: httpx2.AsyncClient, bea: httpx2.AsyncClient, issue: str
) -> None:
    other = found(await confirm(agent, f"{issue}-b", "rev-1"))
    await here.placet.shown()
    plan = found(await confirm(agent, issue, "rev-1"))
    assert found(await comment(bea, issue))["supersededIds"] == [plan["id"]]
    assert (await look(agent, other))["status"] == "pending"


async def test_the_agent_s_own_comments_end_nothing(
    here: Office, agent: httpx2.AsyncClient, ceo: httpx2.AsyncClient, issue: str
) -> None:
    plan = found(await confirm(agent, issue, "rev-1"))
    for client in (agent, ceo):
        said = found(await comment(client, issue, "I began with the first part."))
        assert (said["approvalIds"], said["supersededIds"]) == ([plan["id"]], [])
    assert (await look(agent, plan))["status"] == "pending"


async def test_a_comment_after_the_end_stands_in_the_history_of_the_last_approval(
    here: Office, agent: httpx2.AsyncClient, otto: httpx2.AsyncClient, issue: str
) -> None:
    plan = found(await confirm(agent, issue, "rev-1"))
    await decide(otto, plan["id"])
    await here.placet.shown()
    said = found(await comment(agent, issue, "Closing: the plan is accepted."))
    assert (said["approvalIds"], said["supersededIds"]) == ([plan["id"]], [])
    history = found(await agent.get(f"/v1/approvals/{plan['id']}/history"))["data"]
    assert history[-1]["data"]["text"] == "Closing: the plan is accepted."


async def test_a_comment_that_is_sent_again_stands_once(
    agent: httpx2.AsyncClient, bea: httpx2.AsyncClient, issue: str
) -> None:
    plan = found(await confirm(agent, issue, "rev-1", supersedeOnUserComment=False))
    for _ in range(2):
        await comment(bea, issue, headers={"Idempotency-Key": "note-1"})
    history = found(await agent.get(f"/v1/approvals/{plan['id']}/history"))["data"]
    assert [one["type"] for one in history].count("approval.commented") == 1


async def test_a_comment_that_nothing_here_could_hold_is_not_taken(
    bea: httpx2.AsyncClient, issue: str
) -> None:
    assert "keeps no issues" in refused(await comment(bea, issue), 404, "not_found")["detail"]


async def test_formal_approvals_of_an_issue_hear_its_comments(
    ceo: httpx2.AsyncClient, bea: httpx2.AsyncClient, issue: str
) -> None:
    body = {"type": "approve_ceo_strategy", "payload": {"plan": "Grow."}, "issueIds": [issue]}
    asked = found(await ceo.post("/api/companies/default/approvals", json=body))
    said = found(await comment(bea, issue))
    assert (said["approvalIds"], said["supersededIds"]) == ([asked["id"]], [])


async def test_another_issue_s_confirmation_is_not_there(
    agent: httpx2.AsyncClient, issue: str
) -> None:
    plan = found(await confirm(agent, issue, "rev-1"))
    answer = await agent.get(f"/api/issues/{issue}-b/interactions/{plan['id']}")
    refused(answer, 404, "not_found")


async def test_without_a_revision_nothing_takes_the_place_of_anything(
    agent: httpx2.AsyncClient, issue: str
) -> None:
    first = found(await confirm(agent, issue, None))
    second = found(await confirm(agent, issue, None, idempotencyKey="confirmation:else:plan:1"))
    assert (first["target"], second["target"]) == (None, None)
    assert (await look(agent, first))["status"] == "pending"


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"kind": "ask_user_questions"}, "/kind"),
        ({"target": {"key": "plan"}}, "/target/revisionId"),
        ({"target": {"key": "plan", "revisionId": "a\0"}}, "/target/revisionId"),
        ({"target": {"key": "a\nb", "revisionId": "1"}}, "/target/key"),
        ({"target": {"key": "k" * 100, "revisionId": "1"}, "issue": "i" * 150}, "/target/key"),
        ({"idempotencyKey": "a\nb"}, "/idempotencyKey"),
        ({"payload": {"prompt": 5}, "prompt": None}, "/payload/prompt"),
        ({"continuationPolicy": "wake"}, "/continuationPolicy"),
    ],
)
async def test_what_is_wrong_is_named_in_the_dialect_s_own_words(
    agent: httpx2.AsyncClient, issue: str, more: dict[str, Any], pointer: str
) -> None:
    body = dict(more)
    answer = await confirm(agent, body.pop("issue", issue), None, **body)
    assert pointers(refused(answer, 422, "invalid")) == [pointer]
