"""LangGraph: interrupts are asked for, and each shape of them is answered as it expects."""

import asyncio
import warnings
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import GraphOutput, interrupt
from placet import ArgumentsChanged, AsyncPlacet, NotDecidedInTime
from placet.adapters.langgraph import answers, answers_blocking, interrupts_of
from placet.adapters.tool_calls import Answer

from tests.adapters.adapter_kit import AT_ONCE, EDITABLE, TERMS, Desk, about

THREAD: RunnableConfig = {"configurable": {"thread_id": "thread-1"}}
ALL_ALLOWED = {
    "allow_accept": True,
    "allow_edit": True,
    "allow_ignore": True,
    "allow_respond": True,
}
Graph = CompiledStateGraph[Any, Any, Any, Any]


class State(TypedDict):
    heard: Any


def graph_of(value: Any, saver: InMemorySaver | None = None) -> Graph:
    """A graph that interrupts once with a value, and keeps what it hears."""

    def ask(_: State) -> State:
        return {"heard": interrupt(value() if callable(value) else value)}

    builder = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", END)
    return builder.compile(checkpointer=saver or InMemorySaver())


def inbox(**allowed: bool) -> dict[str, Any]:
    """A request of Agent Inbox."""
    return {
        "action_request": {"action": "send_mail", "args": {"to": "bob@example.com"}},
        "config": {**ALL_ALLOWED, **allowed},
        "description": "A mail to Bob",
    }


async def heard(
    client: AsyncPlacet, value: Any, resume: Callable[[Answer], Any] | None = None
) -> Any:
    """What a graph hears that interrupts with a value."""
    graph = graph_of(value)
    result = await graph.ainvoke({"heard": None}, THREAD)
    async with answers(client, result, THREAD, terms=EDITABLE, resume=resume) as command:
        return (await graph.ainvoke(command, THREAD))["heard"]


async def test_a_plain_interrupt_hears_yes(desk: Desk, client: AsyncPlacet) -> None:
    hearing = asyncio.create_task(heard(client, {"publish": "page 1"}))
    [asked] = await desk.pending()
    assert about(asked) == ("langgraph", "interrupt", {"publish": "page 1"})
    assert asked.metadata["run"] == "thread-1"
    assert not asked.editable
    await desk.approve(asked)
    assert await hearing is True
    assert (await desk.now(asked)).acknowledged_at is not None


async def test_a_plain_interrupt_hears_no(desk: Desk, client: AsyncPlacet) -> None:
    hearing = asyncio.create_task(heard(client, "Publish the page?"))
    [asked] = await desk.pending()
    assert (asked.title, asked.payload) == ("Publish the page?", {"value": "Publish the page?"})
    await desk.deny(asked, "Not yet")
    assert await hearing is False


async def test_a_plain_interrupt_hears_what_its_agent_makes_of_the_answer(
    desk: Desk, client: AsyncPlacet
) -> None:
    hearing = asyncio.create_task(
        heard(client, {"publish": "page 1"}, lambda answer: (answer.approved, answer.arguments))
    )
    [asked] = await desk.pending()
    await desk.approve(asked, payload={"publish": "page 2"})
    assert await hearing == (True, {"publish": "page 2"})


async def test_an_inbox_request_is_accepted(desk: Desk, client: AsyncPlacet) -> None:
    hearing = asyncio.create_task(heard(client, [inbox()]))
    [asked] = await desk.pending()
    assert about(asked) == ("langgraph", "send_mail", {"to": "bob@example.com"})
    assert asked.reason == "A mail to Bob"
    await desk.approve(asked)
    assert await hearing == [{"type": "accept", "args": None}]


async def test_an_inbox_request_is_edited(desk: Desk, client: AsyncPlacet) -> None:
    hearing = asyncio.create_task(heard(client, inbox()))
    [asked] = await desk.pending()
    await desk.approve(asked, payload={"to": "team@example.com"})
    edited = {"action": "send_mail", "args": {"to": "team@example.com"}}
    assert await hearing == [{"type": "edit", "args": edited}]


async def test_an_inbox_request_that_forbids_edits_is_not_editable(
    desk: Desk, client: AsyncPlacet
) -> None:
    hearing = asyncio.create_task(heard(client, inbox(allow_edit=False)))
    [asked] = await desk.pending()
    assert not asked.editable
    await desk.approve(asked)
    assert await hearing == [{"type": "accept", "args": None}]


async def test_the_reason_of_a_denial_is_a_response_in_an_inbox(
    desk: Desk, client: AsyncPlacet
) -> None:
    hearing = asyncio.create_task(heard(client, inbox()))
    [asked] = await desk.pending()
    await desk.deny(asked, "Bob is on leave")
    assert await hearing == [{"type": "response", "args": "Bob is on leave"}]


async def test_a_denial_is_ignored_in_an_inbox_that_takes_no_response(
    desk: Desk, client: AsyncPlacet
) -> None:
    hearing = asyncio.create_task(heard(client, inbox(allow_respond=False)))
    [asked] = await desk.pending()
    await desk.deny(asked, "Bob is on leave")
    assert await hearing == [{"type": "ignore", "args": None}]


async def test_the_frameworks_own_inbox_types_are_understood(
    desk: Desk, client: AsyncPlacet
) -> None:
    with warnings.catch_warnings():
        # The types are deprecated, and still what older graphs interrupt with.
        warnings.simplefilter("ignore", DeprecationWarning)
        from langgraph.prebuilt.interrupt import ActionRequest, HumanInterrupt, HumanInterruptConfig

        request = HumanInterrupt(
            action_request=ActionRequest(action="send_mail", args={"to": "bob@example.com"}),
            config=HumanInterruptConfig(
                allow_ignore=True, allow_respond=False, allow_edit=False, allow_accept=True
            ),
            description="A mail to Bob",
        )
    hearing = asyncio.create_task(heard(client, [request]))
    [asked] = await desk.pending()
    await desk.approve(asked)
    assert await hearing == [{"type": "accept", "args": None}]


async def test_what_leaves_no_way_to_say_no_is_not_asked(desk: Desk, client: AsyncPlacet) -> None:
    graph = graph_of(inbox(allow_ignore=False, allow_respond=False))
    result = await graph.ainvoke({"heard": None}, THREAD)
    with pytest.raises(ValueError, match="no way to say no"):
        async with answers(client, result, THREAD, terms=AT_ONCE):
            pytest.fail("Nobody was asked")
    assert await desk.all() == []


async def test_parallel_interrupts_are_answered_each_by_its_id(
    desk: Desk, client: AsyncPlacet
) -> None:
    class Both(TypedDict, total=False):
        left: Any
        right: Any

    builder = StateGraph(Both)
    builder.add_node("left", lambda _: {"left": interrupt({"side": "left"})})
    builder.add_node("right", lambda _: {"right": interrupt({"side": "right"})})
    builder.add_edge(START, "left")
    builder.add_edge(START, "right")
    graph = builder.compile(checkpointer=InMemorySaver())

    async def run() -> Any:
        result = await graph.ainvoke({}, THREAD)
        async with answers(client, result, THREAD, terms=TERMS) as command:
            return await graph.ainvoke(command, THREAD)

    running = asyncio.create_task(run())
    for asked in await desk.pending(2):
        if asked.payload == {"side": "left"}:
            await desk.approve(asked)
        else:
            await desk.deny(asked, "No")
    assert await running == {"left": True, "right": False}


async def test_a_graph_that_was_started_anew_asks_once(desk: Desk, client: AsyncPlacet) -> None:
    saver = InMemorySaver()
    result = await graph_of(inbox(), saver).ainvoke({"heard": None}, THREAD)
    with pytest.raises(NotDecidedInTime):
        async with answers(client, result, THREAD, terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    await desk.approve(asked)

    anew, graph = await desk.client(), graph_of(inbox(), saver)
    state = await graph.aget_state(THREAD)
    async with answers(anew, state, THREAD, terms=AT_ONCE) as command:
        done = await graph.ainvoke(command, THREAD)
    assert done["heard"] == [{"type": "accept", "args": None}]
    assert not interrupts_of(await graph.aget_state(THREAD))
    assert [one.id for one in await desk.all()] == [asked.id]


async def test_two_threads_that_ask_the_same_are_asked_for_each(
    desk: Desk, client: AsyncPlacet
) -> None:
    graph = graph_of(inbox())
    for thread in ("a", "b"):
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        result = await graph.ainvoke({"heard": None}, config)
        with pytest.raises(NotDecidedInTime):
            async with answers(client, result, config, terms=AT_ONCE):
                pytest.fail("Nobody has answered")
    await desk.pending(2)


async def test_an_interrupt_whose_value_changed_is_refused(desk: Desk, client: AsyncPlacet) -> None:
    amounts = iter([50, 5000])
    graph = graph_of(lambda: {"refund": next(amounts)})
    result = await graph.ainvoke({"heard": None}, THREAD)
    with pytest.raises(NotDecidedInTime):
        async with answers(client, result, THREAD, terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    await desk.approve(asked)
    # The node runs again from its start, and asks for something else under the same id.
    again = await graph.ainvoke(None, THREAD)
    assert [one.id for one in interrupts_of(again)] == [one.id for one in interrupts_of(result)]
    with pytest.raises(ArgumentsChanged):
        async with answers(client, again, THREAD, terms=TERMS):
            pytest.fail("It is another value")


async def test_a_run_of_the_second_version_is_understood(desk: Desk, client: AsyncPlacet) -> None:
    graph = graph_of({"publish": "page 1"})
    result = await graph.ainvoke({"heard": None}, THREAD, version="v2")
    assert isinstance(result, GraphOutput)
    with pytest.raises(NotDecidedInTime):
        async with answers(client, result, THREAD, terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    await desk.pending()


async def test_a_graph_without_a_loop_waits_too(desk: Desk) -> None:
    client = desk.blocking()

    def work() -> Any:
        graph = graph_of(inbox())
        result = graph.invoke({"heard": None}, THREAD)
        with answers_blocking(client, result, THREAD, terms=TERMS) as command:
            return graph.invoke(command, THREAD)["heard"]

    working = asyncio.create_task(asyncio.to_thread(work))
    [asked] = await desk.pending()
    await desk.approve(asked)
    assert await working == [{"type": "accept", "args": None}]
    assert (await desk.now(asked)).acknowledged_at is not None
