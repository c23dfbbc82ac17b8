"""Every call of the HTTP interface, described once: method, path, body, and what comes back."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

from placet.approval import Approval, Status, Urgency
from placet.errors import NotFound
from placet.json_values import Json, plain_json

T = TypeVar("T")
Entries = list[dict[str, Any]]
Somebody = str | Mapping[str, str | None]
"""An e-mail address, or `{"email": ..., "name": ...}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """A call that has not been sent; it may be sent any number of times and counts once."""

    method: str
    path: str
    read: Callable[[Any], T]
    query: Mapping[str, str]
    body: bytes | None = None
    idempotency_key: str | None = None
    held_s: int = 0
    """How long the server may hold back its answer on purpose."""


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
    if isinstance(expires_at := body.get("expires_at"), datetime):
        if expires_at.tzinfo is None:
            raise ValueError("expires_at: a time without a zone; add one, such as UTC.")
        body["expires_at"] = expires_at.isoformat()
    if body.get("revision") is not None:
        body["revision"] = str(body["revision"])
    return _post("/v1/approvals", Approval, body, key=key or str(uuid.uuid4()))


def get(approval_id: str) -> Call[Approval]:
    """Read one."""
    return _get(_path(approval_id), Approval)


def list_(wanted: Wanted) -> Call[Batch]:
    """Read a page, newest first."""
    return _get("/v1/approvals", _batch, **wanted)


def queue(approver: str | None, limit: int | None) -> Call[Batch]:
    """Read a page of what waits for somebody, most urgent first."""
    return _get("/v1/queue", _batch, approver=approver, limit=limit)


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
        "revision": None if revision is None else str(revision),
        "payload": payload,
    }
    return _post(_path(approval_id, "decision"), Approval, body)


def wait(approval_id: str, seconds: int) -> Call[Approval]:
    """Read one when it is final, or after some seconds, at most 60, as it is then."""
    return _get(_path(approval_id, "wait"), Approval, held_s=seconds, timeout=seconds)


def withdraw(approval_id: str, reason: str | None) -> Call[Approval]:
    """Recall an ask; again changes nothing."""
    return _post(_path(approval_id, "withdraw"), Approval, {"reason": reason})


def acknowledge(approval_id: str) -> Call[Approval]:
    """Say that the outcome was heard; again changes nothing."""
    return _post(_path(approval_id, "acknowledge"), Approval, {})


def comment(approval_id: str, text: str) -> Call[Approval]:
    """Leave a comment, once however often this call is sent."""
    return _post(_path(approval_id, "comments"), Approval, {"text": text}, key=str(uuid.uuid4()))


def history(approval_id: str) -> Call[Entries]:
    """Read what happened, oldest first."""
    return _get(_path(approval_id, "history"), _entries)


def links(approval_id: str) -> Call[Entries]:
    """Read the linked items."""
    return _get(_path(approval_id, "links"), _entries)


def _path(approval_id: str, what: str | None = None) -> str:
    if not (isinstance(approval_id, str) and approval_id.isalnum()):
        # It would be another address.
        raise NotFound(f"There is no such approval: {approval_id!r} is no id of one.")
    path = f"/v1/approvals/{quote(approval_id)}"
    return path if what is None else f"{path}/{what}"


def _get(path: str, read: Callable[[Any], T], *, held_s: int = 0, **query: object) -> Call[T]:
    given = {name: _in_query(value) for name, value in query.items() if value is not None}
    return Call(method="GET", path=path, read=read, query=given, held_s=held_s)


def _in_query(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _post(
    path: str, read: Callable[[Any], T], body: Mapping[str, Any], *, key: str | None = None
) -> Call[T]:
    said = {name: value for name, value in body.items() if value is not None}
    # Made into bytes once: a repeated call must be the same to the byte.
    content = json.dumps({name: plain_json(value, name) for name, value in said.items()}).encode()
    return Call(method="POST", path=path, read=read, query={}, body=content, idempotency_key=key)


def _batch(found: Any) -> Batch:
    data = [Approval(one) for one in found["data"]]
    return Batch(data, found.get("next_cursor"), found.get("count"))


def _entries(found: Any) -> Entries:
    entries: Entries = found["data"]
    return entries
