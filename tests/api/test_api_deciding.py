"""Deciding over HTTP: who may, what counts as an answer, and who wins."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from services.web.keys import parse_key
from tests.api.api_kit import ANN, BEN, REQUESTER, Office, ask, decide, found, pointers, refused

SPELLINGS = {
    "approve": "approved",
    "approved": "approved",
    "deny": "rejected",
    "denied": "rejected",
    "reject": "rejected",
    "rejected": "rejected",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("change", [str.lower, str.upper, str.title, " {} ".format])
async def test_every_spelling_in_any_case_is_an_answer(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, spelling: str, change: "type[str]"
) -> None:
    approval = await ask(agent)
    answer = await decide(ann, approval["id"], change(spelling), reason="Because.")
    assert answer.status_code == 200
    view = found(answer)
    assert view["status"] == view["outcome"] == SPELLINGS[spelling]
    assert (view["decided_by"], view["decision_channel"]) == (ANN, "api")
    assert view["decision_reason"] == "Because."
    assert view["approvers"][0]["answer"] == SPELLINGS[spelling]


@pytest.mark.parametrize("word", ["yes", "ok", "approve!", "\u0430pprove", "x" * 20])
async def test_another_word_is_no_answer(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, word: str
) -> None:
    approval = await ask(agent)
    answer = await decide(ann, approval["id"], word)
    assert pointers(refused(answer, 422, "invalid")) == ["/decision"]
    assert found(await ann.get(f"/v1/approvals/{approval['id']}"))["status"] == "pending"


async def test_who_is_not_asked_cannot_answer(
    agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    document = refused(await decide(ben, approval["id"]), 403, "not_an_approver")
    assert BEN in document["detail"]
    assert document["approval"] == approval


async def test_not_even_who_asked_can_answer(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    refused(await decide(agent, approval["id"]), 403, "not_an_approver")


async def test_a_second_answer_reads_who_won(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, approvers=[ANN, BEN])
    await decide(ann, approval["id"], "deny")
    document = refused(await decide(ben, approval["id"]), 409, "already_resolved")
    assert document["approval"]["decided_by"] == ANN
    assert document["approval"]["outcome"] == "rejected"
    assert ANN in document["detail"]


async def test_the_same_answer_again_is_the_same_decision(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    first, again = await decide(ann, approval["id"]), await decide(ann, approval["id"])
    assert (again.status_code, found(again)) == (200, found(first))
    refused(await decide(ann, approval["id"], "deny"), 409, "already_resolved")


async def test_of_many_answers_at_once_exactly_one_wins(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    people = [f"approver{number}@example.com" for number in range(16)]
    approval = await ask(agent, approvers=people)
    clients = [await office.person(person) for person in people]
    answers = await asyncio.gather(
        *(
            decide(client, approval["id"], "approve" if place % 2 else "deny")
            for place, client in enumerate(clients)
        )
    )
    (winner,) = [place for place, one in enumerate(answers) if one.status_code == 200]
    final = found(answers[winner])
    assert final["decided_by"] == people[winner]
    assert final["outcome"] == ("approved" if winner % 2 else "rejected")
    for place, answer in enumerate(answers):
        if place != winner:
            told = refused(answer, 409, "already_resolved")["approval"]
            assert told["decided_by"] == people[winner]
            assert told["outcome"] == final["outcome"]
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert [one["type"] for one in history].count("approval.decided") == 1


async def test_an_answer_to_what_has_changed_is_refused_with_what_it_is_now(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, revision="r2")
    answer = await decide(ann, approval["id"], revision="r1")
    document = refused(answer, 409, "stale_revision")
    assert document["approval"]["revision"] == "r2"
    assert (await decide(ann, approval["id"], revision="r2")).status_code == 200


async def test_an_answer_to_a_record_is_safe_and_on_its_way(
    office: Office, ann: httpx2.AsyncClient
) -> None:
    approval_id = await office.mirrored()
    answer = await decide(ann, approval_id)
    assert answer.status_code == 202
    view = found(answer)
    assert (view["status"], view["outcome"]) == ("deciding", None)
    assert view["approvers"][0]["answer"] == "approved"
    await office.accepted(approval_id, view["version"])
    final = found(await ann.get(f"/v1/approvals/{approval_id}"))
    assert (final["status"], final["decided_by"]) == ("approved", ANN)


async def test_an_expired_request_cannot_be_answered(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    soon = datetime.now(UTC) + timedelta(milliseconds=400)
    approval = await ask(agent, expires_at=soon.isoformat())
    while datetime.now(UTC) < soon:  # noqa: ASYNC110 # a clock tells nobody
        await asyncio.sleep(0.05)
    document = refused(await decide(ann, approval["id"]), 409, "already_resolved")
    assert "expired" in document["detail"]


async def test_a_withdrawn_request_cannot_be_answered(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await agent.post(f"/v1/approvals/{approval['id']}/withdraw")
    document = refused(await decide(ann, approval["id"]), 409, "already_resolved")
    assert document["approval"]["withdrawn_by"] == REQUESTER


async def test_a_key_may_name_who_decides_and_the_history_keeps_both(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    text = await office.placet.key(office.workspace, "bot@example.com", ["approvals:decide"])
    key = parse_key(text)
    assert key is not None
    bot = await office.stranger(text)
    answer = await decide(bot, approval["id"], approver="Ann@Example.com")
    assert found(answer)["decided_by"] == ANN
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    for one in history[1:]:
        assert one["by"] == ANN
        assert one["data"]["via"] == key.key_id
    assert key.key_id in history[1]["summary"]


async def test_an_own_answer_came_through_nobody(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await decide(ann, approval["id"])
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert history[1]["data"].get("via") is None


async def test_no_key_names_somebody_who_is_not_asked(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    refused(await decide(ann, approval["id"], approver=BEN), 403, "not_an_approver")


async def test_without_the_scope_nobody_is_named(office: Office, agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    reader = await office.person(BEN, ["approvals:read", "approvals:request"])
    document = refused(await decide(reader, approval["id"], approver=ANN), 403, "missing_scope")
    assert "approvals:decide" in document["detail"]
    assert found(await agent.get(f"/v1/approvals/{approval['id']}"))["status"] == "pending"


@pytest.mark.parametrize("approver", ["ann", "a@b@c", "", "a\0@b.c", 7, ["ann@example.com"]])
async def test_an_approver_who_is_no_address_is_refused(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, approver: object
) -> None:
    approval = await ask(agent)
    answer = await decide(ann, approval["id"], approver=approver)
    assert pointers(refused(answer, 422, "invalid")) == ["/approver"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_nothing_but_a_post_decides(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, method: str
) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/decision"
    answer = await ann.request(method, path, params={"decision": "approve"})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert found(await ann.get(f"/v1/approvals/{approval['id']}"))["status"] == "pending"
