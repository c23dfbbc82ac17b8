"""LangChain: what `HumanInTheLoopMiddleware` holds back is asked for, in both of its modes."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from placet import AsyncPlacet, NotDecidedInTime
from placet.adapters.langgraph import answers, interrupts_of

from tests.adapters.adapter_kit import AT_ONCE, EDITABLE, Desk, about

THREAD: RunnableConfig = {"configurable": {"thread_id": "thread-1"}}
START = {"messages": [{"role": "user", "content": "Say hello"}]}
MODES = ("batched", "per_call")
Mode = Literal["batched", "per_call"]


class ScriptedModel(GenericFakeChatModel):
    """A chat model that says what is written, whatever tools it is given."""

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        return self


@dataclass
class Mailer:
    """An agent that sends mails, and is held back."""

    mode: Mode
    mails: int = 1
    allowed: Any = True
    saver: InMemorySaver = field(default_factory=InMemorySaver)
    sent: list[tuple[str, str]] = field(default_factory=list)

    def agent(self) -> Any:
        def send_mail(to: str, text: str) -> str:
            """Send a mail."""
            self.sent.append((to, text))
            return f"Sent to {to}."

        calls: list[Any] = [
            {"name": "send_mail", "args": {"to": "bob", "text": f"Hello {n}"}, "id": f"call-{n}"}
            for n in range(self.mails)
        ]
        says = [AIMessage(content="", tool_calls=calls), AIMessage(content="Done")]
        middleware: HumanInTheLoopMiddleware[Any, Any, Any] = HumanInTheLoopMiddleware(
            {"send_mail": self.allowed}, interrupt_mode=self.mode
        )
        return create_agent(
            ScriptedModel(messages=iter(says)),
            tools=[send_mail],
            middleware=[middleware],
            checkpointer=self.saver,
        )

    async def run(self, client: AsyncPlacet) -> Mapping[str, str]:
        """What the model is told of its calls."""
        agent = self.agent()
        result = await agent.ainvoke(START, THREAD)
        while interrupts_of(result):
            async with answers(client, result, THREAD, terms=EDITABLE) as command:
                result = await agent.ainvoke(command, THREAD)
        told = [one for one in result["messages"] if isinstance(one, ToolMessage)]
        return {one.tool_call_id: str(one.content) for one in told}


@pytest.mark.parametrize("mode", MODES)
async def test_calls_are_approved_edited_and_denied(
    desk: Desk, client: AsyncPlacet, mode: Mode
) -> None:
    mailer = Mailer(mode, mails=3)
    running = asyncio.create_task(mailer.run(client))
    asked = {one.payload["text"]: one for one in await desk.pending(3)}
    first, second, third = (asked[f"Hello {n}"] for n in range(3))
    assert about(first) == ("langgraph", "send_mail", {"to": "bob", "text": "Hello 0"})
    assert all(one.editable for one in asked.values())
    await desk.deny(third, "Bob is on leave")
    await desk.approve(second, payload={"to": "team", "text": "Hi all"})
    await desk.approve(first)
    told = await running
    assert sorted(mailer.sent) == [("bob", "Hello 0"), ("team", "Hi all")]
    assert "Sent to team." in told["call-1"]
    assert "Bob is on leave" in told["call-2"]
    assert (await desk.now(third)).acknowledged_at is not None


@pytest.mark.parametrize("mode", MODES)
async def test_what_a_tool_does_not_allow_is_not_editable(
    desk: Desk, client: AsyncPlacet, mode: Mode
) -> None:
    mailer = Mailer(mode, allowed={"allowed_decisions": ["approve", "reject"]})
    running = asyncio.create_task(mailer.run(client))
    [asked] = await desk.pending()
    assert not asked.editable
    await desk.approve(asked)
    await running
    assert mailer.sent == [("bob", "Hello 0")]


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_that_people_answer_for_gets_their_words(
    desk: Desk, client: AsyncPlacet, mode: Mode
) -> None:
    mailer = Mailer(mode, allowed={"allowed_decisions": ["respond"]})
    running = asyncio.create_task(mailer.run(client))
    [asked] = await desk.pending()
    await desk.approve(asked, reason="I called him")
    assert await running == {"call-0": "I called him"}
    assert mailer.sent == []


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_that_cannot_be_denied_is_not_asked_for(
    desk: Desk, client: AsyncPlacet, mode: Mode
) -> None:
    mailer = Mailer(mode, allowed={"allowed_decisions": ["approve"]})
    result = await mailer.agent().ainvoke(START, THREAD)
    with pytest.raises(ValueError, match="no way to say no"):
        async with answers(client, result, THREAD, terms=AT_ONCE):
            pytest.fail("Nobody was asked")
    assert await desk.all() == []


@pytest.mark.parametrize("mode", MODES)
async def test_an_agent_that_was_started_anew_asks_once(
    desk: Desk, client: AsyncPlacet, mode: Mode
) -> None:
    mailer = Mailer(mode)
    result = await mailer.agent().ainvoke(START, THREAD)
    with pytest.raises(NotDecidedInTime):
        async with answers(client, result, THREAD, terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    await desk.approve(asked)

    anew, agent = await desk.client(), mailer.agent()
    state = await agent.aget_state(THREAD)
    async with answers(anew, state, THREAD, terms=AT_ONCE) as command:
        await agent.ainvoke(command, THREAD)
    assert mailer.sent == [("bob", "Hello 0")]
    assert [one.id for one in await desk.all()] == [asked.id]
