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
    """Somebody who is asked, and what they answered."""

    email: str
    name: str | None = None
    answer: str | None = None


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
    """What became of an answer: decided, or where a person decides."""

    outcome: Literal["decided", "being_written", "decide_in_the_inbox"]
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


def standing(approval: Approval) -> str:
    """Return what an approval's status means for whoever asked, in our own words."""
    match approval.status:
        case "pending":
            return f"{approval.id} is pending: nobody has decided yet. Do not do it."
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
