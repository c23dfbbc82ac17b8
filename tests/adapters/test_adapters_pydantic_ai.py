"""pydantic-ai: calls that it defers are asked for, and the run goes on as people answered."""

import asyncio
from dataclasses import dataclass, field

import pytest
from placet import ArgumentsChanged, AsyncPlacet, NotDecidedInTime
from placet.adapters.pydantic_ai import answers, answers_blocking, inline
from pydantic import TypeAdapter
from pydantic_ai import Agent, AgentRunResult, DeferredToolRequests, ToolDenied
from pydantic_ai.capabilities import HandleDeferredToolCalls
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from tests.adapters.adapter_kit import AT_ONCE, EDITABLE, TERMS, Desk, about
from tests.api.api_kit import ANN

MAIL = {"to": "bob@example.com", "text": "Hello"}
Output = str | DeferredToolRequests
Result = AgentRunResult[Output]


@dataclass
class Mailer:
    """An agent that sends mail when asked anything, and then says what its tool said."""

    mails: int = 1
    sent: list[tuple[str, str]] = field(default_factory=list)

    def agent(self, *capabilities: HandleDeferredToolCalls[None]) -> Agent[None, Output]:
        agent: Agent[None, Output] = Agent(
            FunctionModel(self._answer),
            output_type=[str, DeferredToolRequests],
            capabilities=capabilities,
        )

        @agent.tool_plain(requires_approval=True)
        def send_mail(to: str, text: str) -> str:
            self.sent.append((to, text))
            return f"Sent to {to}."

        return agent

    def _answer(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        told = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        if told:
            return ModelResponse([TextPart(" ".join(str(part.content) for part in told))])
        return ModelResponse(
            [
                ToolCallPart("send_mail", {**MAIL, "text": f"Hello {n}"}, tool_call_id=f"call-{n}")
                for n in range(self.mails)
            ]
        )


async def paused(agent: Agent[None, Output]) -> tuple[Result, DeferredToolRequests]:
    result = await agent.run("Say hello to Bob")
    assert isinstance(result.output, DeferredToolRequests)
    return result, result.output


async def resumed(client: AsyncPlacet, agent: Agent[None, Output], result: Result) -> Result:
    assert isinstance(result.output, DeferredToolRequests)
    async with answers(
        client, result.output, run=result.conversation_id, terms=EDITABLE
    ) as results:
        return await agent.run(message_history=result.all_messages(), deferred_tool_results=results)


async def test_an_approved_call_runs_and_is_acknowledged(desk: Desk, client: AsyncPlacet) -> None:
    mailer = Mailer()
    result, _ = await paused(mailer.agent())
    going_on = asyncio.create_task(resumed(client, mailer.agent(), result))
    [asked] = await desk.pending()
    assert about(asked) == ("pydantic-ai", "send_mail", {**MAIL, "text": "Hello 0"})
    assert (asked.type, asked.title) == ("send_mail", "Run send_mail")
    assert (asked.metadata["run"], asked.metadata["call_id"]) == (result.conversation_id, "call-0")
    assert mailer.sent == []
    await desk.approve(asked)
    assert (await going_on).output == "Sent to bob@example.com."
    assert mailer.sent == [("bob@example.com", "Hello 0")]
    assert (await desk.now(asked)).acknowledged_at is not None


async def test_a_denied_call_does_not_run_and_the_model_reads_why(
    desk: Desk, client: AsyncPlacet
) -> None:
    mailer = Mailer()
    result, _ = await paused(mailer.agent())
    going_on = asyncio.create_task(resumed(client, mailer.agent(), result))
    [asked] = await desk.pending()
    await desk.deny(asked, "Bob is on leave")
    assert "Bob is on leave" in str((await going_on).output)
    assert mailer.sent == []
    assert (await desk.now(asked)).acknowledged_at is not None


async def test_an_edited_call_runs_as_it_was_edited(desk: Desk, client: AsyncPlacet) -> None:
    mailer = Mailer()
    result, _ = await paused(mailer.agent())
    going_on = asyncio.create_task(resumed(client, mailer.agent(), result))
    [asked] = await desk.pending()
    await desk.approve(asked, payload={"to": "team@example.com", "text": "Hi all"})
    assert (await going_on).output == "Sent to team@example.com."
    assert mailer.sent == [("team@example.com", "Hi all")]


async def test_all_calls_of_a_pause_are_asked_for_together(desk: Desk, client: AsyncPlacet) -> None:
    mailer = Mailer(mails=3)
    result, _ = await paused(mailer.agent())
    going_on = asyncio.create_task(resumed(client, mailer.agent(), result))
    first, second, third = await desk.pending(3)
    await desk.approve(third)
    await desk.deny(second, "Once is enough")
    await desk.approve(first)
    output = str((await going_on).output)
    assert mailer.sent == [("bob@example.com", "Hello 0"), ("bob@example.com", "Hello 2")]
    assert "Once is enough" in output


async def test_the_framework_is_told_who_answered(desk: Desk, client: AsyncPlacet) -> None:
    _, requests = await paused(Mailer(mails=2).agent())
    with pytest.raises(NotDecidedInTime):
        async with answers(client, requests, run="r", terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    first, second = await desk.pending(2)
    await desk.approve(first)
    await desk.deny(second, "No")
    async with answers(client, requests, run="r", terms=AT_ONCE) as results:
        assert results.answered_by == {"call-0": ANN, "call-1": ANN}
        assert results.approvals["call-0"] is True
        assert isinstance(results.approvals["call-1"], ToolDenied)


async def test_an_agent_that_was_started_anew_asks_once(desk: Desk, client: AsyncPlacet) -> None:
    mailer = Mailer()
    result, requests = await paused(mailer.agent())
    kept = ModelMessagesTypeAdapter.dump_json(result.all_messages())
    kept_requests = TypeAdapter(DeferredToolRequests).dump_json(requests)
    run = result.conversation_id
    with pytest.raises(NotDecidedInTime):
        async with answers(client, requests, run=run, terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    await desk.approve(asked)

    anew = await desk.client()
    again = TypeAdapter(DeferredToolRequests).validate_json(kept_requests)
    async with answers(anew, again, run=run, terms=AT_ONCE) as results:
        history = ModelMessagesTypeAdapter.validate_json(kept)
        done = await mailer.agent().run(message_history=history, deferred_tool_results=results)
    assert done.output == "Sent to bob@example.com."
    assert len(mailer.sent) == 1
    assert [one.id for one in await desk.all()] == [asked.id]


async def test_a_run_that_fails_with_the_answers_does_not_acknowledge_them(
    desk: Desk, client: AsyncPlacet
) -> None:
    _, requests = await paused(Mailer().agent())
    with pytest.raises(NotDecidedInTime):
        async with answers(client, requests, run="r", terms=AT_ONCE):
            pytest.fail("Nobody has answered")
    [asked] = await desk.pending()
    await desk.approve(asked)
    with pytest.raises(ConnectionError):
        async with answers(client, requests, run="r", terms=AT_ONCE):
            raise ConnectionError
    assert (await desk.now(asked)).acknowledged_at is None


async def test_a_call_whose_arguments_changed_is_refused(desk: Desk, client: AsyncPlacet) -> None:
    _, requests = await paused(Mailer().agent())
    [part] = requests.approvals

    async def wait() -> None:
        async with answers(client, requests, run="r", terms=TERMS):
            pytest.fail("They are other arguments")

    waiting = asyncio.create_task(wait())
    [asked] = await desk.pending()
    assert isinstance(part.args, dict)
    part.args["to"] = "eve@example.com"
    await desk.approve(asked)
    with pytest.raises(ArgumentsChanged):
        await waiting
    with pytest.raises(ArgumentsChanged):
        await wait()
    assert len(await desk.all()) == 1


async def test_a_handler_in_the_run_waits_and_the_run_goes_on(
    desk: Desk, client: AsyncPlacet
) -> None:
    mailer = Mailer(mails=2)
    agent = mailer.agent(HandleDeferredToolCalls(inline(client, terms=EDITABLE)))
    running = asyncio.create_task(agent.run("Say hello to Bob"))
    first, second = await desk.pending(2)
    await desk.approve(second, payload={"to": "team@example.com", "text": "Hi all"})
    await desk.deny(first, "Bob is on leave")
    output = str((await running).output)
    assert mailer.sent == [("team@example.com", "Hi all")]
    assert "Bob is on leave" in output
    assert (await desk.now(first)).acknowledged_at is not None


async def test_what_a_handler_does_not_hear_in_time_pauses_the_run_and_is_not_asked_again(
    desk: Desk, client: AsyncPlacet
) -> None:
    mailer = Mailer()
    result, requests = await paused(
        mailer.agent(HandleDeferredToolCalls(inline(client, terms=AT_ONCE)))
    )
    [asked] = await desk.pending()
    await desk.approve(asked)
    async with answers(client, requests, run=result.conversation_id, terms=AT_ONCE) as results:
        await mailer.agent().run(
            message_history=result.all_messages(), deferred_tool_results=results
        )
    assert len(mailer.sent) == 1
    assert [one.id for one in await desk.all()] == [asked.id]


async def test_an_agent_without_a_loop_waits_too(desk: Desk) -> None:
    mailer = Mailer()
    client = desk.blocking()

    def work() -> str:
        agent = mailer.agent()
        result = agent.run_sync("Say hello to Bob")
        assert isinstance(result.output, DeferredToolRequests)
        with answers_blocking(
            client, result.output, run=result.conversation_id, terms=TERMS
        ) as results:
            done = agent.run_sync(
                message_history=result.all_messages(), deferred_tool_results=results
            )
        return str(done.output)

    def in_a_loop_that_is_closed() -> str:
        # `run_sync` makes a loop for its thread, and leaves it open.
        with asyncio.Runner() as runner:
            asyncio.set_event_loop(runner.get_loop())
            return work()

    working = asyncio.create_task(asyncio.to_thread(in_a_loop_that_is_closed))
    [asked] = await desk.pending()
    await desk.approve(asked)
    assert await working == "Sent to bob@example.com."
    assert (await desk.now(asked)).acknowledged_at is not None
