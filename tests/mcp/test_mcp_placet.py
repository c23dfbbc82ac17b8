"""Assistants on a real Placet, over HTTP: who asks, who decides, and who may not."""

import asyncio
import json
import time
from typing import Any

import pytest

from tests.mcp.mcp_kit import ANN, ASKS, BEN, BOT, Desk, bot, person, refund, subject
from tests.mcp.stand_in import PUBLIC, done, refused, tools


async def history(desk: Desk, approval_id: str) -> list[dict[str, Any]]:
    async with desk.placet.client(await desk.key(ANN)) as http:
        answer = await http.get(f"/v1/approvals/{approval_id}/history")
        entries: list[dict[str, Any]] = answer.json()["data"]
        return entries


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_asks_and_cannot_decide(desk: Desk, mode: str) -> None:
    async with desk.over_http(await desk.key(BOT, agent=True), mode) as client:
        assert await tools(client) == [
            "request_approval",
            "get_approval",
            "wait_for_decision",
            "answer_question",
            "cancel_request",
            "list_my_requests",
        ]
        _, asked = await done(client, "request_approval", **refund())
        assert asked["status"] == "pending"
        assert asked["requester"]["email"] == BOT
        assert [one["email"] for one in asked["approvers"]] == [ANN]
        text = await refused(
            client, "decide", approval_id=asked["id"], decision="approve", revision="1"
        )
        assert "an agent never decides" in text
        _, now = await done(client, "get_approval", approval_id=asked["id"])
        assert now["status"] == "pending"


async def test_a_person_s_assistant_decides_what_the_type_allows(desk: Desk) -> None:
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(agent, "request_approval", **refund())
        await desk.placet.shown()
        _, pending = await done(ann, "list_pending")
        (line,) = [one for one in pending["approvals"] if one["id"] == asked["id"]]
        says, answer = await done(
            ann,
            "decide",
            approval_id=asked["id"],
            decision="approve",
            revision=line["revision"],
            reason="She said yes",
        )
        assert answer["outcome"] == "decided"
        assert "approved" in says
        _, final = await done(agent, "wait_for_decision", approval_id=asked["id"], timeout_s=50)
    assert (final["status"], final["decided_by"]) == ("approved", ANN)
    assert final["decision_reason"] == "She said yes"
    happened = await history(desk, asked["id"])
    assert (happened[-1]["type"], happened[-1]["by"]) == ("approval.acknowledged", BOT)
    told = json.dumps(happened)
    assert '"mcp"' in told


async def test_what_no_type_allows_is_answered_with_the_link(desk: Desk) -> None:
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(
            agent, "request_approval", type="bulk_send", title="Send it", approvers=[ANN]
        )
        says, answer = await done(
            ann, "decide", approval_id=asked["id"], decision="approve", revision=asked["revision"]
        )
        assert answer["outcome"] == "decide_in_the_inbox"
        assert f"{PUBLIC}/approvals/{asked['id']}" in says
        _, now = await done(ann, "get_approval", approval_id=asked["id"])
    assert now["status"] == "pending"


async def test_a_question_goes_from_assistant_to_assistant_and_back(desk: Desk) -> None:
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(agent, "request_approval", **refund(amount=40))
        question = {"approval_id": asked["id"], "revision": asked["revision"]}
        says, answer = await done(
            ann, "ask_requester", **question, text="Is 40 not too much?", wants="changes"
        )
        assert (answer["outcome"], "Asked" in says) == ("asked", True)
        # The same again is asked once.
        await done(ann, "ask_requester", **question, text="Is 40 not too much?", wants="changes")
        says, seen = await done(agent, "wait_for_decision", approval_id=asked["id"], timeout_s=50)
        assert "returned to you for changes" in says
        assert seen["asked_back"]["text"] == "Is 40 not too much?"
        reply = {"approval_id": asked["id"], "question_id": seen["asked_back"]["question_id"]}
        too_much = {**asked["payload"], "amount": 51}
        text = await refused(agent, "answer_question", **reply, text="Less", payload=too_much)
        assert "payload/amount" in text
        fits = {**asked["payload"], "amount": 20}
        _, revised = await done(agent, "answer_question", **reply, text="Less", payload=fits)
        assert (revised["payload"], revised["asked_back"]) == (fits, None)
        assert revised["revision"] != asked["revision"]
        _, decided = await done(
            ann,
            "decide",
            approval_id=asked["id"],
            decision="approve",
            revision=revised["revision"],
        )
    assert decided["outcome"] == "decided"
    told = [one["type"] for one in await history(desk, asked["id"])]
    assert told.count("approval.asked_back") == 1
    assert told.count("approval.answered_back") == 1


async def test_somebody_else_s_assistant_does_not_answer_a_question(desk: Desk) -> None:
    async with (
        bot(desk) as agent,
        person(desk) as ann,
        desk.over_http(await desk.key(BEN, ASKS)) as ben,
    ):
        _, asked = await done(agent, "request_approval", **refund())
        await done(
            ann, "ask_requester", approval_id=asked["id"], revision=asked["revision"], text="Why?"
        )
        _, seen = await done(ben, "get_approval", approval_id=asked["id"])
        question_id = seen["asked_back"]["question_id"]
        text = await refused(
            ben, "answer_question", approval_id=asked["id"], question_id=question_id, text="So"
        )
        assert "Only who asked" in text
        _, still = await done(agent, "get_approval", approval_id=asked["id"])
    assert still["asked_back"]["question_id"] == question_id


async def test_somebody_who_is_not_asked_cannot_decide(desk: Desk) -> None:
    async with bot(desk) as agent, person(desk, BEN) as ben:
        _, asked = await done(agent, "request_approval", **refund())
        text = await refused(
            ben, "decide", approval_id=asked["id"], decision="approve", revision=asked["revision"]
        )
        assert "Nothing was decided" in text
        _, now = await done(agent, "get_approval", approval_id=asked["id"])
    assert now["status"] == "pending"


async def test_a_decision_on_what_was_not_seen_is_refused(desk: Desk) -> None:
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(agent, "request_approval", **refund())
        text = await refused(
            ann, "decide", approval_id=asked["id"], decision="approve", revision="another"
        )
        assert "get_approval" in text
        _, now = await done(agent, "get_approval", approval_id=asked["id"])
    assert now["status"] == "pending"


async def test_a_payload_that_does_not_fit_its_type_is_told_by_its_field(desk: Desk) -> None:
    async with bot(desk) as agent:
        assert "payload/amount" in await refused(agent, "request_approval", **refund(amount=51))


async def test_the_same_request_again_is_the_same_while_it_is_open(desk: Desk) -> None:
    arguments = refund()
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(agent, "request_approval", **arguments)
        _, again = await done(agent, "request_approval", **arguments)
        assert again["id"] == asked["id"]
        await done(
            ann, "decide", approval_id=asked["id"], decision="approve", revision=asked["revision"]
        )
        # What was approved once is no answer to the next question.
        _, anew = await done(agent, "request_approval", **arguments)
        assert anew["id"] != asked["id"]
        assert anew["status"] == "pending"
        _, once_more = await done(agent, "request_approval", **arguments)
        assert once_more["id"] == anew["id"]


async def test_an_own_key_gives_the_same_approval_whatever_became_of_it(desk: Desk) -> None:
    arguments = refund(idempotency_key=subject())
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(agent, "request_approval", **arguments)
        await done(
            ann, "decide", approval_id=asked["id"], decision="deny", revision=asked["revision"]
        )
        says, again = await done(agent, "request_approval", **arguments)
        assert (again["id"], again["status"]) == (asked["id"], "rejected")
        assert "do not do it" in says
        other = arguments | {"title": "Another"}
        assert "idempotency_key" in await refused(agent, "request_approval", **other)


async def test_a_wait_ends_with_its_time_while_nobody_decides(desk: Desk) -> None:
    async with bot(desk) as agent:
        _, asked = await done(agent, "request_approval", **refund())
        started = time.monotonic()
        says, now = await done(agent, "wait_for_decision", approval_id=asked["id"], timeout_s=1)
        assert time.monotonic() - started >= 1
    assert (now["final"], now["status"]) == (False, "pending")
    assert "look again" in says


async def test_a_wait_ends_with_the_decision(desk: Desk) -> None:
    async with bot(desk) as agent, person(desk) as ann:
        _, asked = await done(agent, "request_approval", **refund())
        waiting = asyncio.create_task(
            done(agent, "wait_for_decision", approval_id=asked["id"], timeout_s=50)
        )
        await done(
            ann, "decide", approval_id=asked["id"], decision="deny", revision=asked["revision"]
        )
        await desk.placet.shown()
        async with asyncio.timeout(40):
            _, final = await waiting
    assert final["status"] == "rejected"


async def test_a_request_is_taken_back_and_taken_back_again(desk: Desk) -> None:
    async with bot(desk) as agent:
        _, asked = await done(agent, "request_approval", **refund())
        _, gone = await done(agent, "cancel_request", approval_id=asked["id"], reason="done")
        assert (gone["status"], gone["withdrawn_reason"]) == ("withdrawn", "done")
        _, again = await done(agent, "cancel_request", approval_id=asked["id"])
        assert again["status"] == "withdrawn"
        _, final = await done(agent, "wait_for_decision", approval_id=asked["id"])
        assert final["final"]


async def test_a_request_of_somebody_else_is_not_taken_back(desk: Desk) -> None:
    async with bot(desk) as agent, desk.over_http(await desk.key(BEN, ASKS)) as ben:
        _, asked = await done(agent, "request_approval", **refund())
        assert "do not try again" in await refused(ben, "cancel_request", approval_id=asked["id"])


async def test_my_requests_are_mine_alone(desk: Desk) -> None:
    async with bot(desk) as agent, desk.over_http(await desk.key(BEN, ASKS)) as ben:
        _, mine = await done(agent, "request_approval", **refund())
        _, other = await done(ben, "request_approval", **refund())
        await desk.placet.shown()
        _, listed = await done(agent, "list_my_requests", status="pending", limit=50)
    ids = [one["id"] for one in listed["approvals"]]
    assert mine["id"] in ids
    assert other["id"] not in ids


async def test_a_key_that_does_not_exist_opens_nothing(desk: Desk) -> None:
    async with desk.placet.client("plk_wrong") as http:
        answer = await http.post("/mcp", json={})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
