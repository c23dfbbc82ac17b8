"""Every call about approvals, described once: method, path, body, and what comes back."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict
from urllib.parse import quote

from placet.approval import Approval, Status, Urgency
from placet.call import Call, Entries, Entry, entries, entry, reading, sending, time_of
from placet.errors import NotFound
from placet.json_values import Json
from placet.questions import Wants

Somebody = str | Mapping[str, str | None]
"""An e-mail address, or `{"email": ..., "name": ...}`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One page of approvals as it came; `count` is how many wait in all, where that is told."""

    data: list[Approval]
    next_cursor: str | None
    count: int | None


class AskRequired(TypedDict):
    """What every ask says."""

    type: str
    title: str


class Ask(AskRequired, total=False):
    """What an ask may say; None and left out are the same."""

    payload: Mapping[str, Json] | None
    approvers: Sequence[Somebody] | None
    requester: Somebody | None
    reason: str | None
    urgency: Urgency | None
    expires_in: int | None
    expires_at: datetime | str | None
    callback_url: str | None
    links: Sequence[Mapping[str, str | None]] | None
    subject: str | None
    revision: str | int | None
    checkpoint_name: str | None
    execution_id: str | None
    agent_id: str | None
    metadata: Mapping[str, Json] | None
    supersede_on_comment: bool | None
    editable: bool | None
    idempotency_key: str | None


class Wanted(TypedDict, total=False):
    """Which approvals to list; None and left out are the same."""

    status: Status | None
    approver: str | None
    requester: str | None
    type: str | None
    source: str | None
    subject: str | None
    acknowledged: bool | None
    limit: int | None
    cursor: str | None


def create(ask: Ask) -> Call[Approval]:
    """Ask for an approval; without an idempotency key it gets one, so that it can be repeated."""
    body: dict[str, Any] = {**ask}
    key = body.pop("idempotency_key", None)
    if body.get("expires_at") is not None:
        body["expires_at"] = time_of(body["expires_at"], "expires_at")
    body["revision"] = _revision(body.get("revision"))
    return sending("/v1/approvals", Approval, body, key=key or str(uuid.uuid4()))


def get(approval_id: str) -> Call[Approval]:
    """Read one."""
    return reading(_path(approval_id), Approval)


def list_(wanted: Wanted) -> Call[Batch]:
    """Read a page, newest first."""
    return reading("/v1/approvals", _batch, **wanted)


def queue(approver: str | None, limit: int | None) -> Call[Batch]:
    """Read a page of what waits for somebody, most urgent first."""
    return reading("/v1/queue", _batch, approver=approver, limit=limit)


def following(call: Call[Batch], cursor: str) -> Call[Batch]:
    """Read the page after one that was read."""
    return replace(call, query={**call.query, "cursor": cursor})


def decide(
    approval_id: str,
    *,
    decision: str,
    reason: str | None,
    approver: str | None,
    revision: str | int | None,
    payload: Mapping[str, Json] | None,
) -> Call[Approval]:
    """Answer; the same answer of the same approver again changes nothing."""
    body = {
        "decision": decision,
        "reason": reason,
        "approver": approver,
        "revision": _revision(revision),
        "payload": payload,
    }
    return sending(_path(approval_id, "decision"), Approval, body)


def undo(approval_id: str, approver: str | None) -> Call[Approval]:
    """Take back an answer that is held; again changes nothing."""
    return sending(_path(approval_id, "undo"), Approval, {"approver": approver})


def wait(approval_id: str, seconds: int) -> Call[Approval]:
    """Read one when it is final, or after some seconds, at most 60, as it is then."""
    return reading(_path(approval_id, "wait"), Approval, held_s=seconds, timeout=seconds)


def withdraw(approval_id: str, reason: str | None) -> Call[Approval]:
    """Recall an ask; again changes nothing."""
    return sending(_path(approval_id, "withdraw"), Approval, {"reason": reason})


def acknowledge(
    approval_id: str, effective_payload: Mapping[str, Json] | None = None
) -> Call[Approval]:
    """Say that the outcome was heard, and what was really done; again changes nothing."""
    body = {"effective_payload": effective_payload}
    return sending(_path(approval_id, "acknowledge"), Approval, body)


def ask_back(
    approval_id: str,
    text: str,
    *,
    wants: Wants,
    approver: str | None,
    revision: str | int | None,
) -> Call[Approval]:
    """Ask the requester, or return it for changes, once however often this call is sent."""
    body = {"text": text, "wants": wants, "approver": approver, "revision": _revision(revision)}
    return sending(_path(approval_id, "questions"), Approval, body, key=str(uuid.uuid4()))


def answer(approval_id: str, text: str, question_id: str | None) -> Call[Approval]:
    """Answer what was asked back; the same question again changes nothing."""
    body = {"text": text, "question_id": question_id}
    return sending(_path(approval_id, "answers"), Approval, body)


def revise(
    approval_id: str,
    *,
    payload: Mapping[str, Json] | None,
    title: str | None,
    reason: str | None,
    revision: str | int | None,
) -> Call[Approval]:
    """Change what is asked; the same again changes nothing."""
    body = {"payload": payload, "title": title, "reason": reason, "revision": _revision(revision)}
    return sending(_path(approval_id, "revise"), Approval, body)


def reassign(
    approval_id: str,
    *,
    to: str,
    person: str | None,
    reason: str | None,
    approver: str | None,
) -> Call[Approval]:
    """Let somebody else be asked instead; the same again changes nothing."""
    body = {"to": to, "person": person, "reason": reason, "approver": approver}
    return sending(_path(approval_id, "reassign"), Approval, body)


def remind(approval_id: str) -> Call[Approval]:
    """Tell those again who have not answered; the server refuses to do so too often."""
    return sending(_path(approval_id, "remind"), Approval, {})


def comment(approval_id: str, text: str) -> Call[Approval]:
    """Leave a comment, once however often this call is sent."""
    return sending(_path(approval_id, "comments"), Approval, {"text": text}, key=str(uuid.uuid4()))


def history(approval_id: str) -> Call[Entries]:
    """Read what happened, oldest first."""
    return reading(_path(approval_id, "history"), entries)


def difference(approval_id: str) -> Call[Entry]:
    """Read where what was proposed, approved and done differ."""
    return reading(_path(approval_id, "difference"), entry)


def links(approval_id: str) -> Call[Entries]:
    """Read the linked items."""
    return reading(_path(approval_id, "links"), entries)


def _path(approval_id: str, what: str | None = None) -> str:
    if not (isinstance(approval_id, str) and approval_id.isalnum()):
        # It would be another address.
        raise NotFound(f"There is no such approval: {approval_id!r} is no id of one.")
    path = f"/v1/approvals/{quote(approval_id)}"
    return path if what is None else f"{path}/{what}"


def _revision(revision: str | int | None) -> str | None:
    return None if revision is None else str(revision)


def _batch(found: Any) -> Batch:
    data = [Approval(one) for one in found["data"]]
    return Batch(data, found.get("next_cursor"), found.get("count"))
