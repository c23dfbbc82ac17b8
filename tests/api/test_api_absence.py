"""Answers of people who are away, who stand in for them, and who are no longer there."""

from collections.abc import Callable

import httpx2
import pytest

from services.directory import Directory, Member
from tests.api.api_kit import ANN, BEN, REQUESTER, Office, ask, decide, found, refused
from tests.api.policy_kit import ADA, CARL, held, kinds, known, seat, send, step

Put = Callable[[Directory], None]


@pytest.fixture
def people(office: Office, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Says who is known in this office."""

    def put(directory: Directory) -> None:
        def of(workspace: str) -> Directory:
            return directory if workspace == office.workspace else Directory()

        monkeypatch.setattr(office.placet.parts.directories, "of", of)

    return put


async def test_whoever_stands_in_for_somebody_who_is_away_answers_for_them(
    people: Put, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    refused(await decide(ben, approval["id"]), 403, "not_an_approver")
    people(known(away={ANN: BEN}))
    view = found(await decide(ben, approval["id"]))
    assert (view["status"], view["decided_by"]) == ("approved", BEN)
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert f"{BEN} answered approved for {ANN}" in history[1]["summary"]
    assert history[1]["data"]["on_behalf_of"] == ANN


async def test_a_stand_in_asks_back_too(
    people: Put, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    people(known(away={ANN: BEN}))
    assert (await send(ben, approval["id"], "questions", text="?")).status_code == 201


async def test_a_stand_in_of_somebody_who_asked_does_not_decide_what_they_asked(
    people: Put, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, approvers=[REQUESTER, ANN])
    people(known(away={ANN: REQUESTER}))
    refused(await decide(agent, approval["id"]), 403, "own_request")


async def test_a_stand_in_who_sits_there_too_counts_once(
    people: Put, office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("all", seat(ANN), seat(BEN)))
    people(known(away={ANN: BEN}))
    assert found(await decide(ben, approval_id))["status"] == "pending"
    again = found(await decide(ben, approval_id))
    assert again["status"] == "pending"
    assert found(await decide(ann, approval_id))["status"] == "approved"


@pytest.mark.parametrize("call", ["decision", "questions", "reassign"])
async def test_who_is_no_longer_there_answers_nothing(
    people: Put, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, call: str
) -> None:
    approval = await ask(agent)
    people(known(Member(email=ANN, active=False)))
    bodies = {"decision": {"decision": "approve"}, "questions": {"text": "?"}}
    answer = await send(ann, approval["id"], call, **bodies.get(call, {"to": BEN}))
    document = refused(answer, 403, "not_active")
    assert ANN in document["detail"]
    assert "administrator" in document["detail"]
    assert await kinds(agent, approval["id"]) == ["approval.requested"]


async def test_a_requester_who_is_no_longer_there_answers_no_question(
    people: Put, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await send(ann, approval["id"], "questions", text="?")
    people(known(Member(email=REQUESTER, active=False)))
    refused(await send(agent, approval["id"], "answers", text="!"), 403, "not_active")


async def test_nobody_answers_in_the_name_of_who_is_no_longer_there(
    people: Put, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    people(known(Member(email=ANN, active=False)))
    refused(await decide(ben, approval["id"], approver=ANN), 403, "not_active")


async def test_in_a_list_of_answers_only_theirs_fails(
    people: Put, agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    first, second = (await ask(agent))["id"], (await ask(agent, approvers=[BEN]))["id"]
    people(known(Member(email=ANN, active=False)))
    decisions = [
        {"approval_id": first, "decision": "approve", "approver": ANN},
        {"approval_id": second, "decision": "approve"},
    ]
    answer = await ben.post("/v1/decisions", json={"decisions": decisions})
    assert [one["status"] for one in found(answer)["data"]] == [403, 200]


async def test_it_is_not_passed_on_to_who_is_no_longer_there(
    people: Put, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    people(known(Member(email=BEN, active=False)))
    answer = await send(ann, approval["id"], "reassign", to=BEN)
    assert "not active" in refused(answer, 422, "cannot_reassign")["detail"]


async def test_who_takes_it_is_known_by_name_and_time_zone(
    people: Put, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    people(known(Member(email=BEN, name="Ben", time_zone="Asia/Tokyo")))
    view = found(await send(ann, approval["id"], "reassign", to=BEN))
    (taken,) = view["course"]["policy"]["steps"][0]["seats"]
    assert (taken["person"]["name"], taken["time_zone"]) == ("Ben", "Asia/Tokyo")


async def test_a_seat_of_a_group_is_passed_on_within_it(
    people: Put, office: Office, ann: httpx2.AsyncClient
) -> None:
    people(
        known(
            Member(email=BEN, groups=frozenset({"sales"})),
            Member(email=CARL, groups=frozenset({"finance", "sales"})),
        )
    )
    approval_id = await held(office, step("any", seat(ANN, "finance", "board")))
    for stranger in (BEN, ADA):
        answer = await send(ann, approval_id, "reassign", to=stranger)
        document = refused(answer, 422, "cannot_reassign")
        assert f"{ANN} is asked for finance or board, and {stranger}" in document["detail"]
    assert (await send(ann, approval_id, "reassign", to=CARL)).status_code == 200


async def test_a_seat_that_counts_for_two_groups_is_passed_on_to_somebody_in_both(
    people: Put, office: Office, ann: httpx2.AsyncClient
) -> None:
    people(
        known(
            Member(email=BEN, groups=frozenset({"finance"})),
            Member(email=CARL, groups=frozenset({"finance", "legal"})),
        )
    )
    both = step(
        "each", seat(ANN, "finance", "legal"), seat(ADA, "legal"), groups=("finance", "legal")
    )
    approval_id = await held(office, both)
    document = refused(await send(ann, approval_id, "reassign", to=BEN), 422, "cannot_reassign")
    assert "finance and legal" in document["detail"]
    assert (await send(ann, approval_id, "reassign", to=CARL)).status_code == 200


async def test_who_may_not_pass_it_on_is_not_told_who_is_in_a_group(
    people: Put, office: Office, ben: httpx2.AsyncClient
) -> None:
    people(known(Member(email=CARL, active=False)))
    approval_id = await held(office, step("any", seat(ANN, "finance")))
    answer = await send(ben, approval_id, "reassign", to=CARL, person=ANN)
    refused(answer, 403, "not_an_approver")


async def test_an_ask_that_is_repeated_is_the_same_though_nobody_could_be_asked_any_more(
    people: Put, agent: httpx2.AsyncClient
) -> None:
    body = {"type": "expense", "title": "Oslo", "approvers": [ANN]}
    first = await agent.post("/v1/approvals", json=body, headers={"Idempotency-Key": "once"})
    assert first.status_code == 201
    people(Directory({ANN: Member(email=ANN, active=False)}))
    again = await agent.post("/v1/approvals", json=body, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    refused(await agent.post("/v1/approvals", json=body), 422, "invalid")
