"""The calls about the course of an approval, people, delegations and policies: what is sent."""

import json
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from placet import Conflict, Invalid, NotAllowed, NotFound, PlacetError

from tests.client.client_kit import Caller, Kind, opened, run
from tests.client.stub_server import Answer, stub

ID = "2" + "a" * 26
KEY = "plk_key_of_the_tests_0123456789"
ONE: dict[str, Any] = {
    "id": ID,
    "title": "Dinner",
    "status": "pending",
    "approvers": [
        {
            "email": "ben@example.com",
            "name": None,
            "answer": "approved",
            "step": 1,
            "groups": ["finance"],
            "asked": False,
            "on_behalf_of": "ann@example.com",
            "answered_by": None,
        }
    ],
    "progress": {"step": 1, "steps": 2, "approved": 1, "needed": 2, "words": "1 of 2"},
    "asked_back": None,
    "course": {"step": 0},
}
PATH = f"/v1/approvals/{ID}"


async def client(clients: AsyncExitStack, kind: Kind, url: str) -> Caller:
    return Caller(await opened(clients, kind, url, KEY))


async def test_each_call_about_its_course_says_what_it_was_given(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(Answer(body=ONE)) as server:
        caller = await client(clients, kind, server.url)
        await caller("ask_back", ID, "Why?", wants="changes", revision=2)
        await caller("revise", ID, payload={"sum": 4}, reason="As you said")
        await caller("reassign", ID, to="ben@example.com", person="ann@example.com")
        await caller("remind", ID)
        await caller("undo", ID, approver="ann@example.com")
        await caller("acknowledge", ID, effective_payload={"sum": 3})
    assert [(one.path, json.loads(one.body)) for one in server.asked] == [
        (f"{PATH}/questions", {"text": "Why?", "wants": "changes", "revision": "2"}),
        (f"{PATH}/revise", {"payload": {"sum": 4}, "reason": "As you said"}),
        (f"{PATH}/reassign", {"to": "ben@example.com", "person": "ann@example.com"}),
        (f"{PATH}/remind", {}),
        (f"{PATH}/undo", {"approver": "ann@example.com"}),
        (f"{PATH}/acknowledge", {"effective_payload": {"sum": 3}}),
    ]


async def test_a_question_that_did_not_arrive_is_asked_again_under_its_own_key(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(Answer(cut=True), Answer(status=201, body=ONE)) as server:
        caller = await client(clients, kind, server.url)
        await caller("ask_back", ID, "Why?")
        await caller("ask_back", ID, "Why?")
    first, again, another = (one.headers["idempotency-key"] for one in server.asked)
    assert first == again
    assert first != another


async def test_an_approval_shows_how_far_it_has_come_and_who_answered_for_whom(
    kind: Kind, clients: AsyncExitStack
) -> None:
    old = {"id": ID, "title": "Dinner", "status": "pending"}
    async with stub(Answer(body=ONE), Answer(body=old)) as server:
        caller = await client(clients, kind, server.url)
        approval = await caller("decide", approval_id=ID, decision="approved")
        before = await caller("get", ID)
    assert not approval.is_final
    assert approval.progress["words"] == "1 of 2"
    (ben,) = approval.approvers
    assert (ben["on_behalf_of"], ben["step"], ben["asked"]) == ("ann@example.com", 1, False)
    assert (approval.asked_back, approval.course) == (None, {"step": 0})
    # A server of the release before does not send them.
    assert (before.progress, before.asked_back, before.course) == (None, None, None)


@pytest.mark.parametrize(
    ("status", "code", "kind_of_error"),
    [
        (409, "already_answered", Conflict),
        (403, "own_request", NotAllowed),
        (409, "returned", Conflict),
        (409, "not_asked_back", Conflict),
        (422, "cannot_reassign", Invalid),
        (409, "reminded_already", Conflict),
        (409, "too_often", Conflict),
        (409, "too_late_to_undo", Conflict),
    ],
)
async def test_a_refusal_is_the_error_that_says_what_to_do(
    kind: Kind,
    clients: AsyncExitStack,
    status: int,
    code: str,
    kind_of_error: type[PlacetError],
) -> None:
    refusal = {"code": code, "detail": "Because.", "approval": ONE}
    async with stub(Answer(status=status, body=refusal)) as server:
        caller = await client(clients, kind, server.url)
        with pytest.raises(kind_of_error, match="Because") as caught:
            await caller("remind", ID)
    assert caught.value.code == code
    assert len(server.asked) == 1


async def test_people_delegations_policies_and_differences_are_read_as_they_came(
    kind: Kind, clients: AsyncExitStack
) -> None:
    found = {"data": [{"email": "ann@example.com", "name": "expenses"}], "email": "ann@example.com"}
    async with stub(Answer(body=found)) as server:
        placet = (await client(clients, kind, server.url)).client
        (ann,) = await run(placet.people.resolve, ["ann@example.com"])
        assert ann["email"] == "ann@example.com"
        assert (await run(placet.people.get, "ann+x@example.com"))["email"] == "ann@example.com"
        (policy,) = await run(placet.policies.list)
        assert policy["name"] == "expenses"
        await run(placet.delegations.list, person="ann@example.com")
        await run(
            placet.delegations.create,
            to="ben@example.com",
            begins=datetime(2030, 1, 1, tzinfo=UTC),
            ends="2030-02-01T00:00:00Z",
        )
        await run(placet.delegations.end, "d-1")
        assert (await run(placet.approvals.difference, ID)) == found
    assert [f"{one.method} {one.path}" for one in server.asked] == [
        "POST /v1/people/resolve",
        "GET /v1/people/ann%2Bx@example.com",
        "GET /v1/policies",
        "GET /v1/delegations?person=ann%40example.com&limit=200",
        "POST /v1/delegations",
        "DELETE /v1/delegations/d-1",
        f"GET {PATH}/difference",
    ]
    assert json.loads(server.asked[0].body) == {"emails": ["ann@example.com"]}
    assert json.loads(server.asked[4].body) == {
        "to": "ben@example.com",
        "begins": "2030-01-01T00:00:00+00:00",
        "ends": "2030-02-01T00:00:00Z",
    }


async def test_delegations_of_all_pages_are_listed(kind: Kind, clients: AsyncExitStack) -> None:
    first = {"data": [{"id": "d1"}], "next_cursor": "n"}
    last = {"data": [{"id": "d2"}], "next_cursor": None}
    async with stub(Answer(body=first), Answer(body=last)) as server:
        placet = (await client(clients, kind, server.url)).client
        assert [one["id"] for one in await run(placet.delegations.list)] == ["d1", "d2"]
    assert server.asked[1].path == "/v1/delegations?limit=200&cursor=n"


async def test_what_is_no_delegation_reaches_no_other_address(
    kind: Kind, clients: AsyncExitStack
) -> None:
    async with stub(Answer(body={})) as server:
        placet = (await client(clients, kind, server.url)).client
        for wrong in ("", "..", "../people", "a/b", "a?b"):
            with pytest.raises(NotFound):
                await run(placet.delegations.end, wrong)
        with pytest.raises(ValueError, match="begins: a time without a zone"):
            await run(
                placet.delegations.create,
                to="ben@example.com",
                begins=datetime(2030, 1, 1),  # noqa: DTZ001 # what is refused
                ends="2030-02-01T00:00:00Z",
            )
    assert server.asked == []
