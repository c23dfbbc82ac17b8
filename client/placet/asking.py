"""What happens at a gate: ask, wait, give up in time, and compare what was approved."""

import inspect
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from placet import calls
from placet.approval import Approval
from placet.arguments import Arguments
from placet.calls import Ask
from placet.digest import payload_digest
from placet.errors import (
    AlreadyCarriedOut,
    AlreadyResolved,
    ArgumentsChanged,
    NotDecidedInTime,
    PlacetError,
)
from placet.flows import Flow, exchange
from placet.json_values import Json, plain_json
from placet.questions import OnQuestion
from placet.settings import Settings
from placet.waiting import Listening, wait

SETTLING_S = 30.0
"""How long an answer that is being written back may take once nobody may withdraw any more."""
EXPIRES_AFTER_S = 60
"""How long after the requester stopped waiting an approval expires by itself."""
ACKNOWLEDGE_WITHIN_S = 10.0
"""How long a result is held back for its acknowledgement."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a function is gated by; see `requires_approval`."""

    type: str
    title: Any
    when: Callable[[Mapping[str, Any]], bool] | None
    approvers: Any
    timeout: float | None
    payload: Callable[[Mapping[str, Any]], Mapping[str, Json]] | None
    arguments: Arguments
    editable: bool
    idempotency_key: Any
    said: Mapping[str, Any]
    has_fallback: bool
    on_question: OnQuestion | None = None

    def __post_init__(self) -> None:
        if self.editable and self.payload is not None:
            raise TypeError(
                "editable: an edit is of the arguments, so the payload must be the arguments; "
                "leave `payload` out."
            )
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise ValueError(f"timeout: {self.timeout} s; give a positive number of seconds.")

    def asks(self, bound: inspect.BoundArguments) -> bool:
        """Tell whether a call needs approval."""
        return self.when is None or bool(self.when(dict(bound.arguments)))

    def payload_of(self, bound: inspect.BoundArguments) -> Json:
        """Return what a call would do, as JSON of its own; raises `TypeError`."""
        if self.payload is None:
            return self.arguments.payload(bound)
        return plain_json(self.payload(dict(bound.arguments)), "payload")

    def ask(self, bound: inspect.BoundArguments, payload: Json) -> Ask:
        """Return what to ask for a call."""
        arguments = dict(bound.arguments)
        said = {name: _value(given, arguments) for name, given in self.said.items()}
        if self.timeout is not None and said.get("expires_in") is None:
            said["expires_in"] = math.ceil(self.timeout) + EXPIRES_AFTER_S
        ask: Any = {
            **said,
            "type": self.type,
            "title": _value(self.title, arguments),
            "approvers": _value(self.approvers, arguments),
            "payload": payload,
            "editable": self.editable,
            "idempotency_key": _value(self.idempotency_key, arguments),
        }
        typed: Ask = ask
        return typed

    @property
    def gives_up(self) -> str:
        """Why a request is withdrawn when its time is over."""
        return f"Nobody decided within {self.timeout:g} s, and the requester waits no longer."


@dataclass(frozen=True, slots=True)
class Go:
    """It is approved: the arguments to run with."""

    approval: Approval
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def verdict(gate: Gate, settings: Settings, bound: inspect.BoundArguments) -> Flow[Go | None]:
    """Ask, and return what to run; None when the fallback is to run instead.

    Raises what `requires_approval` says.
    """
    ask = gate.ask(bound, gate.payload_of(bound))
    approval = yield from exchange(settings, calls.create(ask))
    if approval.approved and approval.acknowledged_at is not None:
        raise AlreadyCarriedOut(approval)
    if not approval.is_final:
        listening = Listening(gate.on_question) if gate.on_question else None
        try:
            approval = yield from wait(settings, approval.id, gate.timeout, listening)
        except NotDecidedInTime:
            if gate.timeout is None:
                raise
            approval = yield from given_up(settings, approval.id, gate.gives_up)
    if approval.approved:
        return _go(gate, bound, approval)
    yield from acknowledged(settings, approval)
    ours = (
        approval.withdrawn_cause in ("recalled", None)
        and gate.timeout is not None
        and approval.withdrawn_reason == gate.gives_up
    )
    if gate.has_fallback and (ours or approval.status == "expired"):
        return None
    if ours:
        raise NotDecidedInTime(approval)
    approval.require_approved()
    raise NotDecidedInTime(approval)


def acknowledged(settings: Settings, approval: Approval) -> Flow[None]:
    """Say that an outcome was acted on; that this cannot be said is logged, not raised."""
    if approval.acknowledged_at is not None:
        return
    until = time.monotonic() + ACKNOWLEDGE_WITHIN_S
    try:
        yield from exchange(settings, calls.acknowledge(approval.id), until=until)
    except PlacetError as error:
        logger.warning("%s could not be acknowledged: %s", approval.id, error)


def given_up(settings: Settings, approval_id: str, why: str) -> Flow[Approval]:
    """Withdraw, so that no later answer counts; return the approval, decided if it was first."""
    try:
        return (yield from exchange(settings, calls.withdraw(approval_id, why)))
    except AlreadyResolved as first:
        if first.approval is not None and first.approval.is_final:
            return first.approval
    return (yield from wait(settings, approval_id, SETTLING_S))


def _go(gate: Gate, bound: inspect.BoundArguments, approval: Approval) -> Go:
    edited = approval.edited_payload
    if edited is not None and gate.editable:
        if payload_digest(edited) != approval.edited_payload_digest:
            raise ArgumentsChanged(
                f"The edited payload of {approval.id} is not the one that was approved: its "
                "digest differs. Nothing was run."
            )
        args, kwargs = gate.arguments.edited(bound, edited)
        return Go(approval, args, kwargs)
    approval.check(gate.payload_of(bound))
    return Go(approval, bound.args, bound.kwargs)


def _value(given: Any, arguments: Mapping[str, Any]) -> Any:
    return given(arguments) if callable(given) else given
