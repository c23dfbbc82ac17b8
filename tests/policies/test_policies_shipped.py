"""The policies that are shipped, through the services that are shipped, as the demo wires them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest_asyncio

from events.approval import Person
from events.observation import Observation, ObservedContent
from events.state import fold
from services.config import read_config
from services.decision.intake import Intake
from tests.api.api_kit import AT_WORK, Json, Office, Placet, decide, found, placet_on, refused
from tests.demo.acme_process import DEMO
from tests.servers.postgres import TestingPostgres
from tests.services.service_kit import observed

MARIA, JOHN = "maria.garcia@example.com", "john.smith@example.com"
WEI, LENA, AMARA = "wei.chen@example.com", "lena.hoffmann@example.com", "amara.okafor@example.com"
REQUESTER, MANAGER_AGENT = "jane.doe@example.com", "manager-agent@example.com"
REPORT = {"report_id": "EXP-1", "currency": "USD", "line_items": []}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shipped(postgres: TestingPostgres, migrated: str) -> AsyncIterator[Placet]:
    config = read_config(DEMO / "placet.yaml", {})
    assert [one.name for one in config.policies.listed()] == [
        "expenses",
        "production-access",
        "agent-hire",
    ]
    async with (
        postgres.database(template=migrated) as dsn,
        placet_on(dsn, replace(config, sources=())) as placet,
    ):
        yield placet


@pytest_asyncio.fixture(loop_scope="session")
async def here(shipped: Placet) -> AsyncIterator[Office]:
    async with AsyncExitStack() as clients:
        yield Office(placet=shipped, workspace="default", clients=clients)


async def asked(here: Office, kind: str, by: str = REQUESTER, **body: Any) -> Json:
    client = await here.person(by)
    answer = await client.post("/v1/approvals", json={"type": kind, "title": "Please", **body})
    assert answer.status_code == 201, answer.text
    return found(answer)


async def answered(here: Office, approval: Json, by: str, decision: str = "approve") -> Json:
    client = await here.person(by)
    answer = await decide(client, approval["id"], decision)
    assert answer.status_code == 200, answer.text
    return found(answer)


def waiting(approval: Json) -> set[str]:
    return {one["email"] for one in approval["approvers"] if one["asked"]}


async def test_a_small_expense_report_waits_for_whom_it_names_only(here: Office) -> None:
    payload = {**REPORT, "total_amount": 750.5}
    approval = await asked(here, "expense_report", payload=payload, approvers=[MARIA])
    assert waiting(approval) == {MARIA}
    assert (await answered(here, approval, MARIA))["status"] == "approved"


async def test_a_large_expense_report_goes_on_to_finance(here: Office) -> None:
    payload = {**REPORT, "total_amount": 5000.01}
    approval = await asked(here, "expense_report", payload=payload, approvers=[MARIA])
    assert waiting(approval) == {MARIA}
    early = await decide(await here.person(AMARA), approval["id"])
    assert "at a later step: not yet" in refused(early, 403, "not_an_approver")["detail"]
    approval = await answered(here, approval, MARIA)
    assert (approval["status"], waiting(approval)) == ("pending", {AMARA, LENA})
    assert approval["progress"]["words"] == "Step 2 of 2, finance: 0 of 1"
    approval = await answered(here, approval, AMARA)
    assert (approval["status"], approval["decided_by"]) == ("approved", AMARA)


async def test_an_expense_report_that_a_source_shows_is_held_to_the_policy_too(
    here: Office,
) -> None:
    parts = here.placet.parts
    intake = Intake(
        parts.store,
        lambda: datetime.now(UTC),
        directories=parts.directories,
        policies=parts.config.policies,
    )
    record = secrets.token_hex(4)
    approval_id: str | None = None
    for revision, total, steps in (("1", 20, 1), ("1", 20, 1), ("2", 9_000, 2)):
        seen = Observation(
            workspace="default",
            source="acme-expenses",
            record_id=record,
            revision=revision,
            state="pending",
            read_at=datetime.now(UTC),
            content=ObservedContent(
                type="expense_report",
                title="A report",
                payload={**REPORT, "total_amount": total},
                requester=Person(email=REQUESTER),
                approvers=(Person(email=JOHN),),
            ),
        )
        assert await intake.observed(observed(seen)) == []
        claimed = await parts.store.claimed("default", "record", [seen.record_key])
        approval_id = claimed[seen.record_key].approval_id
        shown = found(await (await here.person(JOHN)).get(f"/v1/approvals/{approval_id}"))
        assert shown["course"]["policy"]["name"] == "expenses"
        assert len(shown["course"]["policy"]["steps"]) == steps
        assert waiting(shown) == {JOHN}
    assert approval_id is not None
    stream = (await parts.store.read("default", [approval_id]))[approval_id]
    assert [type(one.event).__name__ for one in stream] == ["ApprovalRequested", "ApprovalRevised"]
    assert fold(one.event for one in stream).version == 2


async def test_production_access_needs_one_reviewer_of_each_team(here: Office) -> None:
    payload = {"system": "billing", "access": "write", "hours": 2}
    approval = await asked(here, "production_access", payload=payload)
    assert waiting(approval) == {WEI, LENA}
    approval = await answered(here, approval, WEI)
    assert approval["status"] == "pending"
    assert approval["progress"]["words"] == "1 of 2, security missing"
    assert (await answered(here, approval, LENA))["status"] == "approved"


async def test_production_access_that_is_too_much_is_rejected_at_once(here: Office) -> None:
    payload = {"system": "billing", "access": "admin", "hours": 9}
    approval = await asked(here, "production_access", payload=payload)
    assert approval["status"] == "rejected"
    assert approval["decision_channel"] == "policy"
    assert "production-access (version 1)" in approval["decision_reason"]


async def test_a_reviewer_who_asks_for_access_does_not_review_it(here: Office) -> None:
    payload = {"system": "billing", "access": "read", "hours": 1}
    approval = await asked(here, "production_access", by=WEI, payload=payload)
    assert waiting(approval) == {JOHN}
    assert "The fallback is asked in place of 'review'." in approval["course"]["policy"]["warnings"]


async def test_an_agent_is_hired_by_more_than_half_of_the_board(here: Office) -> None:
    payload = {"name": "Analyst", "role": "researcher"}
    approval = await asked(here, "hire_agent", by=MANAGER_AGENT, payload=payload)
    assert waiting(approval) == {MARIA, JOHN}
    approval = await answered(here, approval, JOHN)
    assert (approval["status"], approval["progress"]["words"]) == ("pending", "1 of 2")
    again = await answered(here, approval, JOHN)
    assert again["progress"]["approved"] == 1
    assert (await answered(here, approval, MARIA))["status"] == "approved"


async def test_the_policies_are_listed_in_their_order(here: Office) -> None:
    client: httpx2.AsyncClient = await here.person(MARIA)
    answer = await client.get("/v1/policies")
    assert answer.status_code == 200
    expenses, access, _ = found(answer)["data"]
    assert expenses["applies_to"] == {"types": ["expense_report"], "sources": [], "when": None}
    assert [step["name"] for step in expenses["steps"]] == ["approver", "finance"]
    assert access["steps"] == [
        {
            "name": "review",
            "approvers": ["group:platform", "group:security"],
            "rule": "one from each",
            "deny": 1,
            "when": None,
        }
    ]
    assert (access["on_timeout"], access["expires_in"]) == ("reject", 86400)
    elsewhere = Office(placet=here.placet, workspace="elsewhere", clients=here.clients)
    other = await elsewhere.person(MARIA)
    assert found(await other.get("/v1/policies")) == {"data": []}
    requests_only = await here.person(
        REQUESTER, [one for one in AT_WORK if one != "approvals:read"]
    )
    refused(await requests_only.get("/v1/policies"), 403, "missing_scope")


async def test_an_ask_that_only_its_requester_could_decide_says_what_to_do(here: Office) -> None:
    client = await here.person(REQUESTER)
    body = {"type": "deploy", "title": "Deploy", "approvers": [REQUESTER]}
    answer = await client.post("/v1/approvals", json=body)
    problem = refused(answer, 422, "invalid")
    assert problem["errors"][0]["pointer"] == "/approvers"
    assert "nobody decides their own request: name somebody else" in problem["detail"]
