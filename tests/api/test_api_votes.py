"""Votes over HTTP: who is still missing, who counts, and what a vote may not do."""

import asyncio

import httpx2
import pytest

from services.decision.write_back import WriteBacks
from tests.api.api_kit import ANN, BEN, REQUESTER, Office, ask, decide, found, refused
from tests.api.policy_kit import ADA, CARL, held, kinds, look, seat, step


async def test_a_vote_that_does_not_settle_it_is_kept_and_tells_who_is_missing(
    office: Office, ann: httpx2.AsyncClient
) -> None:
    both = step(
        "each", seat(ANN, "legal"), seat(BEN, "finance"), groups=("legal", "finance"), deny=1
    )
    approval_id = await held(office, both)
    answer = await decide(ann, approval_id)
    assert answer.status_code == 200, answer.text
    view = found(answer)
    assert (view["status"], view["outcome"]) == ("pending", None)
    assert view["progress"]["words"] == "1 of 2, finance missing"
    assert [(one["email"], one["answer"], one["asked"]) for one in view["approvers"]] == [
        (ANN, "approved", False),
        (BEN, None, True),
    ]
    assert view == await look(ann, approval_id)


async def test_the_last_vote_that_is_needed_settles_it(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    two = step("count", seat(ANN), seat(BEN), seat(CARL), needed=2)
    approval_id = await held(office, two)
    await decide(ann, approval_id)
    view = found(await decide(ben, approval_id))
    assert (view["status"], view["decided_by"]) == ("approved", BEN)
    assert view["progress"]["words"] == "2 of 2"
    assert (await kinds(ann, approval_id)).count("approval.decision_submitted") == 2


async def test_the_second_step_begins_when_the_first_is_done(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(
        office, step("any", seat(ANN), name="manager"), step("any", seat(BEN), name="finance")
    )
    early = refused(await decide(ben, approval_id), 403, "not_an_approver")
    assert "later step" in early["detail"]
    assert ANN in early["detail"]
    view = found(await decide(ann, approval_id))
    assert view["progress"]["words"] == "Step 2 of 2, finance: 0 of 1"
    late = refused(await decide(ann, approval_id, "deny"), 403, "not_an_approver")
    assert "next step" in late["detail"]
    assert found(await decide(ben, approval_id))["status"] == "approved"


async def test_the_same_vote_again_is_one_vote(office: Office, ann: httpx2.AsyncClient) -> None:
    approval_id = await held(office, step("all", seat(ANN), seat(BEN)))
    first = found(await decide(ann, approval_id))
    again = await decide(ann, approval_id)
    assert (again.status_code, found(again)) == (200, first)
    assert (await kinds(ann, approval_id)).count("approval.decision_submitted") == 1


async def test_one_person_counts_once_also_as_somebody_s_stand_in(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("all", seat(ANN), seat(BEN, held_by=ANN)))
    assert found(await decide(ann, approval_id))["status"] == "pending"
    assert found(await decide(ann, approval_id))["status"] == "pending"
    assert found(await decide(ben, approval_id))["status"] == "approved"


async def test_a_rejection_ends_it_only_where_so_many_were_needed(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("any", seat(ANN), seat(BEN), seat(CARL), deny=2))
    assert found(await decide(ann, approval_id, "deny"))["status"] == "pending"
    assert found(await decide(ben, approval_id, "deny"))["status"] == "rejected"


async def test_nobody_approves_their_own_request(office: Office, agent: httpx2.AsyncClient) -> None:
    approval_id = await held(office, step("any", seat(REQUESTER), seat(ANN)))
    document = refused(await decide(agent, approval_id), 403, "own_request")
    assert "nobody decides their own request" in document["detail"]
    assert document["approval"]["status"] == "pending"


async def test_nobody_approves_their_own_request_through_a_key_of_somebody_else(
    office: Office, ann: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("any", seat(REQUESTER), seat(ANN)))
    answer = await decide(ann, approval_id, approver=REQUESTER)
    refused(answer, 403, "own_request")


async def test_a_plain_ask_is_not_decided_by_who_asked(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, approvers=[REQUESTER, ANN])
    refused(await decide(agent, approval["id"]), 403, "own_request")
    assert found(await decide(ann, approval["id"]))["status"] == "approved"


async def test_a_policy_may_let_them(office: Office, agent: httpx2.AsyncClient) -> None:
    approval_id = await held(office, step("any", seat(REQUESTER)), self_approval=True)
    assert found(await decide(agent, approval_id))["decided_by"] == REQUESTER


async def test_the_answer_in_person_outweighs_the_stand_in_s(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("all", seat(ANN, held_by=BEN), seat(CARL)))
    await decide(ann, approval_id)
    document = refused(await decide(ben, approval_id, "deny"), 409, "already_answered")
    assert "in person" in document["detail"]


async def test_several_who_must_agree_edit_nothing(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("all", seat(ANN), seat(BEN)), editable=True)
    answer = await decide(ann, approval_id, payload={"amount": 4})
    assert "Several people" in refused(answer, 422, "not_editable")["detail"]
    await decide(ann, approval_id)
    refused(await decide(ben, approval_id, payload={"amount": 4}), 422, "not_editable")
    assert found(await decide(ben, approval_id))["edited_payload"] is None


async def test_who_comes_late_reads_what_happened(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("count", seat(ANN), seat(BEN), seat(CARL), needed=2))
    carl = await office.person(CARL)
    await decide(ann, approval_id)
    await decide(ben, approval_id)
    document = refused(await decide(carl, approval_id, "deny"), 409, "already_resolved")
    assert f"approved by {BEN}" in document["detail"]
    assert document["approval"]["status"] == "approved"
    again = await decide(ann, approval_id)
    assert (again.status_code, found(again)["status"]) == (200, "approved")


async def test_nothing_is_written_to_a_source_before_the_last_vote(
    office: Office,
    ann: httpx2.AsyncClient,
    ben: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    carried: list[str] = []

    async def carry_out(_: WriteBacks, _workspace: str, approval_id: str) -> None:
        carried.append(approval_id)

    monkeypatch.setattr(WriteBacks, "carry_out", carry_out)
    approval_id = await held(office, step("all", seat(ANN), seat(BEN)), mirrored=True)
    answer = await decide(ann, approval_id)
    assert (answer.status_code, found(answer)["status"]) == (200, "pending")
    assert approval_id not in carried
    last = await decide(ben, approval_id)
    assert (last.status_code, found(last)["status"]) == (202, "deciding")
    assert approval_id in carried


async def test_many_votes_at_once_end_it_once(office: Office, ann: httpx2.AsyncClient) -> None:
    people = [f"approver{number}@example.com" for number in range(12)]
    approval_id = await held(office, step("count", *(seat(one) for one in people), needed=4))
    clients = [await office.person(one) for one in people]
    answers = await asyncio.gather(*(decide(client, approval_id) for client in clients))
    kept = [one for one in answers if one.status_code == 200]
    others = [one for one in answers if one.status_code != 200]
    assert len(kept) == 4 or all(one.status_code == 503 for one in others)
    for one in others:
        if one.status_code != 503:
            refused(one, 409, "already_resolved")
    events = await kinds(ann, approval_id)
    assert events.count("approval.decided") == 1
    assert events.count("approval.decision_submitted") == len(kept)


async def test_an_edit_of_the_only_one_who_answers_is_approved_as_edited(
    office: Office, ann: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("any", seat(ANN), seat(ADA)), editable=True)
    view = found(await decide(ann, approval_id, payload={"amount": 4}))
    assert (view["payload"], view["edited_payload"]) == ({"amount": 5}, {"amount": 4})
