"""Changing what is asked: a new revision, under the same rules as a new ask."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.config import read_config
from tests.api.api_kit import (
    ANN,
    BEN,
    REQUESTER,
    Office,
    ask,
    decide,
    found,
    placet_on,
    pointers,
    refused,
)
from tests.api.policy_kit import held, kinds, look, seat, send, step
from tests.servers.postgres import TestingPostgres

TYPES = {
    "expense.yaml": """
name: expense
version: 1
title: Expense
editable: true
payload:
  type: object
  properties: {amount: {type: integer, minimum: 1}}
  additionalProperties: false
""",
    "placet.yaml": "types: [expense.yaml]\n",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def typed(
    postgres: TestingPostgres, migrated: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """The workspace of a file that says what an expense is."""
    folder = tmp_path_factory.mktemp("config")
    for name, text in TYPES.items():
        (folder / name).write_text(text, "utf-8")
    config = read_config(folder / "placet.yaml", {})
    async with (
        postgres.database(template=migrated) as dsn,
        placet_on(dsn, config) as placet,
        AsyncExitStack() as clients,
    ):
        yield Office(placet=placet, workspace="default", clients=clients)


async def test_a_new_revision_holds_what_was_changed_and_all_the_rest(
    agent: httpx2.AsyncClient,
) -> None:
    before = await ask(
        agent,
        payload={"amount": 5},
        reason="A guest",
        urgency="high",
        metadata={"team": "sales"},
        links=[{"kind": "issue", "id": "7", "url": None}],
        checkpoint_name="pay",
        agent_id="a-1",
    )
    answer = await send(agent, before["id"], "revise", payload={"amount": 4})
    assert answer.status_code == 200, answer.text
    after = found(answer)
    assert (after["revision"], after["payload"], after["status"]) == ("2", {"amount": 4}, "pending")
    assert after["payload_digest"] != before["payload_digest"]
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {
        "revision", "payload", "payload_digest", "version", "updated_at", "expires_at", "course",
    }  # fmt: skip
    assert after == await look(agent, before["id"])
    history = found(await agent.get(f"/v1/approvals/{before['id']}/history"))["data"]
    assert history[-1]["by"] == REQUESTER
    assert "revision 2" in history[-1]["summary"]


async def test_a_title_and_a_reason_change_alone(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent, reason="A guest", payload={"amount": 5})
    titled = found(await send(agent, approval["id"], "revise", title="Lunch"))
    assert (titled["title"], titled["reason"], titled["revision"]) == ("Lunch", "A guest", "2")
    because = found(await send(agent, approval["id"], "revise", reason="Two guests"))
    assert (because["title"], because["reason"]) == ("Lunch", "Two guests")
    assert (because["revision"], because["payload"]) == ("3", {"amount": 5})
    assert because == await look(agent, approval["id"])


async def test_earlier_answers_do_not_count_for_the_new_revision(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient, ben: httpx2.AsyncClient
) -> None:
    approval_id = await held(office, step("all", seat(ANN), seat(BEN)))
    await decide(ann, approval_id)
    view = found(await send(agent, approval_id, "revise", payload={"amount": 4}))
    assert [one["answer"] for one in view["approvers"]] == [None, None]
    refused(await decide(ben, approval_id, revision="1"), 409, "stale_revision")
    # No file has this policy: what is asked now is held to none.
    assert found(await decide(ben, approval_id, revision="2"))["decided_by"] == BEN


async def test_what_was_returned_for_changes_comes_back(
    agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, payload={"amount": 5})
    await send(ann, approval["id"], "questions", text="Too much", wants="changes")
    view = found(await send(agent, approval["id"], "revise", payload={"amount": 4}))
    assert (view["asked_back"], view["approvers"][0]["asked"]) == (None, True)
    assert found(await decide(ann, approval["id"], revision="2"))["status"] == "approved"


async def test_a_new_revision_has_a_full_time_again(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent, payload={"amount": 5}, expires_in=3600)
    await asyncio.sleep(0.01)
    view = found(await send(agent, approval["id"], "revise", payload={"amount": 4}))
    begins, ends = (datetime.fromisoformat(view[key]) for key in ("updated_at", "expires_at"))
    assert ends - begins == timedelta(hours=1)
    assert ends > datetime.fromisoformat(approval["expires_at"])


async def test_what_is_the_same_is_no_revision(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent, payload={"amount": 5}, reason="A guest")
    body = {"payload": {"amount": 5}, "title": approval["title"], "reason": "A guest"}
    answer = await send(agent, approval["id"], "revise", **body)
    assert (answer.status_code, found(answer)) == (200, approval)


@pytest.mark.parametrize(("first", "then"), [("7", "8"), ("draft", "draft+1"), ("007", "8")])
async def test_a_number_counts_on_and_another_name_tells_itself_apart(
    agent: httpx2.AsyncClient, first: str, then: str
) -> None:
    approval = await ask(agent, payload={"amount": 5}, revision=first)
    view = found(await send(agent, approval["id"], "revise", payload={"amount": 4}))
    assert view["revision"] == then


async def test_a_revision_may_be_named_but_not_that_of_another_content(
    agent: httpx2.AsyncClient,
) -> None:
    approval = await ask(agent, payload={"amount": 5}, revision="a")
    named = await send(agent, approval["id"], "revise", payload={"amount": 4}, revision="b")
    assert found(named)["revision"] == "b"
    again = await send(agent, approval["id"], "revise", payload={"amount": 4}, revision="b")
    assert found(again) == found(named)
    answer = await send(agent, approval["id"], "revise", payload={"amount": 3}, revision="a")
    assert "Revision a" in refused(answer, 409, "revision_reused")["detail"]


async def test_two_changes_at_once_both_hold(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent, payload={"amount": 5})
    bodies: list[dict[str, Any]] = [{"title": "Lunch"}, {"payload": {"amount": 4}}, {"reason": "?"}]
    answers = await asyncio.gather(
        *(send(agent, approval["id"], "revise", **body) for body in bodies)
    )
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    view = await look(agent, approval["id"])
    assert (view["title"], view["payload"], view["reason"]) == ("Lunch", {"amount": 4}, "?")
    assert view["revision"] == "4"


async def test_only_the_requester_or_an_administrator_changes_it(
    office: Office, agent: httpx2.AsyncClient, ann: httpx2.AsyncClient
) -> None:
    approval = await ask(agent, payload={"amount": 5})
    answer = await send(ann, approval["id"], "revise", payload={"amount": 4})
    assert REQUESTER in refused(answer, 403, "not_the_requester")["detail"]
    boss = await office.person("boss@example.com", ["admin"])
    view = found(await send(boss, approval["id"], "revise", payload={"amount": 4}))
    assert (view["requester"]["email"], view["payload"]) == (REQUESTER, {"amount": 4})


async def test_a_record_is_changed_in_its_source(office: Office) -> None:
    boss = await office.person("boss@example.com", ["admin"])
    approval_id = await office.mirrored()
    document = refused(await send(boss, approval_id, "revise", title="x"), 403, "not_the_requester")
    assert "change it there" in document["detail"]
    answer = await send(
        await office.person(ANN), approval_id, "questions", text="?", wants="changes"
    )
    assert "change there" in refused(answer, 422, "not_editable")["detail"]


async def test_a_new_payload_fits_its_type(typed: Office) -> None:
    agent, ann = await typed.person(REQUESTER), await typed.person(ANN)
    approval = await ask(agent, payload={"amount": 5})
    answer = await send(agent, approval["id"], "revise", payload={"amount": 0})
    assert pointers(refused(answer, 422, "invalid")) == ["/payload/amount"]
    foreign = await send(ann, approval["id"], "revise", payload={"amount": 0})
    refused(foreign, 403, "not_the_requester")
    assert await kinds(agent, approval["id"]) == ["approval.requested"]
    view = found(await send(agent, approval["id"], "revise", payload={"amount": 4}))
    assert (view["revision"], view["type_version"], view["editable"]) == ("2", 1, True)
    edited = found(await decide(ann, approval["id"], payload={"amount": 3}))
    assert edited["edited_payload"] == {"amount": 3}


async def test_a_payload_that_cannot_be_bound_is_refused(agent: httpx2.AsyncClient) -> None:
    approval = await ask(agent)
    answer = await send(agent, approval["id"], "revise", payload={"amount": 2**60})
    assert pointers(refused(answer, 422, "invalid")) == ["/payload"]


async def test_what_is_asked_again_about_a_subject_is_held_to_what_was_changed(
    agent: httpx2.AsyncClient,
) -> None:
    about = {"subject": "budget-7", "payload": {"amount": 5}}
    first = await ask(agent, **about)
    await send(agent, first["id"], "revise", payload={"amount": 4})
    same = await agent.post(
        "/v1/approvals",
        json={"type": "expense", "title": "Dinner", "approvers": [ANN], "subject": "budget-7",
              "payload": {"amount": 4}},
    )  # fmt: skip
    assert (same.status_code, found(same)["id"]) == (200, first["id"])
    newer = await ask(agent, **about)
    assert (newer["id"] == first["id"], newer["revision"]) == (False, "3")
    assert (await look(agent, first["id"]))["superseded_by"] == newer["id"]
