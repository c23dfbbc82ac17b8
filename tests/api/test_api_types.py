"""Approval types: what an ask must hold, who may ask, and whom it waits for by default."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from services.config import read_config
from tests.api.api_kit import (
    Office,
    Placet,
    decide,
    found,
    placet_on,
    pointers,
    refused,
)
from tests.servers.postgres import TestingPostgres

DEPLOY = Path(__file__).parents[2] / "deploy"
SHIPPED = {
    "account_upgrade",
    "approve_ceo_strategy",
    "bulk_send",
    "data_deletion",
    "execution_checkpoint",
    "expense_report",
    "hire_agent",
    "request_confirmation",
}
PLACET_YAML = """
strict_types: {strict}
approvers: [operator]
types: [{types}]
people:
  - {{email: bea@example.com, name: Bea, roles: [board]}}
  - {{email: otto@example.com, name: Otto, roles: [operator]}}
  - {{email: ceo@example.com, name: The CEO, roles: [ceo]}}
"""
HIRE = {"type": "hire_agent", "title": "Hire", "payload": {"name": "Analyst", "role": "researcher"}}
FITS: dict[str, Any] = {
    "account_upgrade": {"currentTier": "free", "requestedTier": "developer", "monthlyCost": 9},
    "approve_ceo_strategy": {"plan": "Grow."},
    "bulk_send": {"recipient_count": 500, "subject": "Update"},
    "data_deletion": {"table": "users"},
    "execution_checkpoint": {"output": "Hello."},
    "expense_report": {"report_id": "EXP-1", "total_amount": 750.5, "currency": "USD"},
    "hire_agent": {"name": "Analyst", "role": "researcher"},
    "request_confirmation": {"prompt": "Accept this plan?"},
}


def placet_yaml(folder: Path, *, strict: bool = False) -> Path:
    path = folder / "placet.yaml"
    types = ", ".join(str(DEPLOY / "types" / f"{name}.yaml") for name in sorted(SHIPPED))
    path.write_text(
        PLACET_YAML.format(strict=str(strict).lower(), types=types).replace(
            "roles: [ceo]", "roles: [ceo, manager]"
        )
    )
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=[False, True], ids=str)
async def typed(
    request: pytest.FixtureRequest,
    postgres: TestingPostgres,
    migrated: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Placet]:
    """A Placet with the shipped types, once with room for others and once without."""
    path = placet_yaml(tmp_path_factory.mktemp("config"), strict=request.param)
    config = read_config(path, {})
    async with postgres.database(template=migrated) as dsn, placet_on(dsn, config) as placet:
        yield placet


@pytest_asyncio.fixture(loop_scope="session")
async def here(typed: Placet) -> AsyncIterator[Office]:
    async with AsyncExitStack() as clients:
        yield Office(placet=typed, workspace="default", clients=clients)


@pytest_asyncio.fixture(loop_scope="session")
async def ceo(here: Office) -> httpx2.AsyncClient:
    return await here.person("ceo@example.com")


async def test_every_shipped_type_is_there_and_takes_what_it_is_for(
    ceo: httpx2.AsyncClient,
) -> None:
    listed = found(await ceo.get("/v1/types"))["data"]
    assert {one["name"] for one in listed} == SHIPPED == set(FITS)
    for one in listed:
        assert found(await ceo.get(f"/v1/types/{one['name']}")) == one
        body = {"type": one["name"], "title": "Shipped", "payload": FITS[one["name"]]}
        answer = await ceo.post("/v1/approvals", json=body)
        assert answer.status_code == 201, answer.text
        view = found(answer)
        assert view["type_version"] == one["version"]
        wanted = one["approvers"] or ["otto@example.com"]
        assert [approver["email"] for approver in view["approvers"]] == wanted
        if one["expires_in"]:
            lasts = datetime.fromisoformat(view["expires_at"]) - datetime.fromisoformat(
                view["created_at"]
            )
            assert lasts == timedelta(seconds=one["expires_in"])


@pytest.mark.parametrize(
    ("payload", "pointer"),
    [
        ({"name": "Analyst"}, "/payload/role"),
        ({"name": "", "role": "x"}, "/payload/name"),
        ({"name": "a", "role": "x", "budgetMonthlyCents": -1}, "/payload/budgetMonthlyCents"),
    ],
)
async def test_a_payload_that_does_not_fit_is_named_by_its_pointer(
    ceo: httpx2.AsyncClient, payload: dict[str, Any], pointer: str
) -> None:
    document = refused(
        await ceo.post("/v1/approvals", json={**HIRE, "payload": payload}), 422, "invalid"
    )
    assert pointers(document) == [pointer]


async def test_every_fault_of_a_payload_is_told_at_once(ceo: httpx2.AsyncClient) -> None:
    body = {**HIRE, "payload": {"name": 1, "budgetMonthlyCents": "x"}}
    document = refused(await ceo.post("/v1/approvals", json=body), 422, "invalid")
    assert set(pointers(document)) == {
        "/payload/name",
        "/payload/role",
        "/payload/budgetMonthlyCents",
    }


async def test_who_may_not_ask_is_told_who_may(here: Office) -> None:
    engineer = await here.person("engineer@example.com")
    document = refused(await engineer.post("/v1/approvals", json=HIRE), 403, "not_a_requester")
    assert "manager or ceo (ceo@example.com)" in document["detail"]


async def test_nobody_asks_in_the_name_of_somebody_who_may(here: Office) -> None:
    engineer = await here.person("engineer@example.com")
    body = {**HIRE, "requester": "ceo@example.com"}
    refused(await engineer.post("/v1/approvals", json=body), 403, "not_a_requester")
    boss = await here.person("boss@example.com", ["admin"])
    assert (await boss.post("/v1/approvals", json=body)).status_code == 201
    for_engineer = {**HIRE, "requester": "engineer@example.com"}
    refused(await boss.post("/v1/approvals", json=for_engineer), 403, "not_a_requester")


async def test_a_type_that_nobody_named_is_taken_as_it_is_unless_types_are_strict(
    here: Office, ceo: httpx2.AsyncClient
) -> None:
    body = {"type": "data_export", "title": "Export", "payload": {"recordCount": 10_000}}
    answer = await ceo.post("/v1/approvals", json=body)
    if here.placet.parts.config.types.strict:
        assert pointers(refused(answer, 422, "invalid")) == ["/type"]
    else:
        assert answer.status_code == 201, answer.text
        assert found(answer)["type_version"] is None
        assert [one["email"] for one in found(answer)["approvers"]] == ["otto@example.com"]


async def test_an_approver_may_lower_the_number_within_the_schema(
    here: Office, ceo: httpx2.AsyncClient
) -> None:
    body = {"type": "bulk_send", "title": "Send", "payload": {"recipient_count": 500}}
    view = found(await ceo.post("/v1/approvals", json=body))
    assert view["editable"] is True
    otto = await here.person("otto@example.com")
    bad = await decide(otto, view["id"], payload={"recipient_count": 0})
    assert pointers(refused(bad, 422, "invalid")) == ["/payload/recipient_count"]
    view = found(await decide(otto, view["id"], payload={"recipient_count": 100}))
    assert (view["status"], view["payload"], view["edited_payload"]) == (
        "approved",
        {"recipient_count": 500},
        {"recipient_count": 100},
    )
    assert view["edited_payload_digest"] != view["payload_digest"]


async def test_an_assistant_carries_answers_only_where_the_type_says_so(
    here: Office, ceo: httpx2.AsyncClient
) -> None:
    otto = await here.person("otto@example.com")
    for kind, status in (("request_confirmation", 200), ("bulk_send", 403)):
        body = {"type": kind, "title": "Over MCP", "payload": FITS[kind]}
        view = found(await ceo.post("/v1/approvals", json=body))
        answer = await decide(otto, view["id"], channel="mcp")
        assert answer.status_code == status, answer.text
    refused(answer, 403, "decide_in_the_inbox")
    refused(await decide(otto, "0" * 27, channel="mcp"), 404, "not_found")
    assert found(await decide(otto, view["id"]))["decision_channel"] == "api"


async def test_what_may_not_be_edited_says_so(here: Office, ceo: httpx2.AsyncClient) -> None:
    view = found(await ceo.post("/v1/approvals", json=HIRE))
    bea = await here.person("bea@example.com")
    edited = {"name": "Analyst", "role": "boss"}
    refused(await decide(bea, view["id"], payload=edited), 422, "not_editable")
    document = refused(
        await ceo.post("/v1/approvals", json={**HIRE, "editable": True}), 422, "invalid"
    )
    assert pointers(document) == ["/editable"]


async def test_types_of_one_workspace_are_nothing_to_another(here: Office) -> None:
    other = Office(placet=here.placet, workspace="elsewhere", clients=here.clients)
    somebody = await other.person("x@example.com")
    assert found(await somebody.get("/v1/types")) == {"data": []}
    refused(await somebody.get("/v1/types/hire_agent"), 404, "not_found")
    body = {**HIRE, "payload": {}, "approvers": ["bea@example.com"]}
    assert (await somebody.post("/v1/approvals", json=body)).status_code == 201


async def test_an_ask_that_nobody_would_decide_is_refused(here: Office) -> None:
    other = Office(placet=here.placet, workspace="nobody", clients=here.clients)
    somebody = await other.person("x@example.com")
    document = refused(await somebody.post("/v1/approvals", json=HIRE), 422, "invalid")
    assert pointers(document) == ["/approvers"]
