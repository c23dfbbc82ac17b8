"""pydantic-ai: deferred tool calls that wait for approval are asked for in Placet."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from placet import AsyncPlacet, Placet
from placet.adapters.pauses import answered, answered_blocking
from placet.adapters.tool_calls import (
    ANY_TERMS,
    Answer,
    Terms,
    ToolCall,
    acknowledge,
    answers_within,
)

try:
    from pydantic_ai import (
        DeferredToolRequests,
        DeferredToolResults,
        RunContext,
        ToolApproved,
        ToolDenied,
    )
    from pydantic_ai.tools import AgentDepsT
except ImportError as error:
    raise ImportError(
        "This adapter needs pydantic-ai: pip install 'placet-client[pydantic-ai]'"
    ) from error

FRAMEWORK = "pydantic-ai"


@asynccontextmanager
async def answers(
    client: AsyncPlacet, requests: DeferredToolRequests, *, run: str, terms: Terms = ANY_TERMS
) -> AsyncIterator[DeferredToolResults]:
    """Ask for every call that needs approval, and give what `agent.run` takes to go on.

    Resume the agent inside of the block: at its end the answers are acknowledged. `run` is what
    stays the same over a restart: the conversation id. Calls that are to be executed elsewhere
    are yours: put their results into `calls`. Raises `NotDecidedInTime` after `terms.timeout`.
    """
    async with answered(client, _calls(requests, run), terms) as given:
        yield _results(requests, given)


@contextmanager
def answers_blocking(
    client: Placet, requests: DeferredToolRequests, *, run: str, terms: Terms = ANY_TERMS
) -> Iterator[DeferredToolResults]:
    """Do what `answers` does, for `agent.run_sync`."""
    with answered_blocking(client, _calls(requests, run), terms) as given:
        yield _results(requests, given)


def inline(
    client: AsyncPlacet,
    *,
    terms: Terms = ANY_TERMS,
    run: Callable[[RunContext[AgentDepsT]], str] | None = None,
) -> Callable[
    [RunContext[AgentDepsT], DeferredToolRequests], Awaitable[DeferredToolResults | None]
]:
    """Return a handler for `HandleDeferredToolCalls`: the run waits, and goes on by itself.

    What is not decided within `terms.timeout` is left to the agent's output, as
    `DeferredToolRequests`: `answers` takes it from there and nobody is asked again. `run` names
    what stays the same over a restart; left out: the conversation id.
    """

    async def handle(
        context: RunContext[AgentDepsT], requests: DeferredToolRequests
    ) -> DeferredToolResults | None:
        named = run(context) if run else (context.conversation_id or context.run_id or "")
        calls = _calls(requests, named)
        given = await client.run(answers_within(client.settings, calls, terms, terms.timeout))
        results = _results(requests, given)
        await client.run(acknowledge(client.settings, given))
        return results

    return handle


def _calls(requests: DeferredToolRequests, run: str) -> list[ToolCall]:
    return [
        ToolCall(
            framework=FRAMEWORK,
            run=run,
            call_id=part.tool_call_id,
            tool=part.tool_name,
            arguments=part.args_as_dict(raise_if_invalid=True),
            takes_edits=True,
        )
        for part in requests.approvals
    ]


def _results(requests: DeferredToolRequests, given: list[Answer]) -> DeferredToolResults:
    return requests.build_results(
        approvals={answer.call.call_id: _result(answer) for answer in given},
        answered_by={answer.call.call_id: answer.by for answer in given if answer.by},
    )


def _result(answer: Answer) -> bool | ToolApproved | ToolDenied:
    if not answer.approved:
        return ToolDenied(answer.denial)
    return ToolApproved(override_args=answer.arguments) if answer.edited else True
