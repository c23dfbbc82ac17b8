"""LangGraph and LangChain: the interrupts of a graph are asked for in Placet.

Four shapes are understood: a plain `interrupt(value)`, Agent Inbox's `HumanInterrupt`, and the two
of LangChain's `HumanInTheLoopMiddleware`: `HITLRequest` and `ToolApprovalRequest`. What a shape
allows decides whether people may edit.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from placet import AsyncPlacet, Placet
from placet.adapters.pauses import answered, answered_blocking
from placet.adapters.tool_calls import ANY_TERMS, Answer, Terms, ToolCall

try:
    from langchain_core.runnables import RunnableConfig
    from langgraph.types import Command, GraphOutput, Interrupt, StateSnapshot
except ImportError as error:
    raise ImportError(
        "This adapter needs langgraph: pip install 'placet-client[langgraph]' or '[langchain]'"
    ) from error

FRAMEWORK = "langgraph"
Paused = Mapping[str, Any] | GraphOutput[Any] | StateSnapshot | Sequence[Interrupt]
"""What tells of interrupts: the result of a run, `graph.get_state(config)`, or they themselves."""
Resume = Callable[[Answer], Any]
Verb = Literal["approve", "edit", "reject", "respond"]
_VERBS: tuple[Verb, ...] = ("approve", "edit", "reject", "respond")
_INBOX: Mapping[str, Verb] = {
    "allow_accept": "approve",
    "allow_edit": "edit",
    "allow_ignore": "reject",
    "allow_respond": "respond",
}


@asynccontextmanager
async def answers(
    client: AsyncPlacet,
    paused: Paused,
    config: RunnableConfig,
    *,
    terms: Terms = ANY_TERMS,
    resume: Resume | None = None,
) -> AsyncIterator[Command[Any]]:
    """Ask for every interrupt, and give the command that resumes the graph with the answers.

    Invoke the graph with it inside of the block: at its end the answers are acknowledged. After a
    restart, come with `graph.get_state(config)`. A plain `interrupt(value)` returns True or False,
    or what `resume` makes of its answer. Raises `NotDecidedInTime` after `terms.timeout`, and
    `ValueError` for an interrupt that leaves no way to say no.
    """
    questions = _questions(paused, config, resume)
    async with answered(client, _calls(questions), terms) as given:
        yield _command(questions, given)


@contextmanager
def answers_blocking(
    client: Placet,
    paused: Paused,
    config: RunnableConfig,
    *,
    terms: Terms = ANY_TERMS,
    resume: Resume | None = None,
) -> Iterator[Command[Any]]:
    """Do what `answers` does, for `graph.invoke`."""
    questions = _questions(paused, config, resume)
    with answered_blocking(client, _calls(questions), terms) as given:
        yield _command(questions, given)


def interrupts_of(paused: Paused) -> Sequence[Interrupt]:
    """Return the interrupts that wait for an answer; empty: the graph does not wait."""
    if isinstance(paused, GraphOutput | StateSnapshot):
        return paused.interrupts
    if isinstance(paused, Mapping):
        return tuple(paused.get("__interrupt__", ()))
    return paused


@dataclass(frozen=True)
class _Question:
    """What one interrupt asks, and how it wants to be answered."""

    interrupt_id: str
    calls: Sequence[ToolCall]
    resume: Callable[[Sequence[Answer]], Any]


@dataclass(frozen=True)
class _Action:
    """One thing in an interrupt that people say yes or no to."""

    name: str
    arguments: Mapping[str, Any]
    description: str | None
    allowed: frozenset[Verb]


def _questions(
    paused: Paused, config: RunnableConfig, resume: Resume | None
) -> Sequence[_Question]:
    thread = str(config["configurable"]["thread_id"])
    return [_question(one, thread, resume) for one in interrupts_of(paused)]


def _calls(questions: Sequence[_Question]) -> list[ToolCall]:
    return [call for question in questions for call in question.calls]


def _command(questions: Sequence[_Question], given: Sequence[Answer]) -> Command[Any]:
    left = iter(given)
    return Command(
        resume={one.interrupt_id: one.resume([next(left) for _ in one.calls]) for one in questions}
    )


def _question(interrupt: Interrupt, thread: str, resume: Resume | None) -> _Question:
    match interrupt.value:
        case {"action_requests": [*requests], "review_configs": [*reviews]}:
            allowed = {one["action_name"]: one["allowed_decisions"] for one in reviews}
            actions = [_tool(one, allowed[one["name"]]) for one in requests]
            return _reviewed(
                interrupt, thread, actions, _decision, lambda every: {"decisions": every}
            )
        case {"type": "tool_approval", "name": _, "args": _} as request:
            actions = [_tool(request, _decisions_of(interrupt.response_schema))]
            return _reviewed(interrupt, thread, actions, _decision, lambda every: every[0])
        case {"action_request": _} | [{"action_request": _}, *_] as found:
            requests = found if isinstance(found, list) else [found]
            return _reviewed(
                interrupt, thread, [_inbox(one) for one in requests], _response, lambda every: every
            )
        case value:
            call = ToolCall(
                framework=FRAMEWORK,
                run=thread,
                call_id=f"{interrupt.id}/0",
                tool="interrupt",
                arguments=value if isinstance(value, dict) else {"value": value},
                title=value if isinstance(value, str) and value else "May the graph go on?",
                takes_edits=resume is not None,
            )
            say = resume or _yes_or_no
            return _Question(interrupt.id, [call], lambda given: say(given[0]))


def _reviewed(
    interrupt: Interrupt,
    thread: str,
    actions: Sequence[_Action],
    form: Callable[[Answer, _Action], Any],
    whole: Callable[[list[Any]], Any],
) -> _Question:
    """Return the question of an interrupt whose actions are each answered in a form of its own."""
    calls = [
        ToolCall(
            framework=FRAMEWORK,
            run=thread,
            call_id=f"{interrupt.id}/{place}",
            tool=one.name,
            arguments=one.arguments,
            reason=one.description,
            takes_edits="edit" in one.allowed,
        )
        for place, one in enumerate(actions)
    ]
    return _Question(
        interrupt.id,
        calls,
        lambda given: whole([form(*pair) for pair in zip(given, actions, strict=True)]),
    )


def _tool(request: Mapping[str, Any], allowed: Sequence[str]) -> _Action:
    """Return the action of LangChain's middleware."""
    name, verbs = request["name"], frozenset(verb for verb in _VERBS if verb in allowed)
    return _checked(_Action(name, request["args"], request.get("description"), verbs))


def _inbox(request: Mapping[str, Any]) -> _Action:
    """Return the action of Agent Inbox."""
    action, config = request["action_request"], request["config"]
    verbs = frozenset(verb for key, verb in _INBOX.items() if config.get(key))
    return _checked(_Action(action["action"], action["args"], request.get("description"), verbs))


def _checked(action: _Action) -> _Action:
    """Return an action that can be answered either way; asking would be in vain otherwise."""
    if action.allowed.isdisjoint({"reject", "respond"}):
        raise ValueError(f"{action.name}: this interrupt leaves no way to say no.")
    if action.allowed.isdisjoint({"approve", "edit", "respond"}):
        raise ValueError(f"{action.name}: this interrupt leaves no way to say yes.")
    return action


def _decisions_of(schema: object) -> Sequence[str]:
    """Return which decisions the JSON Schema of an answer allows."""
    match schema:
        case {"discriminator": {"mapping": dict(by_type)}}:
            return [str(one) for one in by_type]
        case {"properties": {"type": {"const": str(only)}}}:
            return [only]
        case _:
            return ["approve", "reject"]


def _verb(answer: Answer, allowed: frozenset[Verb]) -> Verb:
    if answer.approved:
        wanted: tuple[Verb, ...] = ("edit",) if answer.edited else ("approve", "edit", "respond")
    else:
        wanted = ("reject", "respond")
    return next(verb for verb in wanted if verb in allowed)


def _decision(answer: Answer, action: _Action) -> dict[str, Any]:
    """Answer as `HumanInTheLoopMiddleware` wants it; it puts the reason into words itself."""
    match _verb(answer, action.allowed):
        case "approve":
            return {"type": "approve"}
        case "edit":
            edited = {"name": action.name, "args": answer.arguments}
            return {"type": "edit", "edited_action": edited}
        case "reject":
            return {"type": "reject", "message": answer.reason}
        case "respond":
            return {"type": "respond", "message": _words(answer)}


def _response(answer: Answer, action: _Action) -> dict[str, Any]:
    """Answer as Agent Inbox does: to ignore says nothing, so a person's words are a response."""
    verb = _verb(answer, action.allowed)
    if verb == "reject" and "respond" in action.allowed and answer.approval.decision_reason:
        verb = "respond"
    match verb:
        case "approve":
            return {"type": "accept", "args": None}
        case "edit":
            return {"type": "edit", "args": {"action": action.name, "args": answer.arguments}}
        case "reject":
            return {"type": "ignore", "args": None}
        case "respond":
            return {"type": "response", "args": _words(answer)}


def _words(answer: Answer) -> str:
    if answer.approved:
        return answer.approval.decision_reason or "Approved."
    return answer.reason


def _yes_or_no(answer: Answer) -> bool:
    return answer.approved
