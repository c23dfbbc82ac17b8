"""What each tool gives: typed content for programs, and a sentence of our own for the model."""

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from services.mcp.arguments import Status
from services.mcp.placet_api import Caller, Refused

RETRY_AFTER_S = 30
FINAL: frozenset[Status] = frozenset(("approved", "rejected", "withdrawn", "expired"))

T = TypeVar("T")


class Person(msgspec.Struct):
    """Somebody."""

    email: str
    name: str | None = None


class Approver(msgspec.Struct):
    """Somebody who is asked, and what they answered; `asked` tells whether it waits for them now.

    `on_behalf_of` is who they stand in for, `answered_by` who answered in their place.
    """

    email: str
    name: str | None = None
    answer: str | None = None
    step: int = 1
    asked: bool = False
    on_behalf_of: str | None = None
    answered_by: str | None = None


class Progress(msgspec.Struct):
    """How far the step that waits has come; `words` say who is missing."""

    step: int
    steps: int
    approved: int
    needed: int
    words: str


class AskedBack(msgspec.Struct):
    """What an approver asks of the requester; `wants` is an answer, or changes of the payload."""

    question_id: str
    by: Person
    text: str
    wants: str


class Source(msgspec.Struct):
    """The record that an approval mirrors."""

    name: str
    record_id: str
    url: str | None = None


class Line(msgspec.Struct, kw_only=True):
    """An approval in a list; its payload comes with get_approval."""

    id: str
    url: str = ""
    type: str
    title: str
    status: Status
    final: bool = False
    revision: str
    requester: Person
    urgency: str
    created_at: str
    expires_at: str | None = None
    progress: Progress | None = None
    asked_back: AskedBack | None = None


class Approval(Line, kw_only=True):
    """One approval; `retry_after` (seconds) says when to look again, and is null once final."""

    approvers: list[Approver]
    payload: Any = None
    payload_digest: str = ""
    reason: str | None = None
    subject: str | None = None
    source: Source | None = None
    editable: bool = False
    edited_payload: Any = None
    edited_payload_digest: str | None = None
    decided_by: str | None = None
    decided_at: str | None = None
    decision_reason: str | None = None
    withdrawn_by: str | None = None
    withdrawn_cause: str | None = None
    withdrawn_reason: str | None = None
    superseded_by: str | None = None
    retry_after: int | None = None


class Lines(msgspec.Struct):
    """A page of a list."""

    approvals: list[Line]
    next_cursor: str | None = None
    count: int | None = None


class Decision(msgspec.Struct):
    """What became of an answer or a question: decided, kept, asked, or where a person decides.

    `kept`: others must answer too.
    """

    outcome: Literal["decided", "being_written", "kept", "asked", "decide_in_the_inbox"]
    decide_at: str | None
    approval: Approval


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answers with; `says` holds nothing that others wrote."""

    says: str
    content: msgspec.Struct


def approval_of(view: Any, caller: Caller) -> Approval:
    """Return an approval of the API as tools show it; raises `Refused` for anything else."""
    found = _read(view, Approval)
    found.final = found.status in FINAL
    found.url = caller.page(found.id)
    found.retry_after = None if found.final else RETRY_AFTER_S
    return found


def lines_of(page: Any, caller: Caller) -> Lines:
    """Return a list of the API as tools show it; raises `Refused` for anything else."""
    listed = page if isinstance(page, dict) else {}
    lines = [_read(one, Line) for one in listed.get("data", ())]
    for one in lines:
        one.final = one.status in FINAL
        one.url = caller.page(one.id)
    return Lines(lines, listed.get("next_cursor"), listed.get("count"))


def _read(view: Any, kind: type[T]) -> T:
    try:
        return msgspec.convert(view, kind)
    except msgspec.ValidationError as error:
        raise Refused(
            f"Placet's answer could not be read ({error}). It may be of another release: tell the "
            "person who set up this assistant."
        ) from error


def so_far(approval: Approval) -> str:
    """Return how far an approval has come, in our own words: in numbers, and without names."""
    progress = approval.progress
    if progress is None:
        return "nobody has decided yet"
    step = f"in step {progress.step} of {progress.steps}, " if progress.steps > 1 else ""
    return f"{step}{progress.approved} of {progress.needed} have approved so far"


def standing(approval: Approval, caller: Caller) -> str:
    """Return what an approval's status means for whoever looks at it, in our own words."""
    match approval.status:
        case "pending" if approval.asked_back is not None:
            return _question(approval, approval.asked_back, caller)
        case "pending":
            return f"{approval.id} is pending: {so_far(approval)}. Do not do it."
        case "deciding":
            return (
                f"{approval.id} is answered, and the answer is on its way to the system that "
                "keeps the record: not final yet. Do not do it."
            )
        case "approved" if approval.edited_payload is not None:
            return (
                f"{approval.id} is approved with changes: what was approved is edited_payload, "
                "and not payload."
            )
        case "approved":
            return f"{approval.id} is approved: what was approved is exactly its payload."
        case "rejected":
            return f"{approval.id} is rejected: do not do it. decision_reason may say why."
        case "withdrawn" if approval.superseded_by:
            return f"{approval.id} is withdrawn: {approval.superseded_by} stands in its place."
        case "withdrawn":
            return f"{approval.id} is withdrawn: do not do it."
        case "expired":
            return f"{approval.id} is expired: nobody decided in time. Do not do it."


def _question(approval: Approval, asked: AskedBack, caller: Caller) -> str:
    if approval.requester.email != caller.principal:
        return f"{approval.id} is pending: its requester was asked something. Do not do it."
    if asked.wants == "changes":
        return (
            f"{approval.id} is pending, and was returned to you for changes: asked_back.text says "
            "which. Hand in the changed payload with answer_question, or take it back with "
            "cancel_request. Do not do it."
        )
    return (
        f"{approval.id} is pending, and an approver asks you something: asked_back.text. The "
        "clock stands still until you answer with answer_question; where you do not know, ask "
        "the person you work for. Do not do it."
    )
