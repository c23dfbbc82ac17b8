"""The way of an approval to its decision with votes and questions, on the real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from placet import Approval, ArgumentsChanged, Conflict, Invalid, NotAllowed, Question, waiting

from services.config import read_config
from services.settings import DEFAULT_WORKSPACE
from services.web.scopes import Scope
from tests.api import api_kit
from tests.api.api_kit import ANN, BEN, REQUESTER, placet_on
from tests.client.client_kit import PATIENCE_S, Caller, Kind, Office, run
from tests.servers.postgres import TestingPostgres

CLEO = "cleo@example.com"
DECIDES: tuple[Scope, ...] = ("approvals:read", "approvals:decide")
POLICY = """\
name: two_of_us
version: 1
applies_to: {types: [release]}
steps:
  - name: review
    approvers: [ann@example.com, ben@example.com]
    rule: all
fallback: [cleo@example.com]
"""
CONFIG = """\
people:
  - {email: ann@example.com, name: Ann}
  - {email: ben@example.com, name: Ben}
  - {email: cleo@example.com, name: Cleo}
policies: [two_of_us.yaml]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(
    postgres: TestingPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[api_kit.Placet]:
    folder = tmp_path_factory.mktemp("placet")
    (folder / "two_of_us.yaml").write_text(POLICY, "utf-8")
    (folder / "placet.yaml").write_text(CONFIG, "utf-8")
    config = read_config(folder / "placet.yaml", {})
    async with (
        postgres.database(template=migrated) as dsn,
        placet_on(dsn, config) as placet,
    ):
        yield placet


@pytest.fixture
def office(served: api_kit.Placet, kind: Kind, clients: AsyncExitStack) -> Office:
    # A policy holds in the workspace of its file.
    return Office(placet=served, workspace=DEFAULT_WORKSPACE, kind=kind, clients=clients)


@pytest_asyncio.fixture(loop_scope="session")
async def ben(office: Office) -> Caller:
    """Who decides too."""
    return await office.caller(BEN, DECIDES)


@pytest.fixture
def attentive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that listens more often: a question does not end what the server holds."""
    monkeypatch.setattr(waiting, "LISTEN_S", 1)


async def release(agent: Caller, **more: Any) -> Approval:
    ask = {"type": "release", "title": "Release", "payload": {"version": "1.2"}, **more}
    approval: Approval = await agent("create", **ask)
    return approval


async def plain(agent: Caller, **more: Any) -> Approval:
    """An ask that any one of Ann and Ben decides."""
    return await release(agent, **{"type": "bulk_send", "approvers": [ANN, BEN], **more})


async def ending(office: Office, task: asyncio.Task[Any]) -> Any:
    return await office.told(task)


async def test_an_approval_with_votes_is_pending_until_the_last_one(
    office: Office, agent: Caller, ann: Caller, ben: Caller
) -> None:
    asked = await release(agent)
    assert asked.progress is not None
    assert asked.progress["words"] == "0 of 2, Ann and Ben missing"
    task = asyncio.create_task(agent("wait", asked.id, timeout=PATIENCE_S))
    voted = await ann("decide", approval_id=asked.id, decision="approved")
    assert (voted.status, voted.progress["words"]) == ("pending", "1 of 2, Ben missing")
    by_email = {one["email"]: one for one in voted.approvers}
    assert (by_email[ANN]["answer"], by_email[ANN]["asked"]) == ("approved", False)
    assert (by_email[BEN]["answer"], by_email[BEN]["asked"]) == (None, True)
    # The same again counts once.
    again = await ann("decide", approval_id=asked.id, decision="approved")
    assert again.progress["words"] == "1 of 2, Ben missing"
    await office.placet.shown()
    assert not task.done()
    await ben("decide", approval_id=asked.id, decision="approved")
    final = await ending(office, task)
    assert final.approved


@pytest.mark.usefixtures("attentive")
async def test_a_gate_answers_what_is_asked_and_runs_once_all_have_approved(
    office: Office, agent: Caller, ann: Caller, ben: Caller
) -> None:
    heard: list[Question] = []
    ran: list[str] = []

    def explain(question: Question) -> str:
        heard.append(question)
        return "It fixes the leak."

    def publish(version: str) -> str:
        ran.append(version)
        return version

    guarded = await agent.gated(
        publish, type="release", approvers=None, on_question=explain, timeout=60
    )
    task = asyncio.ensure_future(guarded("1.3"))
    await asyncio.sleep(0)
    waits = await one_that_waits(office, agent, {"version": "1.3"})
    await ann("decide", approval_id=waits.id, decision="approved")
    asked = await ben("ask_back", waits.id, "Why today?")
    assert asked.asked_back["text"] == "Why today?"
    async with asyncio.timeout(PATIENCE_S):
        while (now := await ben("get", waits.id)).asked_back is not None:
            await office.placet.shown()
            await asyncio.sleep(0.05)
    assert now.status == "pending"
    assert (ran, [one.by for one in heard]) == ([], [BEN])
    told = [one["summary"] for one in await ben("history", waits.id)]
    assert f"{BEN} asks: Why today?" in told
    assert f"{REQUESTER} answers: It fixes the leak." in told
    await ben("decide", approval_id=waits.id, decision="approved")
    assert await ending(office, task) == "1.3"
    assert ran == ["1.3"]


async def one_that_waits(office: Office, agent: Caller, payload: Any) -> Approval:
    """The approval with this payload, once it is listed."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            await office.placet.shown()
            found = [
                one
                for one in (await agent("list", status="pending")).data
                if one.payload == payload
            ]
            if found:
                approval: Approval = found[0]
                return approval
            await asyncio.sleep(0.05)


async def test_what_was_returned_is_changed_and_answered_anew(
    office: Office, agent: Caller, ann: Caller
) -> None:
    asked = await plain(agent)
    returned = await ann("ask_back", asked.id, "Another version", wants="changes", revision="1")
    assert returned.asked_back["wants"] == "changes"
    with pytest.raises(Conflict) as caught:
        await ann("ask_back", asked.id, "And why?")
    assert caught.value.code == "returned"
    with pytest.raises(Conflict):
        await ann("decide", approval_id=asked.id, decision="approved")
    revised = await agent("revise", asked.id, payload={"version": "1.4"})
    assert (revised.asked_back, revised.revision) == (None, "2")
    again = await agent("revise", asked.id, payload={"version": "1.4"})
    assert again.revision == "2"
    approved = await ann("decide", approval_id=asked.id, decision="approved", revision="2")
    approved.check({"version": "1.4"})
    with pytest.raises(ArgumentsChanged):
        approved.check({"version": "1.2"})


async def test_a_question_is_answered_by_whoever_asked_and_by_nobody_else(
    office: Office, agent: Caller, ann: Caller
) -> None:
    asked = await plain(agent)
    with pytest.raises(Conflict) as caught:
        await agent("answer", asked.id, "To what?")
    assert caught.value.code == "not_asked_back"
    question = (await ann("ask_back", asked.id, "Why?")).asked_back["question_id"]
    stranger = await office.caller(CLEO)
    with pytest.raises(NotAllowed):
        await stranger("answer", asked.id, "Because")
    assert (await agent("answer", asked.id, "Because")).asked_back is None
    # A call that is repeated after a lost answer changes nothing.
    assert (await agent("answer", asked.id, "Because", question_id=question)).status == "pending"


async def test_it_is_passed_on_and_reminded(office: Office, agent: Caller, ann: Caller) -> None:
    asked = await plain(agent, approvers=[ANN])
    passed = await ann("reassign", asked.id, to=CLEO, reason="She knows it")
    assert [one["email"] for one in passed.approvers if one["asked"]] == [CLEO]
    with pytest.raises(Invalid) as caught:
        await (await office.caller(CLEO, DECIDES))("reassign", asked.id, to=REQUESTER)
    assert caught.value.code == "cannot_reassign"
    assert (await agent("remind", asked.id)).status == "pending"
    with pytest.raises(Conflict):
        await agent("remind", asked.id)


async def test_what_was_proposed_approved_and_done_are_compared(
    office: Office, agent: Caller, ann: Caller
) -> None:
    asked = await plain(agent, editable=True)
    await ann("decide", approval_id=asked.id, decision="approved", payload={"version": "1.5"})
    done = await agent("acknowledge", asked.id, effective_payload={"version": "1.5.1"})
    assert done["effective_payload"] == {"version": "1.5.1"}
    found = await agent("difference", asked.id)
    assert found["data"] == [
        {"pointer": "/version", "proposed": "1.2", "approved": "1.5", "effective": "1.5.1"}
    ]


async def test_people_policies_and_delegations(office: Office, agent: Caller, ann: Caller) -> None:
    placet = ann.client
    known, unknown = await run(placet.people.resolve, [ANN, "who@example.com"])
    assert (known["name"], known["known"], unknown["known"]) == ("Ann", True, False)
    assert (await run(placet.people.get, BEN))["name"] == "Ben"
    assert [one["name"] for one in await run(placet.policies.list)] == ["two_of_us"]
    begins = datetime.now(UTC)
    made = await run(
        placet.delegations.create, to=CLEO, begins=begins, ends=begins + timedelta(days=2)
    )
    assert (made["person"], made["to"]) == (ANN, CLEO)
    assert made["id"] in [one["id"] for one in await run(placet.delegations.list, person=ANN)]
    ended = await run(placet.delegations.end, made["id"])
    assert ended["ended_at"] is not None
    assert await run(placet.delegations.list, person=ANN) == []
