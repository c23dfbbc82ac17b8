"""The example programs of the seeds, as they were written, against every service of Placet."""

import asyncio
import re
import runpy
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from events.commands import ExpireApproval
from events.handling import Order, handle
from services.decision.identifiers import new_command_id
from services.web.scopes import Scope
from tests.dialects.conftest import ASKS, placet_yaml
from tests.dialects.running_programs import (
    PROGRAMS,
    STAND_INS,
    NodeProgram,
    Receiver,
    node_program,
    receiving,
    typescript,
)
from tests.dialects.stand_ins.checkpoints import AGENT, Client
from tests.journey.running_placet import Placet, eventually, placet_running
from tests.servers.brokers import Broker
from tests.servers.postgres import TestingPostgres

OLDEST_NODE = 18
OTTO = "otto@example.com"
DECIDES: tuple[Scope, ...] = ("approvals:read", "approvals:decide")
APP = "import { app, say, until, end } from './app.mjs';"
MANY = """
const many = Array.from({ length: 101 }, (_, number) => `user${number}@example.com`);
const asked = await agent.sendBulkEmail(many, 'Product Update', 'x'.repeat(300));
"""
UNTIL_TOLD = """
say({ asked: [...agent.pendingApprovals.keys()] });
await until(() => agent.pendingApprovals.size === 0);
end();
"""


@dataclass(frozen=True)
class Scene:
    """A Placet, the key of an agent, and what signs its callbacks."""

    placet: Placet
    key: str
    operator_key: str
    secret: str

    async def decide(self, approval_id: str, decision: str, reason: str | None = None) -> None:
        answer = await self.placet.answer(
            approval_id, decision=decision, approver=OTTO, reason=reason
        )
        assert answer.status_code == 200, answer.text

    async def run_out(self, approval_id: str) -> None:
        """Let the time be over that the program gave."""
        order = Order(
            approval_id=approval_id,
            command=ExpireApproval(now=datetime.now(UTC) + timedelta(hours=2)),
            command_id=new_command_id(),
        )
        await handle(self.placet.parts.store, "default", order)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(
    postgres: TestingPostgres,
    migrated: str,
    broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Scene]:
    environ = {
        "PLACET_CONFIG": str(placet_yaml(tmp_path_factory.mktemp("config"))),
        "PLACET_WEBHOOK_ALLOW": "127.0.0.0/8",
    }
    async with (
        postgres.database(template=migrated) as dsn,
        placet_running(dsn, broker, environ) as placet,
    ):
        made = await placet.http.post("/v1/webhooks/callback-secret", json={})
        yield Scene(
            placet,
            key=await key_of(placet, "agent@example.com", ASKS, agent=True),
            operator_key=await key_of(placet, OTTO, DECIDES + ASKS),
            secret=made.json()["secret"],
        )


async def key_of(
    placet: Placet, principal: str, scopes: tuple[Scope, ...], *, agent: bool = False
) -> str:
    made = await placet.parts.keys.create(
        "default",
        principal=principal,
        name="tests",
        scopes=sorted(set(scopes)),
        expires_at=None,
        agent=agent,
    )
    return made.text


@pytest.fixture
def receiver(scene: Scene) -> Iterator[Receiver]:
    with receiving(scene.secret) as listening:
        yield listening


@pytest.fixture
def environ(scene: Scene) -> dict[str, str]:
    return {"PLACET_URL": scene.placet.url.rstrip("/"), "PLACET_KEY": scene.key}


Run = Callable[[], Any]


@pytest.fixture
def run_python_agent(
    receiver: Receiver, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs the seed's agent from its first line to its last, and returns it."""
    monkeypatch.syspath_prepend(str(STAND_INS))
    for name, text in {**environ, "CALLBACK_URL": receiver.url}.items():
        monkeypatch.setenv(name, text)

    def run() -> Any:
        agent = runpy.run_path(str(PROGRAMS / "approval_workflow_agent.py"))["agent"]
        receiver.handle = agent.handle_approval_webhook
        return agent

    return run


async def told(receiver: Receiver) -> dict[str, Any]:
    """The next callback, verified and handled."""

    async def look() -> dict[str, Any] | None:
        return receiver.events.pop() if receiver.events else None

    return await eventually(look, "the agent is told")


# 004 in Python: the program's last line sends to 502 recipients, and so asks.


async def test_the_python_agent_sends_when_the_operator_approved(
    scene: Scene, receiver: Receiver, run_python_agent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = await asyncio.to_thread(run_python_agent)
    (request_id,) = agent.pending_approvals
    approval = await scene.placet.get(f"/v1/approvals/{request_id}")
    assert approval["title"] == "Agent Approval Required: Bulk Send"
    assert approval["payload"]["recipient_count"] == 502
    assert "requires approval" in capsys.readouterr().out

    await scene.decide(request_id, "approve")
    event = await told(receiver)
    out = capsys.readouterr().out
    assert f"Approval granted by: {OTTO}" in out
    assert re.search(r"Approved in: \d+\.\d+ seconds", out)
    assert "Executing approved bulk send to 502 recipients" in out
    assert agent.pending_approvals == {}
    assert (event["type"], event["requestId"]) == ("approval.granted", request_id)
    assert event["contextDigest"] == approval["payload_digest"]


async def test_the_python_agent_sends_nothing_when_the_operator_denied(
    scene: Scene, receiver: Receiver, run_python_agent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = await asyncio.to_thread(run_python_agent)
    (request_id,) = agent.pending_approvals
    await scene.decide(request_id, "deny", "Not this week")
    await told(receiver)
    out = capsys.readouterr().out
    assert f"Approval denied by: {OTTO}" in out
    assert "Reason: Not this week" in out
    assert "Executing" not in out
    assert agent.pending_approvals == {}


@pytest.mark.parametrize("end", ["runs out", "is recalled"])
async def test_the_python_agent_forgets_a_request_that_nobody_answered(
    scene: Scene,
    receiver: Receiver,
    run_python_agent: Run,
    capsys: pytest.CaptureFixture[str],
    end: str,
) -> None:
    agent = await asyncio.to_thread(run_python_agent)
    (request_id,) = agent.pending_approvals
    if end == "runs out":
        await scene.run_out(request_id)
    else:
        await scene.placet.http.post(f"/v1/approvals/{request_id}/withdraw", json={})
    event = await told(receiver)
    assert "Approval request expired" in capsys.readouterr().out
    assert agent.pending_approvals == {}
    assert event["event"] == "approval.expired"
    assert event["withdrawn_cause"] == (None if end == "runs out" else "recalled")


async def test_the_python_agent_sends_to_few_without_asking(
    run_python_agent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = await asyncio.to_thread(run_python_agent)
    asked = dict(agent.pending_approvals)
    agent.send_bulk_email(["user1@example.com"], "Product Update", "Hello")
    assert agent.pending_approvals == asked
    assert [mail["to"] for _, mail in agent.client.inboxes.sent] == ["user1@example.com"]
    assert "Bulk send complete" in capsys.readouterr().out


async def test_an_outcome_that_comes_twice_runs_the_action_once(
    scene: Scene, receiver: Receiver, run_python_agent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = await asyncio.to_thread(run_python_agent)
    (request_id,) = agent.pending_approvals
    await scene.decide(request_id, "approve")
    event = await told(receiver)
    agent.handle_approval_webhook(event)
    out = capsys.readouterr().out
    assert out.count("Executing approved bulk send") == 1
    assert f"Unknown approval request: {request_id}" in out


# 004 in TypeScript, by Node.


@pytest.fixture(scope="module")
async def node() -> str:
    """Node, or a skip that says what is missing."""
    found = shutil.which("node")
    if found is None:
        pytest.skip(f"needs Node {OLDEST_NODE} or newer: there is no `node` on the PATH")
    process = await asyncio.create_subprocess_exec(
        found, "--version", stdout=asyncio.subprocess.PIPE
    )
    version = (await process.communicate())[0].decode()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"needs Node {OLDEST_NODE} or newer; `node` is {version.strip()}")
    return found


AGENT_TS = "approval_workflow_agent.ts"


async def test_the_typescript_agent_sends_to_few_without_asking(
    node: str, environ: dict[str, str], tmp_path: Path
) -> None:
    drive = "say({ sent: agent.client.sent.length, asked: agent.pendingApprovals.size }); end();"
    async with node_program(node, tmp_path, environ, APP, typescript(AGENT_TS), drive) as program:
        out = await program.ended()
    assert "Sending to 2 recipients" in out
    assert "Bulk send complete" in out
    assert '@@{"sent":2,"asked":0}' in program.printed


@pytest.mark.parametrize("decision", ["approve", "deny", "run out"])
async def test_the_typescript_agent_hears_every_outcome(
    scene: Scene, node: str, environ: dict[str, str], tmp_path: Path, decision: str
) -> None:
    parts = (APP, typescript(AGENT_TS), MANY, UNTIL_TOLD)
    async with node_program(node, tmp_path, environ, *parts) as program:
        (request_id,) = await program.says("asked")
        approval = await scene.placet.get(f"/v1/approvals/{request_id}")
        assert len(approval["payload"]["preview"]) == 200
        if decision == "run out":
            await scene.run_out(request_id)
        else:
            await scene.decide(request_id, decision, "Because")
        out = await program.ended()
    match decision:
        case "approve":
            assert f"Approval granted by: {OTTO}" in out
            assert "Executing approved bulk send to 101 recipients" in out
        case "deny":
            assert f"Approval denied by: {OTTO}" in out
            assert "Reason: Because" in out
            assert "Executing" not in out
        case _:
            assert "Approval request expired" in out
            assert "Executing" not in out


async def test_the_steps_of_a_multi_step_approval_are_decided_one_by_one(
    scene: Scene, node: str, environ: dict[str, str], tmp_path: Path
) -> None:
    parts = (APP, typescript(AGENT_TS), typescript("multi_step_approval.ts"), UNTIL_TOLD)
    async with node_program(node, tmp_path, environ, *parts) as program:
        upgrade, send = await program.says("asked")
        await scene.decide(upgrade, "approve")
        assert (await program.says("told"))["action"] == "account_upgrade"
        assert (await scene.placet.get(f"/v1/approvals/{send}"))["status"] == "pending"
        await scene.decide(send, "approve")
        out = await program.ended()
    assert out.index("Executing approved account upgrade") < out.index("Executing approved bulk")


@pytest.mark.parametrize("cost", [150, 50])
async def test_a_conditional_approval_is_asked_for_where_its_condition_holds(
    scene: Scene, node: str, environ: dict[str, str], tmp_path: Path, cost: int
) -> None:
    operation = f"const operation = {{ estimatedCost: {cost} }};"
    parts = (
        APP,
        typescript(AGENT_TS),
        operation,
        typescript("conditional_approval.ts"),
        UNTIL_TOLD,
    )
    async with node_program(node, tmp_path, environ, *parts) as program:
        asked = await program.says("asked")
        assert len(asked) == (1 if cost > 100 else 0)
        for request_id in asked:
            approval = await scene.placet.get(f"/v1/approvals/{request_id}")
            assert approval["payload"] == {"estimatedCost": cost}
            await scene.decide(request_id, "approve")
        out = await program.ended()
    assert ("Unknown action: execute_campaign" in out) is (cost > 100)


FALLBACK = """
const timers = [];
const setTimeout = (call, delay) => void timers.push({ call, delay });
agent.executeSafeDataExport = () => console.log('exported safely');
"""
TIME_IS_OVER = """
say({ asked: [approval.requestId], delay: timers[0].delay });
await until(() => globalThis.over || agent.pendingApprovals.size === 0);
timers[0].call();
say({ fired: true });
await until(() => agent.pendingApprovals.size === 0);
end();
"""


async def fallback(scene: Scene, program: NodeProgram) -> str:
    (request_id,) = await program.says("asked")
    approval = await scene.placet.get(f"/v1/approvals/{request_id}")
    assert approval["type"] == "data_export"
    return str(request_id)


async def test_the_fallback_runs_when_the_time_is_over_and_the_request_ends_too(
    scene: Scene, node: str, environ: dict[str, str], tmp_path: Path
) -> None:
    parts = (
        APP,
        typescript(AGENT_TS),
        FALLBACK,
        typescript("timeout_fallback.ts"),
        "globalThis.over = true;",
        TIME_IS_OVER,
    )
    async with node_program(node, tmp_path, environ, *parts) as program:
        request_id = await fallback(scene, program)
        await program.says("fired")
        await scene.run_out(request_id)
        out = await program.ended()
    assert "executing safe fallback\nexported safely" in out
    assert "Approval request expired" in out


async def test_the_fallback_does_not_run_when_the_answer_came_in_time(
    scene: Scene, node: str, environ: dict[str, str], tmp_path: Path
) -> None:
    parts = (
        APP,
        typescript(AGENT_TS),
        FALLBACK,
        typescript("timeout_fallback.ts"),
        TIME_IS_OVER,
    )
    async with node_program(node, tmp_path, environ, *parts) as program:
        await scene.decide(await fallback(scene, program), "approve")
        out = await program.ended()
    assert "Unknown action: data_export" in out
    assert "fallback" not in out


# 003 in Python and JavaScript.


async def test_the_checkpoint_programs_configure_list_and_decide(
    scene: Scene, node: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = scene.placet.url.rstrip("/")
    operator = Client(url, scene.operator_key)
    await asyncio.to_thread(run_with, "create_version.py", operator)
    executions = [
        await execute(scene, {"reply": f"Answer {number}"}, f"Question {number}")
        for number in range(2)
    ]
    waiting = [one["approval_id"] for one in executions]

    async def listed() -> bool:
        listing = await asyncio.to_thread(operator.approvals.list, status="pending")
        return set(waiting) <= {one["id"] for one in listing["data"]}

    await eventually(listed, "both wait")
    capsys.readouterr()
    await asyncio.to_thread(run_with, "list_pending.py", operator)
    out = capsys.readouterr().out
    for execution in executions:
        assert f"ID: {execution['approval_id']}" in out
    assert f"Agent: {AGENT}" in out
    assert "Checkpoint: review_response" in out
    assert "Payload: {'reply': 'Answer 1'}" in out

    environ = {"PLACET_URL": url, "PLACET_KEY": scene.operator_key}
    parts = ("import { client } from './checkpoints.mjs';", typescript("list_pending.ts"))
    async with node_program(node, tmp_path, environ, *parts) as program:
        assert (await program.ended()).count("review_response - ") == 2

    deciding = Client(url, scene.operator_key, iter(waiting))
    await asyncio.to_thread(run_with, "decide.py", deciding)
    ends = [await scene.placet.get(f"/api/v1/executions/{one['id']}") for one in executions]
    assert [one["status"] for one in ends] == ["completed", "rejected"]
    assert [one["output"] for one in ends] == [{"reply": "Answer 0"}, None]
    (first, second) = [await scene.placet.get(f"/api/v1/approvals/{one}") for one in waiting]
    assert first["reason"] == "Response looks accurate and appropriate"
    assert second["reason"] == "Response contains inaccurate pricing information"
    for client in (operator, deciding):
        client.close()


def run_with(program: str, client: Client) -> None:
    runpy.run_path(str(PROGRAMS / program), init_globals={"client": client})


async def execute(scene: Scene, output: Any, question: str) -> dict[str, Any]:
    answer = await scene.placet.http.post(
        f"/api/v1/agents/{AGENT}/executions", json={"input": question, "output": output}
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_both_events_of_an_execution_reach_a_subscriber(
    scene: Scene, receiver: Receiver
) -> None:
    subscription = await scene.placet.http.post(
        "/v1/webhooks",
        json={
            "url": receiver.url,
            "event_types": ["execution.awaiting_approval", "approval.decided"],
            "types": ["execution_checkpoint"],
            "secret": scene.secret,
        },
    )
    assert subscription.status_code == 201, subscription.text
    operator = Client(scene.placet.url.rstrip("/"), scene.operator_key)
    await asyncio.to_thread(run_with, "create_version.py", operator)
    operator.close()
    execution = await execute(scene, "An answer", "A question")
    first = await told(receiver)
    assert first["type"] == "execution.awaiting_approval"
    assert first["data"]["execution_id"] == execution["id"]
    await scene.decide(execution["approval_id"], "approve")
    second = await told(receiver)
    assert (second["type"], second["data"]["status"]) == ("approval.decided", "approved")
    await scene.placet.http.delete(f"/v1/webhooks/{subscription.json()['id']}")


async def test_a_request_that_was_withdrawn_before_its_fallback_cannot_be_approved_late(
    scene: Scene, receiver: Receiver, run_python_agent: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """What decision 0014 tells clients with a fallback of their own to do."""
    agent = await asyncio.to_thread(run_python_agent)
    (request_id,) = agent.pending_approvals
    recalled = await scene.placet.http.post(f"/v1/approvals/{request_id}/withdraw", json={})
    assert recalled.status_code == 200
    late = await scene.placet.answer(request_id, decision="approve", approver=OTTO)
    assert late.status_code == 409
    await told(receiver)
    assert "Executing" not in capsys.readouterr().out
