"""An agent's call that is asked back, returned or half approved goes on waiting for its end."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from placet import AsyncPlacet, NotDecidedInTime, Placet, Question, waiting
from placet.adapters.pauses import answered, answered_blocking
from placet.adapters.tool_calls import Terms, ToolCall, answers, answers_within, settled
from placet.digest import payload_digest

from tests.client.client_kit import run
from tests.client.stub_server import Answer, Asked, Stub, stub_that

KEY = "plk_key_of_the_tests_0123456789"
NOW, LATER = "2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"
VOTES = {"step": 1, "steps": 1, "approved": 1, "needed": 2, "words": "1 of 2"}
TERMS = Terms(approvers=["ann@example.com"])


def call(call_id: str, **arguments: Any) -> ToolCall:
    return ToolCall(
        framework="test",
        run="run-1",
        call_id=call_id,
        tool="send_mail",
        arguments=arguments,
        takes_edits=True,
    )


MAIL = call("1", to="bob")


class Story:
    """How each approval stands, look by look; the last one again and again."""

    def __init__(self, *stories: Sequence[dict[str, Any]]) -> None:
        self._stories = [list(story) for story in stories]
        self._asked: list[str] = []
        self._payloads: list[Any] = []

    def __call__(self, asked: Asked, _: Sequence[Asked]) -> Answer:
        path = asked.path.partition("?")[0]
        if path == "/v1/approvals":
            key = asked.headers["idempotency-key"]
            if key not in self._asked:
                self._asked.append(key)
                self._payloads.append(json.loads(asked.body)["payload"])
            place = self._asked.index(key)
            return Answer(status=201, body=self._now(place, look=False))
        place = "ab".index(path.split("/")[3][1])
        if path.endswith("/answers"):
            return Answer(body=self._now(place, look=False))
        return Answer(body=self._now(place, look=asked.method == "GET"))

    def _now(self, place: int, *, look: bool) -> dict[str, Any]:
        story = self._stories[place]
        stands = story.pop(0) if look and len(story) > 1 else story[0]
        payload = self._payloads[place]
        return {
            "id": "2" + "ab"[place] * 26,
            "title": "Mail",
            "created_at": NOW,
            "expires_at": LATER,
            "payload": payload,
            "payload_digest": payload_digest(payload),
            "status": "pending",
            **stands,
        }


def asked_back(question_id: str, wants: str = "answer") -> dict[str, Any]:
    asked = {
        "question_id": question_id,
        "by": {"email": "ann@example.com", "name": None},
        "text": "Which Bob?",
        "wants": wants,
        "at": NOW,
    }
    return {"asked_back": asked}


OPEN: dict[str, Any] = {}
VOTED = {"progress": VOTES}
APPROVED = {"status": "approved", "decided_by": "ann@example.com"}
EDITED = {
    **APPROVED,
    "edited_payload": {"to": "ann"},
    "edited_payload_digest": payload_digest({"to": "ann"}),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "HURRIED_S", 0.01)


def posted(server: Stub, end: str) -> list[Any]:
    return [json.loads(one.body) for one in server.asked if one.path.endswith(end)]


class Heard:
    """Who is told of questions, and says the same to each."""

    def __init__(self, says: str | None = "Bob of sales") -> None:
        self.questions: list[Question] = []
        self._says = says

    def __call__(self, question: Question) -> str | None:
        self.questions.append(question)
        return self._says


async def test_a_call_with_votes_that_is_asked_and_returned_waits_for_its_end() -> None:
    story = [VOTED, asked_back("q1"), asked_back("q2", "changes"), VOTED, APPROVED]
    async with (
        stub_that(Story(story)) as server,
        AsyncPlacet(server.url, KEY) as client,
        answered(client, [MAIL], TERMS) as (answer,),
    ):
        assert answer.approved
        assert answer.arguments == {"to": "bob"}
    assert posted(server, "/answers") == []


async def test_a_call_without_an_event_loop_waits_in_the_same_way() -> None:
    story = [VOTED, asked_back("q1", "changes"), EDITED]

    def work(url: str) -> Any:
        with Placet(url, KEY) as client, answered_blocking(client, [MAIL], TERMS) as (answer,):
            return answer.approved, answer.edited, answer.arguments

    async with stub_that(Story(story)) as server:
        assert await run(work, server.url) == (True, True, {"to": "ann"})


async def test_an_agent_that_listens_answers_for_all_its_calls() -> None:
    heard = Heard()
    first = [OPEN, OPEN, OPEN, VOTED, VOTED, APPROVED]
    # It is asked about while the first one is still waited for.
    second = [asked_back("q1"), OPEN, asked_back("q2"), OPEN, EDITED]
    terms = Terms(approvers=["ann@example.com"], on_question=heard)
    calls = [MAIL, call("2", to="eve")]
    async with stub_that(Story(first, second)) as server, AsyncPlacet(server.url, KEY) as client:
        given = await client.run(answers(client.settings, calls, terms))
    assert [one.arguments for one in given] == [{"to": "bob"}, {"to": "ann"}]
    assert [one.id for one in heard.questions] == ["q1", "q2"]
    assert {one.approval.payload["to"] for one in heard.questions} == {"eve"}
    assert [one["question_id"] for one in posted(server, "/answers")] == ["q1", "q2"]


async def test_a_call_that_waits_in_the_process_is_answered_too() -> None:
    heard = Heard()
    terms = Terms(approvers=["ann@example.com"], on_question=heard)
    story = [asked_back("q1"), VOTED, EDITED]
    async with stub_that(Story(story)) as server, AsyncPlacet(server.url, KEY) as client:
        answer = await client.run(settled(client.settings, MAIL, terms))
    assert answer.edited
    assert posted(server, "/answers") == [{"text": "Bob of sales", "question_id": "q1"}]


async def test_votes_and_questions_are_no_answer_to_who_comes_again_later() -> None:
    for stands in (VOTED, asked_back("q1"), asked_back("q2", "changes")):
        async with stub_that(Story([stands])) as server, AsyncPlacet(server.url, KEY) as client:
            given = await client.run(answers_within(client.settings, [MAIL], TERMS, 0))
            assert given == []
            terms = Terms(approvers=["ann@example.com"], timeout=0.2)
            with pytest.raises(NotDecidedInTime):
                await client.run(answers(client.settings, [MAIL], terms))


async def test_a_question_that_is_left_to_a_person_is_told_once_for_all_calls() -> None:
    heard = Heard(None)
    terms = Terms(approvers=["ann@example.com"], on_question=heard)
    first = [OPEN, OPEN, OPEN, APPROVED]
    second = [asked_back("q1")] * 7 + [APPROVED]
    calls = [MAIL, call("2", to="eve")]
    async with stub_that(Story(first, second)) as server, AsyncPlacet(server.url, KEY) as client:
        given = await client.run(answers(client.settings, calls, terms))
    assert all(one.approved for one in given)
    assert [one.id for one in heard.questions] == ["q1"]
