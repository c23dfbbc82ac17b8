"""Executions of agents: what waits at a checkpoint is delivered only when a person said yes."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from events.commands import ExpireApproval
from events.handling import Order, handle
from events.store import Unavailable
from services.decision.dialects.records import Records
from services.decision.identifiers import new_command_id
from tests.api.api_kit import Office, found, pointers, refused

CONFIG = {"approval_required": True, "checkpoint_name": "review_response", "temperature": 0.7}
OUTPUT = {"reply": "Your refund is on its way."}
MADE = {"input": "Where is my refund?", "output": OUTPUT}


@pytest.fixture
def agent_id() -> str:
    return f"agent-{secrets.token_hex(4)}"


async def configure(
    otto: httpx2.AsyncClient, agent_id: str, config: dict[str, Any]
) -> dict[str, Any]:
    body = {"config": config, "message": "Added approval requirement"}
    answer = await otto.post(f"/api/v1/agents/{agent_id}/versions", json=body)
    assert answer.status_code == 201, answer.text
    return found(answer)


async def execute(
    agent: httpx2.AsyncClient, agent_id: str, key: str | None = None, **more: Any
) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    body = {**MADE, **more}
    return await agent.post(f"/api/v1/agents/{agent_id}/executions", json=body, headers=headers)


async def waiting(agent: httpx2.AsyncClient, agent_id: str, **more: Any) -> dict[str, Any]:
    answer = await execute(agent, agent_id, **more)
    assert answer.status_code == 201, answer.text
    execution = found(answer)
    assert execution["status"] == "awaiting_approval"
    return execution


async def look(client: httpx2.AsyncClient, execution: dict[str, Any]) -> dict[str, Any]:
    return found(await client.get(f"/api/v1/executions/{execution['id']}"))


async def answered(
    client: httpx2.AsyncClient, approval_id: str, decision: str, reason: str | None = None
) -> httpx2.Response:
    return await client.post(
        f"/api/v1/approvals/{approval_id}/decide", json={"decision": decision, "reason": reason}
    )


async def test_a_version_keeps_its_whole_configuration_and_is_numbered(
    otto: httpx2.AsyncClient, agent_id: str
) -> None:
    first = await configure(otto, agent_id, CONFIG)
    second = await configure(otto, agent_id, {"model": {"name": "large"}})
    assert (first["version"], first["config"]) == (1, CONFIG)
    assert (second["version"], second["config"]) == (2, {"model": {"name": "large"}})
    assert first["workspace_id"] == "default"
    assert first["created_by"] == "otto@example.com"
    assert len({len(first["id"]), 27}) == 1


async def test_versions_made_at_the_same_moment_have_numbers_of_their_own(
    otto: httpx2.AsyncClient, agent_id: str
) -> None:
    made = await asyncio.gather(*(configure(otto, agent_id, CONFIG) for _ in range(5)))
    assert sorted(one["version"] for one in made) == [1, 2, 3, 4, 5]


async def test_an_output_is_held_back_until_a_person_says_yes(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    execution = await waiting(agent, agent_id)
    assert execution["output"] is None
    assert execution["input"] == MADE["input"]
    approval = found(await otto.get(f"/api/v1/approvals/{execution['approval_id']}"))
    assert approval["execution_id"] == execution["id"]
    assert (approval["agent_id"], approval["workspace_id"]) == (agent_id, "default")
    assert (approval["payload"], approval["status"]) == (OUTPUT, "pending")
    assert approval["checkpoint_name"] == "review_response"
    assert approval["reason"] is None
    native = found(await otto.get(f"/v1/approvals/{approval['id']}"))
    assert native["payload"] == MADE, "the approver sees the input too"
    assert native["type"] == "execution_checkpoint"

    decided = found(await answered(otto, approval["id"], "approved", "Looks accurate"))
    assert (decided["status"], decided["decided_by"]) == ("approved", "otto@example.com")
    assert decided["reason"] == "Looks accurate"
    assert decided["decided_at"]
    done = await look(agent, execution)
    assert (done["status"], done["output"]) == ("completed", OUTPUT)


@pytest.mark.parametrize("decision", ["rejected", "deny"])
async def test_a_rejected_output_is_discarded(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str, decision: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    execution = await waiting(agent, agent_id)
    await answered(otto, execution["approval_id"], decision, "Wrong prices")
    done = await look(agent, execution)
    assert (done["status"], done["output"]) == ("rejected", None)


async def test_an_execution_that_nobody_decided_in_time_is_expired(
    here: Office, otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, {**CONFIG, "expires_in": 60})
    execution = await waiting(agent, agent_id)
    order = Order(
        approval_id=execution["approval_id"],
        command=ExpireApproval(now=datetime.now(UTC) + timedelta(seconds=61)),
        command_id=new_command_id(),
    )
    await handle(here.placet.parts.store, here.workspace, order)
    assert (await look(agent, execution))["status"] == "expired"
    approval = found(await otto.get(f"/api/v1/approvals/{execution['approval_id']}"))
    assert (approval["status"], approval["decided_by"]) == ("expired", None)


async def test_a_recalled_execution_is_neither_delivered_nor_called_rejected(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    execution = await waiting(agent, agent_id)
    recalled = await agent.post(
        f"/v1/approvals/{execution['approval_id']}/withdraw", json={"reason": "Solved otherwise"}
    )
    assert recalled.status_code == 200
    done = await look(agent, execution)
    assert (done["status"], done["output"]) == ("withdrawn", None)
    approval = found(await otto.get(f"/api/v1/approvals/{execution['approval_id']}"))
    assert approval["reason"] == "Solved otherwise"


async def test_an_execution_that_needs_nobody_is_completed_at_once(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, {"approval_required": False})
    execution = found(await execute(agent, agent_id))
    assert (execution["status"], execution["output"]) == ("completed", OUTPUT)
    assert execution["approval_id"] is None
    assert await look(agent, execution) == execution


async def test_the_newest_version_holds(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, {"approval_required": False})
    await configure(otto, agent_id, CONFIG)
    execution = await waiting(agent, agent_id)
    assert execution["agent_version"] == 2


@pytest.mark.parametrize("config", [CONFIG, {"approval_required": False}], ids=["asks", "does not"])
async def test_the_same_key_and_body_again_is_the_same_execution(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str, config: dict[str, Any]
) -> None:
    await configure(otto, agent_id, config)
    first = await execute(agent, agent_id, "run-1")
    again = await execute(agent, agent_id, "run-1")
    other = await execute(agent, agent_id, "run-1", output={"reply": "Another one."})
    assert (first.status_code, again.status_code) == (201, 200)
    assert found(first) == found(again)
    refused(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize("config", [CONFIG, {}], ids=["asks", "does not"])
async def test_the_same_key_at_the_same_moment_is_one_execution(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str, config: dict[str, Any]
) -> None:
    await configure(otto, agent_id, config)
    made = await asyncio.gather(*(execute(agent, agent_id, "run-2") for _ in range(5)))
    assert {answer.status_code for answer in made} <= {200, 201}
    assert len({found(answer)["id"] for answer in made}) == 1
    assert len({found(answer)["approval_id"] for answer in made}) == 1


async def test_a_key_is_one_agent_s_own(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    await configure(otto, f"{agent_id}-b", CONFIG)
    first = await execute(agent, agent_id, "run-3")
    second = await execute(agent, f"{agent_id}-b", "run-3")
    assert (first.status_code, second.status_code) == (201, 201)
    assert found(second)["agent_id"] == f"{agent_id}-b"


async def test_an_agent_does_not_say_that_its_runs_need_nobody(
    agent: httpx2.AsyncClient, agent_id: str
) -> None:
    answer = await agent.post(f"/api/v1/agents/{agent_id}/versions", json={"config": {}})
    refused(answer, 403, "agents_do_not_configure")


async def test_an_agent_decides_nothing(
    here: Office, otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    asked = ["agent@example.com", "otto@example.com"]
    await configure(otto, agent_id, {**CONFIG, "approvers": asked})
    execution = await waiting(agent, agent_id)
    refused(await answered(agent, execution["approval_id"], "approved"), 403, "missing_scope")
    assert (await look(agent, execution))["status"] == "awaiting_approval"


async def test_whoever_is_not_asked_does_not_decide_and_nothing_is_decided_twice(
    otto: httpx2.AsyncClient, bea: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    execution = await waiting(agent, agent_id)
    approval_id = execution["approval_id"]
    refused(await answered(bea, approval_id, "approved"), 403, "not_an_approver")
    assert found(await answered(otto, approval_id, "rejected"))["status"] == "rejected"
    document = refused(await answered(otto, approval_id, "approved"), 409, "already_resolved")
    assert document["approval"]["status"] == "rejected"
    refused(await answered(otto, approval_id, "perhaps"), 422, "invalid")
    refused(await answered(otto, "0" * 27, "approved"), 404, "not_found")


async def test_the_list_is_narrowed_by_status_and_goes_on_by_cursor(
    here: Office, otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    first, second, third = [await waiting(agent, agent_id) for _ in range(3)]
    await answered(otto, second["approval_id"], "approved")
    await here.placet.shown()
    page = found(await otto.get("/api/v1/approvals", params={"status": "pending", "limit": 1}))
    assert [one["execution_id"] for one in page["data"]] == [third["id"]]
    more = {"status": "pending", "limit": 1, "cursor": page["next_cursor"]}
    page = found(await otto.get("/api/v1/approvals", params=more))
    assert [one["execution_id"] for one in page["data"]] == [first["id"]]
    approved = found(await otto.get("/api/v1/approvals?status=approved"))["data"]
    assert second["id"] in [one["execution_id"] for one in approved]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("state=pending", "/state"), ("cursor=!", "/cursor"), ("status=done", "/status")],
)
async def test_a_filter_that_is_none_is_refused(
    otto: httpx2.AsyncClient, query: str, pointer: str
) -> None:
    assert pointers(refused(await otto.get(f"/api/v1/approvals?{query}"), 422, "invalid")) == [
        pointer
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"input": 1}, "/output"),
        ({**MADE, "outputs": 1}, "/outputs"),
        ({**MADE, "output": {"n": 2**60}}, ""),
        ({**MADE, "approvers": ["nobody"]}, "/approvers/0"),
        ({**MADE, "expires_in": 0}, "/expires_in"),
    ],
)
async def test_what_is_wrong_is_named_in_the_dialect_s_own_words(
    otto: httpx2.AsyncClient,
    agent: httpx2.AsyncClient,
    agent_id: str,
    body: dict[str, Any],
    pointer: str,
) -> None:
    await configure(otto, agent_id, CONFIG)
    answer = await agent.post(f"/api/v1/agents/{agent_id}/executions", json=body)
    document = refused(answer, 422, "invalid")
    assert pointers(document) == [pointer]
    assert "payload" not in document["detail"]


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"approval_required": "yes"}, "/config/approval_required"),
        ({"checkpoint_name": "a\0b"}, "/config/checkpoint_name"),
        ({"approvers": ["no address"]}, "/config/approvers/0"),
        ({"seed": 2**60}, "/config"),
    ],
)
async def test_a_configuration_that_cannot_be_kept_is_refused(
    otto: httpx2.AsyncClient, agent_id: str, config: dict[str, Any], pointer: str
) -> None:
    answer = await otto.post(f"/api/v1/agents/{agent_id}/versions", json={"config": config})
    assert pointers(refused(answer, 422, "invalid")) == [pointer]


async def test_texts_that_postgres_cannot_hold_as_they_are_come_back_as_they_were(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    version = await configure(otto, agent_id, {"system": "a\0b"})
    assert version["config"] == {"system": "a\0b"}
    execution = found(await execute(agent, agent_id, output="a\0b"))
    assert (await look(agent, execution))["output"] == "a\0b"


async def test_an_agent_that_nobody_configured_is_not_there(
    agent: httpx2.AsyncClient, agent_id: str
) -> None:
    refused(await execute(agent, agent_id), 404, "not_found")
    refused(await agent.get(f"/api/v1/executions/{'0' * 27}"), 404, "not_found")
    refused(await agent.get("/api/v1/executions/nothing"), 404, "not_found")


@pytest.mark.parametrize("name", ["a" * 201, "%00", "a%0Ab"])
async def test_an_agent_s_id_that_cannot_be_kept_is_refused(
    otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, name: str
) -> None:
    answer = await otto.post(f"/api/v1/agents/{name}/versions", json={"config": {}})
    assert pointers(refused(answer, 422, "invalid")) == ["/agent_id"]
    answer = await agent.post(f"/api/v1/agents/{name}/executions", json=MADE)
    assert pointers(refused(answer, 422, "invalid")) == ["/agent_id"]


async def test_another_workspace_sees_none_of_it(
    here: Office, otto: httpx2.AsyncClient, agent: httpx2.AsyncClient, agent_id: str
) -> None:
    await configure(otto, agent_id, CONFIG)
    execution = await waiting(agent, agent_id)
    key = await here.placet.key("another", "spy@example.com", ["admin"])
    spy = await here.stranger(key)
    refused(await spy.get(f"/api/v1/executions/{execution['id']}"), 404, "not_found")
    refused(await spy.get(f"/api/v1/approvals/{execution['approval_id']}"), 404, "not_found")
    refused(await execute(spy, agent_id), 404, "not_found")
    assert found(await spy.get("/api/v1/approvals"))["data"] == []


async def test_an_execution_that_was_asked_for_and_not_kept_is_kept_by_the_same_key(
    here: Office,
    otto: httpx2.AsyncClient,
    agent: httpx2.AsyncClient,
    agent_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await configure(otto, agent_id, CONFIG)
    await here.placet.shown()

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("Postgres went away")

    with monkeypatch.context() as broken:
        broken.setattr(Records, "keep", away)
        refused(await execute(agent, agent_id, "run-4"), 503, "unavailable")
    execution = found(await execute(agent, agent_id, "run-4"))
    assert (await look(agent, execution))["status"] == "awaiting_approval"
    await here.placet.shown()
    asked = found(await otto.get("/api/v1/approvals", params={"limit": 200}))["data"]
    assert [one["id"] for one in asked if one["agent_id"] == agent_id] == [execution["approval_id"]]
