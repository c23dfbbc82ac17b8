"""How a model's tool call is put to people, and what their answer means for it: for every adapter.

Written as flows, as the client itself, so that agents with and without an event loop share it.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from placet import calls
from placet.approval import Approval, Urgency
from placet.asking import acknowledged, given_up
from placet.calls import Ask, Somebody
from placet.digest import payload_digest
from placet.errors import (
    AlreadyCarriedOut,
    ArgumentsChanged,
    Invalid,
    NotDecidedInTime,
)
from placet.flows import Flow, exchange
from placet.json_values import Json, plain_json
from placet.questions import OnQuestion
from placet.settings import Settings
from placet.waiting import Listening, wait

LONGEST_TITLE = 500
LONGEST_TYPE = 200
LONGEST_REASON = 10_000
GIVES_UP = "Nobody decided while the agent waited."


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """A call that a model wants to make, as its framework tells it.

    `run` is what the agent keeps over a restart (a conversation, a thread, a session), and
    `call_id` is unique in it: together they make sure that people are asked once.
    """

    framework: str
    run: str
    call_id: str
    tool: str
    arguments: Mapping[str, Any]
    title: str | None = None
    """What people are asked, where that is not whether to run the tool."""
    reason: str | None = None
    """Why it is asked, where the framework has a text for it."""
    takes_edits: bool = False
    """Whether the framework can run the call with other arguments than the model's."""

    @property
    def idempotency_key(self) -> str:
        """The same after a restart, of bounded length, and no two calls have the same."""
        named = json.dumps([self.run, self.call_id]).encode()
        return f"{self.framework}:{hashlib.sha256(named).hexdigest()}"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How an agent's calls are asked for.

    Keep them as they are while approvals are pending: the same call on other terms is refused.
    """

    type: str | Callable[[ToolCall], str] | None = None
    """The approval type; left out: the tool's name."""
    title: Callable[[ToolCall], str] | None = None
    """What people read first; left out: the name of the tool."""
    approvers: Sequence[Somebody] | None = None
    """Who decides; left out: whom the approval type names."""
    requester: Somebody | None = None
    agent_id: str | None = None
    urgency: Urgency | None = None
    expires_in: int | None = None
    """Seconds until the approval expires, which denies the call."""
    callback_url: str | None = None
    """Where the outcome is sent to, for an agent that goes away."""
    editable: bool | None = None
    """Whether approvers may edit the arguments; left out: what the approval type says."""
    timeout: float | None = None
    """Seconds to wait for the answers to one pause; left out: until they are final."""
    on_question: OnQuestion | None = None
    """Called once with each `Question` that an approver asks back; returns the answer, or None."""

    def listening(self, approvals: Sequence[Approval]) -> Listening | None:
        """Return who hears what is asked back about approvals while they are waited for."""
        if self.on_question is None:
            return None
        return Listening(self.on_question, [one.id for one in approvals if not one.is_final])

    def ask(self, call: ToolCall) -> Ask:
        """Return what to ask for a call; raises `TypeError` for arguments that are not JSON."""
        of_type = self.type(call) if callable(self.type) else self.type
        title = self.title(call) if self.title else call.title
        return {
            "type": _cut(of_type or call.tool, LONGEST_TYPE),
            "title": _cut(title or f"Run {call.tool}", LONGEST_TITLE),
            "payload": plain_json(call.arguments, "arguments"),
            "approvers": self.approvers,
            "requester": self.requester,
            "reason": _cut(call.reason, LONGEST_REASON) if call.reason else None,
            "urgency": self.urgency,
            "expires_in": self.expires_in,
            "callback_url": self.callback_url,
            "agent_id": self.agent_id,
            "metadata": {
                "framework": call.framework,
                "run": call.run,
                "call_id": call.call_id,
                "tool": call.tool,
            },
            "editable": self.editable if call.takes_edits else False,
            "idempotency_key": call.idempotency_key,
        }


ANY_TERMS = Terms()
"""The tool's name is the approval type, which names the approvers."""


@dataclass(frozen=True)
class Answer:
    """What people said about a call; made by `answer_of`, which compares them."""

    call: ToolCall
    approval: Approval

    @property
    def approved(self) -> bool:
        """Whether the call may run, with `arguments` and no others."""
        return self.approval.approved

    @property
    def edited(self) -> bool:
        """Whether the approver approved other arguments than the model's."""
        return self.approved and self.approval.edited_payload is not None

    @property
    def arguments(self) -> Json:
        """What was approved: for a tool, its arguments by name."""
        return self.approval.effective_payload

    @property
    def by(self) -> str | None:
        """Who decided, if anybody did."""
        return self.approval.decided_by

    @property
    def reason(self) -> str:
        """Why the call may not run: the approver's own words, or what became of the request."""
        match self.approval.status:
            case "rejected":
                said = self.approval.decision_reason
                return said or "The approver said no, without a reason."
            case "expired":
                return "Nobody decided in time."
            case _:
                return self.approval.withdrawn_reason or "The request was withdrawn."

    @property
    def denial(self) -> str:
        """The reason, in words that tell a model that its call did not run."""
        return f"This call was not approved and did not run. {self.reason}"


def answer_of(call: ToolCall, approval: Approval) -> Answer:
    """Return the answer to a call, of an approval that is final.

    Raises `ArgumentsChanged` where the arguments of the call are not those that people saw, and
    where they approved others but the framework cannot run the call with others.
    """
    if approval.approved:
        if payload_digest(call.arguments) != approval.payload_digest:
            raise ArgumentsChanged(
                f"{call.tool}: the arguments of call {call.call_id} are not those that approval"
                f" {approval.id} is about. Nothing was run; ask for a call of its own."
            )
        edited = call.takes_edits and approval.edited_payload is not None
        approval.check(approval.edited_payload if edited else call.arguments)
    return Answer(call, approval)


def ask_all(settings: Settings, asked: Sequence[ToolCall], terms: Terms) -> Flow[list[Approval]]:
    """Ask for all calls before the first is waited for, so that people see them together.

    Raises `ArgumentsChanged` for a call that was asked for before with other arguments or terms.
    """
    approvals = []
    for call in asked:
        try:
            approvals.append((yield from exchange(settings, calls.create(terms.ask(call)))))
        except Invalid as error:
            if error.code != "idempotency_key_reused":
                raise
            raise ArgumentsChanged(
                f"{call.tool}: call {call.call_id} was asked for before with other arguments or on"
                " other terms, and what people see must be what runs. Nothing was run."
            ) from error
    return approvals


def answers(settings: Settings, asked: Sequence[ToolCall], terms: Terms) -> Flow[list[Answer]]:
    """Ask for all calls and return all answers.

    Raises `NotDecidedInTime` after `terms.timeout`: come again with the same calls, and nobody is
    asked twice.
    """
    deadline = _deadline(terms.timeout)
    given = []
    approvals = yield from ask_all(settings, asked, terms)
    listening = terms.listening(approvals)
    for call, approval in zip(asked, approvals, strict=True):
        final = approval
        if not final.is_final:
            final = yield from wait(settings, final.id, _left(deadline), listening)
        given.append(answer_of(call, final))
    return given


def answers_within(
    settings: Settings, asked: Sequence[ToolCall], terms: Terms, seconds: float | None
) -> Flow[list[Answer]]:
    """Ask for all calls and return the answers that are there within some seconds; None: all.

    The others are pending: come again with the same calls, and nobody is asked twice.
    """
    deadline = _deadline(seconds)
    given = []
    approvals = yield from ask_all(settings, asked, terms)
    listening = terms.listening(approvals)
    for call, approval in zip(asked, approvals, strict=True):
        final = approval
        if not final.is_final and seconds != 0:
            try:
                final = yield from wait(settings, final.id, _left(deadline), listening)
            except NotDecidedInTime:
                continue
        if final.is_final:
            given.append(answer_of(call, final))
    return given


def settled(settings: Settings, call: ToolCall, terms: Terms) -> Flow[Answer]:
    """Return the answer to a call whose agent cannot come back for it.

    After `terms.timeout` the request is withdrawn, so that nobody answers it for nothing; an
    answer that was there first counts.
    """
    [approval] = yield from ask_all(settings, [call], terms)
    if not approval.is_final:
        try:
            listening = terms.listening([approval])
            approval = yield from wait(settings, approval.id, terms.timeout, listening)
        except NotDecidedInTime:
            approval = yield from given_up(settings, approval.id, GIVES_UP)
    return answer_of(call, approval)


def refuse_repeats(given: Sequence[Answer]) -> None:
    """Raise `AlreadyCarriedOut` where a call was approved and acknowledged before."""
    for answer in given:
        if answer.approved and answer.approval.acknowledged_at is not None:
            raise AlreadyCarriedOut(answer.approval)


def acknowledge(settings: Settings, given: Sequence[Answer]) -> Flow[None]:
    """Say that the agent acted on answers; that this cannot be said is logged, not raised."""
    for answer in given:
        yield from acknowledged(settings, answer.approval)


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
