"""openai-agents: the interruptions of a run are asked for in Placet.

The framework runs a call with the model's own arguments or not at all, so nothing is editable.
Keep the run's state (`state.to_json()`) where only the agent can write: it holds the calls.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from placet import AsyncPlacet
from placet.adapters.pauses import answered
from placet.adapters.tool_calls import ANY_TERMS, Answer, Terms, ToolCall, acknowledge, settled

try:
    from agents import (
        Agent,
        MCPToolApprovalFunctionResult,
        MCPToolApprovalRequest,
        Runner,
        RunResult,
        RunState,
        ToolApprovalItem,
        TResponseInputItem,
    )
except ImportError as error:
    raise ImportError(
        "This adapter needs openai-agents: pip install 'placet-client[openai-agents]'"
    ) from error

FRAMEWORK = "openai-agents"


@asynccontextmanager
async def answers(
    client: AsyncPlacet, state: RunState[Any, Any], *, run: str, terms: Terms = ANY_TERMS
) -> AsyncIterator[RunState[Any, Any]]:
    """Ask for every interruption of a state, and give the state with their answers in it.

    Resume it with `Runner.run` inside of the block: at its end the answers are acknowledged.
    `run` is what stays the same over a restart. Raises `NotDecidedInTime` after `terms.timeout`.
    """
    items = state.get_interruptions()
    async with answered(client, [_call(item, run) for item in items], terms) as given:
        for item, answer in zip(items, given, strict=True):
            _put(state, item, answer)
        yield state


async def run_with_approvals(
    agent: Agent[Any],
    start: str | list[TResponseInputItem] | RunState[Any, Any],
    *,
    client: AsyncPlacet,
    run: str,
    terms: Terms = ANY_TERMS,
    keep: Callable[[RunState[Any, Any]], Awaitable[None]] | None = None,
    **options: Any,
) -> RunResult:
    """Run an agent until no interruption is left, waiting for each answer.

    `keep` stores the state of each pause; after a restart, start from it. `options` go to
    `Runner.run`, whose `max_turns` bounds the run. Raises `NotDecidedInTime` as `answers` does.
    """
    result: RunResult
    if isinstance(start, RunState) and start.get_interruptions():
        state = start
    else:
        result = await Runner.run(agent, start, **options)
        if not result.interruptions:
            return result
        state = result.to_state()
    while True:
        if keep:
            await keep(state)
        async with answers(client, state, run=run, terms=terms) as decided:
            result = await Runner.run(agent, decided, **options)
        if not result.interruptions:
            return result
        state = result.to_state()


def on_approval_request(
    client: AsyncPlacet, *, run: str, terms: Terms = ANY_TERMS
) -> Callable[[MCPToolApprovalRequest], Awaitable[MCPToolApprovalFunctionResult]]:
    """Return the callback of a `HostedMCPTool`, which waits in the process for the answer.

    After `terms.timeout` the call is denied and the request withdrawn. To survive a restart, give
    the tool no callback: its requests are interruptions then.
    """

    async def decide(request: MCPToolApprovalRequest) -> MCPToolApprovalFunctionResult:
        data = request.data
        call = ToolCall(
            framework=FRAMEWORK,
            run=run,
            call_id=data.id,
            tool=data.name,
            arguments=_arguments(data.arguments),
            reason=f"On the MCP server {data.server_label}",
        )
        answer = await client.run(settled(client.settings, call, terms))
        await client.run(acknowledge(client.settings, [answer]))
        if answer.approved:
            return {"approve": True}
        return {"approve": False, "reason": answer.denial}

    return decide


def _call(item: ToolApprovalItem, run: str) -> ToolCall:
    tool, call_id = item.qualified_name or item.name, item.call_id
    if not tool or not call_id:
        raise ValueError(f"{item.raw_item!r}: a call needs a name and an id to be asked for.")
    return ToolCall(
        framework=FRAMEWORK,
        run=run,
        call_id=call_id,
        tool=tool,
        arguments=_arguments(item.arguments),
    )


def _arguments(text: str | None) -> dict[str, Any]:
    """Return arguments as an object: what is none, as the text of a custom tool, is its input."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return value if isinstance(value, dict) else {"input": value}


def _put(state: RunState[Any, Any], item: ToolApprovalItem, answer: Answer) -> None:
    if answer.approved:
        state.approve(item)
    else:
        state.reject(item, rejection_message=answer.denial)
