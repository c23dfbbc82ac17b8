"""openai-agents: interruptions are asked for, and the run goes on as people answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from agents import (
    Agent,
    FunctionTool,
    HostedMCPTool,
    Model,
    ModelResponse,
    Runner,
    RunResult,
    RunState,
    Usage,
    function_tool,
    set_tracing_disabled,
)
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputText,
)
from openai.types.responses.response_output_item import McpApprovalRequest
from placet import AlreadyCarriedOut, ArgumentsChanged, AsyncPlacet, NotDecidedInTime
from placet.adapters.openai_agents import answers, on_approval_request, run_with_approvals
from placet.adapters.tool_calls import Terms

from tests.adapters.adapter_kit import AT_ONCE, TERMS, Desk, about
from tests.api.api_kit import ANN

RUN = "conversation-1"


@pytest.fixture(autouse=True)
def _no_tracing() -> None:
    set_tracing_disabled(True)


class Script(Model):
    """A model that says what is written, turn by turn, and keeps what it was told."""

    def __init__(self, *turns: list[ResponseOutputItem]) -> None:
        self._turns = iter(turns)
        self.told: list[Any] = []

    async def get_response(self, *given: Any, **named: Any) -> ModelResponse:
        self.told = named["input"] if "input" in named else given[1]
        return ModelResponse(output=next(self._turns), usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise NotImplementedError

    def heard(self, kind: str) -> list[Any]:
        """What the model was told last, of one kind."""
        return [one for one in self.told if one.get("type") == kind]


def refund(number: int = 0, amount: int = 50) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        type="function_call",
        name="refund",
        call_id=f"call-{number}",
        arguments=json.dumps({"customer": "bob", "amount": amount}),
    )


def said(text: str) -> list[ResponseOutputItem]:
    content = ResponseOutputText(type="output_text", text=text, annotations=[])
    return [
        ResponseOutputMessage(
            id="m", type="message", role="assistant", status="completed", content=[content]
        )
    ]


@dataclass
class Till:
    """An agent that pays money back."""

    model: Script
    paid: list[tuple[str, int]] = field(default_factory=list)

    def agent(self) -> Agent[Any]:
        return Agent(name="till", model=self.model, tools=[self._tool()])

    def _tool(self) -> FunctionTool:
        @function_tool(needs_approval=True)
        def refund(customer: str, amount: int) -> str:
            self.paid.append((customer, amount))
            return f"Paid {amount} to {customer}."

        return refund


async def state_of(agent: Agent[Any]) -> RunState[Any]:
    result = await Runner.run(agent, "Pay Bob back")
    assert result.interruptions
    return result.to_state()


async def test_an_approved_call_runs_and_is_acknowledged(desk: Desk, client: AsyncPlacet) -> None:
    till = Till(Script([refund()], said("Done")))
    running = asyncio.create_task(
        run_with_approvals(till.agent(), "Pay Bob back", client=client, run=RUN, terms=TERMS)
    )
    [asked] = await desk.pending()
    assert about(asked) == ("openai-agents", "refund", {"customer": "bob", "amount": 50})
    assert (asked.metadata["run"], asked.metadata["call_id"]) == (RUN, "call-0")
    assert not asked.editable
    assert till.paid == []
    await desk.approve(asked)
    assert (await running).final_output == "Done"
    assert till.paid == [("bob", 50)]
    assert (await desk.now(asked)).acknowledged_at is not None


async def test_a_denied_call_does_not_run_and_the_model_reads_why(
    desk: Desk, client: AsyncPlacet
) -> None:
    till = Till(Script([refund()], said("Sorry")))
    running = asyncio.create_task(
        run_with_approvals(till.agent(), "Pay Bob back", client=client, run=RUN, terms=TERMS)
    )
    [asked] = await desk.pending()
    await desk.deny(asked, "Bob was paid yesterday")
    assert (await running).final_output == "Sorry"
    assert till.paid == []
    [output] = till.model.heard("function_call_output")
    assert "Bob was paid yesterday" in output["output"]


async def test_a_run_goes_on_until_no_interruption_is_left(desk: Desk, client: AsyncPlacet) -> None:
    till = Till(Script([refund(0), refund(1)], [refund(2, amount=7)], said("Done")))
    running = asyncio.create_task(
        run_with_approvals(till.agent(), "Pay Bob back", client=client, run=RUN, terms=TERMS)
    )
    first, second = await desk.pending(2)
    await desk.approve(second)
    await desk.deny(first, "Once is enough")
    [third] = await desk.pending()
    await desk.approve(third)
    assert (await running).final_output == "Done"
    assert till.paid == [("bob", 50), ("bob", 7)]


async def test_nothing_is_editable_even_where_the_terms_say_so(
    desk: Desk, client: AsyncPlacet
) -> None:
    state = await state_of(Till(Script([refund()])).agent())
    with pytest.raises(NotDecidedInTime):
        async with answers(
            client, state, run=RUN, terms=Terms(approvers=[ANN], editable=True, timeout=0)
        ):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    body = {"decision": "approve", "payload": {"customer": "bob", "amount": 5}}
    answer = await desk.ann.post(f"/v1/approvals/{asked.id}/decision", json=body)
    assert answer.status_code == 422


async def test_an_agent_that_was_started_anew_asks_once(desk: Desk, client: AsyncPlacet) -> None:
    kept: list[str] = []

    async def keep(state: RunState[Any]) -> None:
        kept.append(json.dumps(state.to_json()))

    till = Till(Script([refund()], said("Done")))
    with pytest.raises(NotDecidedInTime):
        await run_with_approvals(
            till.agent(), "Pay Bob back", client=client, run=RUN, terms=AT_ONCE, keep=keep
        )
    [asked] = await desk.pending()
    await desk.approve(asked)

    anew = await desk.client()
    agent = till.agent()
    state = await RunState.from_json(agent, json.loads(kept[0]))
    result = await run_with_approvals(agent, state, client=anew, run=RUN, terms=AT_ONCE)
    assert result.final_output == "Done"
    assert till.paid == [("bob", 50)]
    assert [one.id for one in await desk.all()] == [asked.id]


async def test_a_call_that_was_carried_out_does_not_run_again_from_an_old_state(
    desk: Desk, client: AsyncPlacet
) -> None:
    till = Till(Script([refund()], said("Done")))
    agent = till.agent()
    old = (await state_of(agent)).to_json()
    state = await RunState.from_json(agent, old)
    running = asyncio.create_task(
        run_with_approvals(agent, state, client=client, run=RUN, terms=TERMS)
    )
    [asked] = await desk.pending()
    await desk.approve(asked)
    await running
    again = await RunState.from_json(agent, old)
    with pytest.raises(AlreadyCarriedOut):
        await run_with_approvals(agent, again, client=client, run=RUN, terms=TERMS)
    assert till.paid == [("bob", 50)]


async def test_a_call_whose_arguments_changed_in_the_kept_state_is_refused(
    desk: Desk, client: AsyncPlacet
) -> None:
    till = Till(Script([refund()]))
    agent = till.agent()
    state = await state_of(agent)
    with pytest.raises(NotDecidedInTime):
        async with answers(client, state, run=RUN, terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    await desk.approve(asked)
    kept = json.dumps(state.to_json())
    forged = json.loads(kept.replace('\\"amount\\": 50', '\\"amount\\": 5000'))
    assert forged != json.loads(kept)
    with pytest.raises(ArgumentsChanged):
        await run_with_approvals(
            agent, await RunState.from_json(agent, forged), client=client, run=RUN, terms=TERMS
        )
    assert till.paid == []


def hosted(client: AsyncPlacet, terms: Terms) -> tuple[Agent[Any], Script]:
    asks = McpApprovalRequest(
        id="mcpr_1",
        type="mcp_approval_request",
        name="delete_page",
        arguments='{"page": "Home"}',
        server_label="wiki",
    )
    model = Script([asks], said("Over"))
    tool = HostedMCPTool(
        tool_config={
            "type": "mcp",
            "server_label": "wiki",
            "server_url": "http://127.0.0.1/mcp",
            "require_approval": "always",
        },
        on_approval_request=on_approval_request(client, run=RUN, terms=terms),
    )
    return Agent(name="editor", model=model, tools=[tool]), model


async def test_a_call_on_a_hosted_mcp_server_is_approved(desk: Desk, client: AsyncPlacet) -> None:
    agent, model = hosted(client, TERMS)
    running: asyncio.Task[RunResult] = asyncio.create_task(Runner.run(agent, "Tidy up"))
    [asked] = await desk.pending()
    assert about(asked) == ("openai-agents", "delete_page", {"page": "Home"})
    assert "wiki" in str(asked.reason)
    await desk.approve(asked)
    assert (await running).final_output == "Over"
    [response] = model.heard("mcp_approval_response")
    assert (response["approval_request_id"], response["approve"]) == ("mcpr_1", True)
    assert (await desk.now(asked)).acknowledged_at is not None


async def test_a_call_on_a_hosted_mcp_server_is_denied_with_the_reason(
    desk: Desk, client: AsyncPlacet
) -> None:
    agent, model = hosted(client, TERMS)
    running = asyncio.create_task(Runner.run(agent, "Tidy up"))
    [asked] = await desk.pending()
    await desk.deny(asked, "The home page stays")
    await running
    [response] = model.heard("mcp_approval_response")
    assert response["approve"] is False
    assert "The home page stays" in response["reason"]


async def test_a_callback_that_gives_up_denies_and_withdraws(
    desk: Desk, client: AsyncPlacet
) -> None:
    agent, model = hosted(client, AT_ONCE)
    await Runner.run(agent, "Tidy up")
    [response] = model.heard("mcp_approval_response")
    assert response["approve"] is False
    [asked] = await desk.all()
    assert asked.status == "withdrawn"
