"""Claude Agent SDK: the gate's hook and callback, asked over the SDK's own control protocol."""

import asyncio
from typing import Any

import pytest
from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    HookContext,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    ToolPermissionContext,
)
from placet import AsyncPlacet, NotDecidedInTime
from placet.adapters.claude_agent_sdk import ToolGate
from placet.adapters.tool_calls import Terms

from tests.adapters.adapter_kit import AT_ONCE, EDITABLE, TERMS, Desk, about
from tests.adapters.claude_code import ClaudeCode, ToolUse
from tests.api.api_kit import ANN

DEPLOY = ToolUse("toolu_1", "Deploy", {"version": "1.2"})
OTHER = ToolUse("toolu_2", "Deploy", {"version": "1.3"})


async def run(gate: ToolGate, code: ClaudeCode) -> ResultMessage:
    """Tell Claude Code to work, as an application does, until its run is over."""
    options = gate.guard(ClaudeAgentOptions())
    async with ClaudeSDKClient(options, transport=code) as session:
        if not code.resumes:
            await session.query("Deploy it")
        async for message in session.receive_response():
            if isinstance(message, ResultMessage):
                return message
    raise AssertionError("The run has no result.")


def gate_of(client: AsyncPlacet, terms: Terms = EDITABLE, patience: float = 0) -> ToolGate:
    return ToolGate(client, tools="Deploy", terms=terms, patience=patience)


async def test_a_call_is_deferred_until_it_is_approved(desk: Desk, client: AsyncPlacet) -> None:
    code = ClaudeCode([DEPLOY])
    result = await run(gate_of(client), code)
    assert result.stop_reason == "tool_deferred"
    assert result.deferred_tool_use
    assert result.deferred_tool_use.id == DEPLOY.id
    assert code.ran == []
    [asked] = await desk.pending()
    assert about(asked) == ("claude-agent-sdk", "Deploy", {"version": "1.2"})
    assert (asked.metadata["run"], asked.metadata["call_id"]) == ("session-1", "toolu_1")
    await desk.approve(asked)

    # Another process, in the same session.
    resumed = ClaudeCode([DEPLOY], resumes=True)
    result = await run(gate_of(await desk.client()), resumed)
    assert result.deferred_tool_use is None
    assert resumed.ran == [DEPLOY]
    assert [one.id for one in await desk.all()] == [asked.id]
    assert (await desk.now(asked)).acknowledged_at is not None


async def test_a_call_is_deferred_again_while_nobody_has_answered(
    desk: Desk, client: AsyncPlacet
) -> None:
    for resumes in (False, True, True):
        code = ClaudeCode([DEPLOY], resumes=resumes)
        result = await run(gate_of(client), code)
        assert result.stop_reason == "tool_deferred"
        assert code.ran == []
    [asked] = await desk.pending()
    assert asked.acknowledged_at is None


async def test_an_application_waits_until_the_deferred_call_is_decided(
    desk: Desk, client: AsyncPlacet
) -> None:
    deferred = await run(gate_of(client), ClaudeCode([DEPLOY]))
    [asked] = await desk.pending()
    impatient = gate_of(client, Terms(approvers=[ANN], editable=True, timeout=0))
    with pytest.raises(NotDecidedInTime):
        await impatient.until_decided(deferred)
    gate = gate_of(await desk.client())
    waiting = asyncio.create_task(gate.until_decided(deferred))
    await desk.approve(asked)
    assert await waiting
    assert (await desk.now(asked)).acknowledged_at is None
    resumed = ClaudeCode([DEPLOY], resumes=True)
    result = await run(gate, resumed)
    assert resumed.ran == [DEPLOY]
    assert not await gate.until_decided(result)
    # An application that died before it wrote that down resumes again; Claude Code knows better.
    assert await gate.until_decided(deferred)
    assert [one.id for one in await desk.all()] == [asked.id]


async def test_a_denied_call_does_not_run_and_claude_reads_why(
    desk: Desk, client: AsyncPlacet
) -> None:
    await run(gate_of(client), ClaudeCode([DEPLOY]))
    [asked] = await desk.pending()
    await desk.deny(asked, "Not on a Friday")
    resumed = ClaudeCode([DEPLOY], resumes=True)
    await run(gate_of(client), resumed)
    assert resumed.ran == []
    assert "Not on a Friday" in resumed.refused[DEPLOY.id]


async def test_an_edited_call_runs_as_it_was_edited(desk: Desk, client: AsyncPlacet) -> None:
    await run(gate_of(client), ClaudeCode([DEPLOY]))
    [asked] = await desk.pending()
    await desk.approve(asked, payload={"version": "1.1"})
    resumed = ClaudeCode([DEPLOY], resumes=True)
    await run(gate_of(client), resumed)
    assert [one.input for one in resumed.ran] == [{"version": "1.1"}]


async def test_a_patient_hook_waits_before_it_defers(desk: Desk, client: AsyncPlacet) -> None:
    code = ClaudeCode([DEPLOY])
    running = asyncio.create_task(run(gate_of(client, patience=20), code))
    [asked] = await desk.pending()
    await desk.approve(asked)
    assert (await running).deferred_tool_use is None
    assert code.ran == [DEPLOY]


async def test_calls_that_cannot_be_deferred_wait_in_the_permission_callback(
    desk: Desk, client: AsyncPlacet
) -> None:
    code = ClaudeCode([DEPLOY, OTHER])
    running = asyncio.create_task(run(gate_of(client), code))
    first, second = sorted(await desk.pending(2), key=lambda one: str(one.payload))
    assert code.ran == []
    await desk.approve(second, payload={"version": "1.4"})
    await desk.deny(first, "Too old")
    await running
    assert [one.input for one in code.ran] == [{"version": "1.4"}]
    assert "Too old" in code.refused[DEPLOY.id]
    assert len(await desk.all()) == 2


async def test_a_call_whose_arguments_changed_is_blocked(desk: Desk, client: AsyncPlacet) -> None:
    await run(gate_of(client), ClaudeCode([DEPLOY]))
    [asked] = await desk.pending()
    await desk.approve(asked)
    resumed = ClaudeCode([ToolUse(DEPLOY.id, DEPLOY.name, {"version": "6.6"})], resumes=True)
    await run(gate_of(client), resumed)
    assert resumed.ran == []
    assert "other arguments" in resumed.refused[DEPLOY.id]


async def test_a_hook_that_cannot_ask_blocks_the_call(client: AsyncPlacet) -> None:
    await client.aclose()
    code = ClaudeCode([DEPLOY])
    await run(gate_of(client), code)
    assert code.ran == []
    assert DEPLOY.id in code.refused


async def test_a_permission_callback_that_gives_up_denies_and_withdraws(
    desk: Desk, client: AsyncPlacet
) -> None:
    context = ToolPermissionContext(tool_use_id="toolu_1")
    answer = await gate_of(client, AT_ONCE).can_use_tool("Deploy", DEPLOY.input, context)
    assert isinstance(answer, PermissionResultDeny)
    assert "did not run" in answer.message
    [asked] = await desk.all()
    assert asked.status == "withdrawn"


async def test_a_permission_callback_leaves_the_arguments_alone_unless_they_were_edited(
    desk: Desk, client: AsyncPlacet
) -> None:
    context = ToolPermissionContext(tool_use_id="toolu_1")
    waiting = asyncio.create_task(
        gate_of(client, TERMS).can_use_tool("Deploy", DEPLOY.input, context)
    )
    [asked] = await desk.pending()
    await desk.approve(asked)
    assert await waiting == PermissionResultAllow(updated_input=None)


async def test_the_hook_has_no_say_in_other_events(desk: Desk, client: AsyncPlacet) -> None:
    told: Any = {"hook_event_name": "PostToolUse", "tool_name": "Deploy"}
    assert await gate_of(client).pre_tool_use(told, "toolu_1", HookContext(signal=None)) == {}
    assert await desk.all() == []


@pytest.mark.parametrize(
    "options",
    [
        ClaudeAgentOptions(allowed_tools=["Read", "Deploy"]),
        ClaudeAgentOptions(allowed_tools=["Deploy(prod:*)"]),
        ClaudeAgentOptions(permission_mode="bypassPermissions"),
        ClaudeAgentOptions(permission_mode="acceptEdits"),
    ],
)
async def test_options_that_let_a_guarded_tool_run_unasked_are_refused(
    client: AsyncPlacet, options: ClaudeAgentOptions
) -> None:
    with pytest.raises(ValueError, match=r"without asking|nobody was asked"):
        gate_of(client).guard(options)


async def test_the_gate_keeps_the_hooks_that_are_there(client: AsyncPlacet) -> None:
    mine = HookMatcher(matcher="Read")
    options = gate_of(client).guard(
        ClaudeAgentOptions(hooks={"PreToolUse": [mine]}, allowed_tools=["Read"])
    )
    assert options.hooks
    kept, gate = options.hooks["PreToolUse"]
    assert kept is mine
    assert (gate.matcher, gate.on_failure) == ("Deploy", "block")
