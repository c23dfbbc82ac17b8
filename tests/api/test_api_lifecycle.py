"""Passing on, reminding, asking back and answering over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from events.approval import AppliedPolicy, Person, Subject, WorkingHours
from events.commands import RequestApproval
from events.digest import payload_digest
from events.handling import Order, handle
from events.store.memory import MemoryStore
from services.decision.asking import Asking
from services.decision.changing import Changing
from services.web.keys import Principal
from tests.api.api_kit import (
    ANN,
    BEN,
    REQUESTER,
    Office,
    Placet,
    ask,
    decide,
    found,
    pointers,
    refused,
)
from tests.api.policy_kit import CARL, held, kinds, seat, send, step

CALLS: dict[str, dict[str, Any]] = {
    "reassign": {"to": BEN},
    "remind": {},
    "questions": {"text": "Why?"},
    "answers": {"text": "Because."},
    "revise": {"title": "Lunch"},
}
OF_APPROVERS = ("reassign", "questions")


async def at(approval: dict[str, Any], field: str) -> datetime:
    return datetime.fromisoformat(approval[field])


async def test_what_is_passed_on_waits_for_somebody_else(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    answer = await send(ann, approval["id"], "reassign", to="Ben@Example.com", reason="On leave")
    assert answer.status_code == 200, answer.text
    assert [(one["email"], one["asked"]) for one in found(answer)["approvers"]] == [(BEN, True)]
    document = refused(await decide(ann, approval["id"]), 403, "not_an_approver")
    assert BEN in document["detail"]
    assert found(await decide(ben, approval["id"]))["decided_by"] == BEN
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert history[1]["summary"] == f"Passed on from {ANN} to {BEN}: On leave"
    assert history[1]["by"] == ANN


async def test_passing_on_again_is_passing_on_once(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    first = await send(ann, approval["id"], "reassign", to=BEN)
    again = await send(ann, approval["id"], "reassign", to=BEN)
    assert (again.status_code, found(again)) == (200, found(first))


async def test_only_who_is_asked_passes_it_on(
    agent: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    answer = await send(ben, approval["id"], "reassign", to=CARL, person=ANN)
    assert ANN in refused(answer, 403, "not_an_approver")["detail"]


async def test_an_administrator_passes_on_what_waits_for_somebody(
    office: Office, agent: httpx2.AsyncClient
) -> None:
    boss = await office.person("boss@example.com", ["admin"])
    approval = await ask(agent)
    answer = await send(boss, approval["id"], "reassign", to=BEN, person=ANN)
    assert [one["email"] for one in found(answer)["approvers"]] == [BEN]


async def test_a_key_may_name_who_passes_it_on(office: Office, agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    desk = await office.person("desk@example.com")
    answer = await send(desk, approval["id"], "reassign", to=BEN, approver=ANN)
    assert answer.status_code == 200, answer.text
    history = found(await agent.get(f"/v1/approvals/{approval['id']}/history"))["data"]
    assert history[-1]["by"] == ANN


@pytest.mark.parametrize(
    ("to", "saying"),
    [
        (REQUESTER, "nobody decides their own request"),
        (CARL, "asked already"),
        (BEN, "answer to this is there already"),
    ],
)
async def test_it_is_not_passed_on_to_who_cannot_answer_or_does_so_already(
    office: Office, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient, to: str, saying: str
) -> None:
    approval_id = await held(office, step("all", seat(ANN), seat(BEN), seat(CARL)))
    await decide(ben, approval_id)
    document = refused(await send(ann, approval_id, "reassign", to=to), 422, "cannot_reassign")
    assert saying in document["detail"]
    assert document["approval"]["version"] == 2


async def test_the_requester_reminds_at_most_once_an_hour(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    answer = await agent.post(f"/v1/approvals/{approval['id']}/remind")
    assert answer.status_code == 200, answer.text
    document = refused(await send(agent, approval["id"], "remind"), 409, "reminded_already")
    assert "later" in document["detail"]
    refused(await send(ann, approval["id"], "remind"), 403, "not_the_requester")
    assert (await kinds(agent, approval["id"]))[1:] == ["approval.reminded"]


async def test_a_question_stops_the_clock_and_waits_for_the_requester(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    answer = await send(ann, approval["id"], "questions", text="What for?")
    assert answer.status_code == 201, answer.text
    view = found(answer)
    assert (view["status"], view["asked_back"]["text"]) == ("pending", "What for?")
    assert view["asked_back"]["by"]["email"] == ANN
    assert not any(one["asked"] for one in view["approvers"])


async def test_the_answer_gives_back_the_time_that_was_left(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, expires_in=3600)
    asked = found(await send(ann, approval["id"], "questions", text="What for?"))
    answer = await send(agent, approval["id"], "answers", text="A guest")
    assert answer.status_code == 200, answer.text
    view = found(answer)
    assert view["asked_back"] is None
    assert view["approvers"][0]["asked"]
    left = await at(approval, "expires_at") - await at(asked, "updated_at")
    assert await at(view, "expires_at") - await at(view, "updated_at") == left
    assert await at(view, "expires_at") > await at(approval, "expires_at")
    assert found(await decide(ann, approval["id"]))["status"] == "approved"


async def test_the_time_that_was_left_is_counted_in_working_hours() -> None:
    friday = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
    store, clock = MemoryStore(), [friday]
    weekdays = WorkingHours(time_zone="UTC", days=(0, 1, 2, 3, 4), opens=9 * 60, closes=17 * 60)
    held_to = AppliedPolicy(
        name="expenses", version=1, steps=(step("any", seat(ANN)),), hours=weekdays
    )
    changing = Changing(store, Asking(store, lambda: clock[0]), lambda: clock[0])
    command = RequestApproval(
        about=Subject(
            type="expense",
            title="Dinner",
            requester=Person(email=REQUESTER),
            revision="1",
            round=1,
            payload_digest=payload_digest({}),
        ),
        payload={},
        approvers=(Person(email=ANN),),
        reason=None,
        urgency="medium",
        metadata={},
        # Two hours of working time: the last of Friday and the first of Monday.
        expires_at=datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
        now=friday,
        policy=held_to,
    )
    await handle(store, "w", Order(approval_id="0" * 27, command=command, command_id="asked"))
    clock[0] = friday + timedelta(minutes=30)
    ann, agent = Person(email=ANN), Person(email=REQUESTER)
    await changing.ask_back("w", "0" * 27, by=ann, text="?", wants="answer", question_id="1")
    clock[0] = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)  # a Saturday
    view = await changing.answer_back("w", "0" * 27, by=agent, as_admin=False, text="!")
    assert view.expires_at == datetime(2026, 11, 30, 10, 30, tzinfo=UTC)


async def test_the_same_key_asks_once(agent: httpx2.AsyncClient, ann: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    path = f"/v1/approvals/{approval['id']}/questions"
    headers = {"Idempotency-Key": "the same"}
    answers = [await ann.post(path, json={"text": "?"}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (await kinds(ann, approval["id"])).count("approval.asked_back") == 1
    await send(agent, approval["id"], "answers", text="!")
    assert (await ann.post(path, json={"text": "?"}, headers=headers)).status_code == 201
    assert (await kinds(ann, approval["id"])).count("approval.asked_back") == 1


async def test_a_second_question_waits_for_the_answer_to_the_first(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await send(ann, approval["id"], "questions", text="?")
    document = refused(await send(ann, approval["id"], "questions", text="??"), 409, "returned")
    assert REQUESTER in document["detail"]


async def test_a_question_about_what_has_changed_is_refused(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    answer = await send(ann, approval["id"], "questions", text="?", revision="0")
    refused(answer, 409, "stale_revision")


async def test_only_who_is_asked_asks_back_and_only_who_was_asked_answers(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    refused(await send(ben, approval["id"], "questions", text="?"), 403, "not_an_approver")
    await send(ann, approval["id"], "questions", text="?")
    refused(await send(ben, approval["id"], "answers", text="!"), 403, "not_the_requester")


async def test_nothing_is_answered_that_nobody_asked(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    refused(await send(agent, approval["id"], "answers", text="!"), 409, "not_asked_back")
    asked = found(await send(ann, approval["id"], "questions", text="?"))["asked_back"]
    answer = await send(agent, approval["id"], "answers", text="!", question_id="another")
    refused(answer, 409, "not_asked_back")
    named = await send(agent, approval["id"], "answers", text="!", question_id=asked["question_id"])
    assert named.status_code == 200
    again = await send(agent, approval["id"], "answers", text="!", question_id=asked["question_id"])
    assert (again.status_code, found(again)) == (200, found(named))


async def test_an_answer_in_spite_of_the_question_goes_on_without_it(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await send(ann, approval["id"], "questions", text="?")
    assert found(await decide(ann, approval["id"]))["status"] == "approved"


async def test_what_was_returned_for_changes_is_not_decided_as_it_is(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await send(ann, approval["id"], "questions", text="Too much", wants="changes")
    document = refused(await decide(ann, approval["id"]), 409, "returned")
    assert "for changes" in document["detail"]


async def test_while_the_requester_is_asked_nobody_is_reminded(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    await send(ann, approval["id"], "questions", text="?")
    document = refused(await send(agent, approval["id"], "remind"), 409, "reminded_already")
    assert "answer that" in document["detail"]


@pytest.mark.parametrize("call", CALLS)
async def test_what_is_final_is_not_moved_any_more(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, call: str
) -> None:
    approval = await ask(agent)
    await decide(ann, approval["id"])
    client = ann if call in OF_APPROVERS else agent
    document = refused(
        await send(client, approval["id"], call, **CALLS[call]), 409, "already_resolved"
    )
    assert f"approved by {ANN}" in document["detail"]
    assert document["approval"]["status"] == "approved"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("approval_id", ["0" * 27, "no id"])
async def test_what_was_never_asked_is_not_there(
    office: Office, call: str, approval_id: str
) -> None:
    boss = await office.person("boss@example.com", ["admin"])
    refused(await send(boss, approval_id, call, **CALLS[call]), 404, "not_found")


@pytest.mark.parametrize("call", OF_APPROVERS)
async def test_an_agent_s_key_does_nothing_of_what_approvers_do(
    office: Office, placet: Placet, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    boss = await office.person("boss@example.com", ["admin"])
    approval = await ask(boss)

    async def an_agent(_: str) -> Principal:
        # No key can be made with this scope for an agent: the lock behind that one is tried here.
        scopes = frozenset(("approvals:decide",))
        return Principal(
            workspace=office.workspace, email=ANN, key_id="k", scopes=scopes, agent=True
        )

    monkeypatch.setattr(placet.parts.keys, "find", an_agent)
    bot = await office.stranger("any")
    refused(await send(bot, approval["id"], call, **CALLS[call]), 403, "agents_do_not_decide")


@pytest.mark.parametrize("call", ["remind", "answers", "revise"])
async def test_an_agent_does_what_requesters_do(
    office: Office, placet: Placet, ann: httpx2.AsyncClient, call: str
) -> None:
    scopes = ("approvals:read", "approvals:request")
    key = await placet.key(office.workspace, "bot@example.com", scopes, agent=True)  # type: ignore[arg-type]  # scopes
    bot = await office.stranger(key)
    approval = await ask(bot)
    if call == "answers":
        await send(ann, approval["id"], "questions", text="?")
    answer = await send(bot, approval["id"], call, **CALLS[call])
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("call", "body", "pointer"),
    [
        ("reassign", {}, "/to"),
        ("reassign", {"to": "nobody"}, "/to"),
        ("reassign", {"to": BEN, "person": "nobody"}, "/person"),
        ("reassign", {"to": BEN, "approver": "nobody"}, "/approver"),
        ("reassign", {"to": BEN, "by": ANN}, "/by"),
        ("remind", {"text": "now"}, "/text"),
        ("questions", {}, "/text"),
        ("questions", {"text": ""}, "/text"),
        ("questions", {"text": "x" * 10_001}, "/text"),
        ("questions", {"text": "?", "wants": "money"}, "/wants"),
        ("answers", {}, "/text"),
        ("answers", {"text": "!", "question_id": ""}, "/question_id"),
        ("revise", {}, "/payload"),
        ("revise", {"revision": "2"}, "/payload"),
        ("revise", {"payload": []}, "/payload"),
        ("revise", {"title": ""}, "/title"),
        ("revise", {"title": "x", "revision": "a\nb"}, "/revision"),
    ],
)
async def test_a_body_that_is_none_names_the_field(
    office: Office, call: str, body: dict[str, Any], pointer: str
) -> None:
    boss = await office.person("boss@example.com", ["admin"])
    answer = await send(boss, "0" * 27, call, **body)
    assert pointers(refused(answer, 422, "invalid")) == [pointer]


async def test_a_key_of_questions_that_cannot_be_kept_is_refused(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent)
    answer = await ann.post(
        f"/v1/approvals/{approval['id']}/questions",
        json={"text": "?"},
        headers={"Idempotency-Key": "x" * 256},
    )
    assert "Idempotency-Key" in refused(answer, 422, "invalid")["detail"]
