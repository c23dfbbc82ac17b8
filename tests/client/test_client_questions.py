"""What an approver asks back while a program waits: heard once, answered, or left to a person."""

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from placet import (
    Invalid,
    NotDecidedInTime,
    Placet,
    Question,
    Rejected,
    flows,
    requires_approval,
    waiting,
)

from tests.client.client_kit import Caller, Kind, opened, run
from tests.client.stub_server import Answer, Asked, Choose, Stub, stub, stub_that

ID, OTHER = "2" + "a" * 26, "2" + "b" * 26
KEY = "plk_key_of_the_tests_0123456789"
NOW, LATER = "2030-01-01T00:00:00Z", "2030-01-01T00:01:00Z"
ANN = {"email": "ann@example.com", "name": "Ann"}
PENDING: dict[str, Any] = {
    "id": ID,
    "title": "Dinner",
    "status": "pending",
    "created_at": NOW,
    "expires_at": LATER,
    "asked_back": None,
}
QUESTION = {
    "question_id": "q1",
    "by": ANN,
    "text": "For how many?",
    "wants": "answer",
    "at": NOW,
}
REFUSED = {"code": "not_asked_back", "detail": "Nobody has asked this."}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "HURRIED_S", 0.01)
    monkeypatch.setattr(flows, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(flows, "LONGEST_PAUSE_S", 0.01)


def open_(**more: Any) -> Answer:
    return Answer(body={**PENDING, **more})


def asked(**more: Any) -> Answer:
    return open_(asked_back={**QUESTION, **more})


def ended(status: str = "approved", **more: Any) -> Answer:
    return open_(status=status, **more)


class Heard:
    """Who is told of questions, and what they say."""

    def __init__(self, *says: str | None) -> None:
        self.questions: list[Question] = []
        self._says = says or (None,)

    def __call__(self, question: Question) -> str | None:
        self.questions.append(question)
        return self._says[min(len(self.questions), len(self._says)) - 1]


def told(kind: Kind, heard: Heard) -> Any:
    """A listener as this client may have one: a coroutine function where it can await it."""
    if kind is Placet:
        return heard

    async def listens(question: Question) -> str | None:
        return heard(question)

    return listens


def posted(server: Stub, end: str) -> list[Any]:
    return [
        json.loads(one.body)
        for one in server.asked
        if one.method == "POST" and one.path.endswith(end)
    ]


async def client(clients: AsyncExitStack, kind: Kind, url: str, **more: Any) -> Caller:
    return Caller(await opened(clients, kind, url, KEY, **more))


async def test_a_question_is_heard_once_and_what_is_returned_is_its_answer(
    kind: Kind, clients: AsyncExitStack
) -> None:
    heard = Heard("For four")
    async with stub(asked(), open_(), open_(), ended()) as server:
        caller = await client(clients, kind, server.url)
        final = await caller("wait", ID, timeout=60, on_question=told(kind, heard))
    assert final.approved
    (question,) = heard.questions
    assert (question.id, question.by, question.wants) == ("q1", "ann@example.com", "answer")
    assert (question.text, question.approval.id) == ("For how many?", ID)
    assert question.asked_at.isoformat() == "2030-01-01T00:00:00+00:00"
    assert posted(server, "/answers") == [{"text": "For four", "question_id": "q1"}]


async def test_who_listens_looks_at_once_and_then_does_not_wait_long(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(open_(), asked(), ended()) as server:
        caller = await client(clients, kind, server.url)
        await caller("wait", ID, timeout=60, on_question=Heard())
    assert [one.path.partition("?")[2] for one in server.asked] == [
        "timeout=0",
        "timeout=10",
        "timeout=10",
    ]


async def test_a_question_that_is_left_to_a_person_is_told_once_and_the_wait_goes_on(
    kind: Kind, clients: AsyncExitStack
) -> None:
    heard = Heard()
    changes = asked(question_id="q2", wants="changes")
    async with stub(asked(), asked(), changes, changes, ended()) as server:
        caller = await client(clients, kind, server.url)
        assert (await caller("wait", ID, timeout=60, on_question=heard)).approved
    assert [(one.id, one.wants) for one in heard.questions] == [("q1", "answer"), ("q2", "changes")]
    assert posted(server, "/answers") == []


async def test_without_a_listener_a_wait_goes_on_as_if_nothing_was_asked(
    kind: Kind, clients: AsyncExitStack
) -> None:
    voted = open_(progress={"approved": 1, "needed": 2, "words": "1 of 2"})
    async with stub(voted, asked(wants="changes"), voted, ended()) as server:
        caller = await client(clients, kind, server.url)
        assert (await caller("wait", ID, timeout=60)).approved
    assert {one.method for one in server.asked} == {"GET"}


async def test_an_answer_that_came_too_late_does_not_end_the_wait(
    kind: Kind, clients: AsyncExitStack
) -> None:
    late = Answer(status=409, body=REFUSED)
    async with stub(asked(), late, ended("rejected")) as server:
        caller = await client(clients, kind, server.url)
        final = await caller("wait", ID, timeout=60, on_question=Heard("Four"))
    assert final.status == "rejected"


async def test_an_answer_that_did_not_arrive_is_sent_again_without_asking_twice(
    kind: Kind, clients: AsyncExitStack
) -> None:
    heard = Heard("Four", "Another")
    away = Answer(status=503, body={"code": "unavailable", "detail": "Come again."})
    async with stub(asked(), away, asked(), open_(), ended()) as server:
        caller = await client(clients, kind, server.url, attempts=1)
        assert (await caller("wait", ID, timeout=60, on_question=heard)).approved
    assert len(heard.questions) == 1
    assert posted(server, "/answers") == [{"text": "Four", "question_id": "q1"}] * 2


async def test_what_a_listener_raises_and_what_is_no_answer_end_the_wait(
    kind: Kind, clients: AsyncExitStack
) -> None:
    def fail(_: Question) -> str:
        raise LookupError("no idea")

    def odd(_: Question) -> Any:
        return 4

    async with stub(asked()) as server:
        caller = await client(clients, kind, server.url)
        with pytest.raises(LookupError, match="no idea"):
            await caller("wait", ID, on_question=fail)
        with pytest.raises(TypeError, match="on_question returned int"):
            await caller("wait", ID, on_question=odd)


async def test_an_answer_that_is_refused_as_wrong_is_told_to_the_program(
    kind: Kind, clients: AsyncExitStack
) -> None:
    wrong = Answer(status=422, body={"code": "invalid", "detail": "text: is empty"})
    async with stub(asked(), wrong) as server:
        caller = await client(clients, kind, server.url)
        with pytest.raises(Invalid, match="is empty"):
            await caller("wait", ID, on_question=Heard(""))


async def test_a_wait_without_an_end_outlasts_the_time_that_the_clock_stands_still(
    kind: Kind, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AFTER_EXPIRY_S", -60.05)  # 0.05 s more than it lives
    async with stub(*[asked()] * 9, ended()) as server:
        caller = await client(clients, kind, server.url)
        assert (await caller("wait", ID)).approved
    async with stub(*[open_()] * 9, ended()) as server:
        caller = await client(clients, kind, server.url)
        with pytest.raises(NotDecidedInTime):
            await caller("wait", ID)


async def test_a_wait_without_an_end_goes_by_the_time_that_an_answer_gave(
    kind: Kind, clients: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "AFTER_EXPIRY_S", -59.95)
    longer = open_(expires_at="2030-01-01T01:00:00Z")
    async with stub(open_(), *[longer] * 9, ended()) as server:
        caller = await client(clients, kind, server.url)
        assert (await caller("wait", ID)).approved


async def test_a_gate_that_is_asked_answers_and_waits_on(
    kind: Kind, clients: AsyncExitStack
) -> None:
    heard = Heard("For four")
    changes = asked(question_id="q2", wants="changes")
    voted = open_(progress={"approved": 1, "needed": 2, "words": "1 of 2"})
    answers = [open_(), voted, asked(), open_(), changes, open_(), ended("rejected"), ended()]
    async with stub(*answers) as server:
        caller = await client(clients, kind, server.url)
        guarded = await caller.gated(lambda: "ran", title="Dinner", on_question=told(kind, heard))
        with pytest.raises(Rejected):
            await guarded()
    assert [one.id for one in heard.questions] == ["q1", "q2"]
    assert [one["question_id"] for one in posted(server, "/answers")] == ["q1", "q2"]


async def test_a_gate_without_a_listener_waits_on_while_it_is_asked(
    kind: Kind, clients: AsyncExitStack
) -> None:
    answers = [open_(), asked(), asked(wants="changes"), open_(), ended("rejected"), ended()]
    async with stub(*answers) as server:
        caller = await client(clients, kind, server.url)
        with pytest.raises(Rejected):
            await (await caller.gated(lambda: "ran", title="Dinner"))()


def test_only_a_gated_coroutine_function_can_await_its_listener() -> None:
    async def listens(_: Question) -> str | None:
        return None

    with pytest.raises(TypeError, match="on_question"):
        requires_approval(type="t", on_question=listens)(lambda: None)


async def test_an_answer_names_the_question_that_stands_open_so_that_it_can_be_repeated(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(asked(), Answer(cut=True), open_()) as server:
        caller = await client(clients, kind, server.url)
        await caller("answer", ID, "Four")
        assert posted(server, "/answers") == [{"text": "Four", "question_id": "q1"}] * 2
        await caller("answer", ID, "Five", question_id="q2")
        assert posted(server, "/answers")[-1] == {"text": "Five", "question_id": "q2"}


def first_of_two(answer: Answer) -> Choose:
    """The second of two approvals is asked about until it is answered; the first is open then."""

    def choose(asked_for: Asked, before: Any) -> Answer:
        answered = any(one.path.endswith("/answers") for one in before)
        if asked_for.method == "POST" and asked_for.path.endswith("/answers"):
            return open_(id=OTHER)
        if OTHER in asked_for.path:
            return ended(id=OTHER) if answered else Answer(body={**answer.body, "id": OTHER})
        return ended() if answered else open_()

    return choose


async def test_what_is_asked_about_one_approval_is_heard_while_another_one_is_waited_for(
    kind: Kind, clients: AsyncExitStack
) -> None:
    heard = Heard("Four")
    async with stub_that(first_of_two(asked())) as server:
        caller = await client(clients, kind, server.url)
        listening = waiting.Listening(heard, [ID, OTHER])
        settings = caller.client.settings
        flow = waiting.wait(settings, ID, 20, listening)
        final = await run(caller.client.run, flow)
    assert final.approved
    assert [one.approval.id for one in heard.questions] == [OTHER]
