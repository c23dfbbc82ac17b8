"""Makes the body of a webhook from its event: JSON under 20 kB, the same on every attempt."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from events.approval import ApproverNotified, AskedBack
from events.public import public_fact, question_fact
from services.webhooks.messages import Message
from services.webhooks.operator_body import operator_body

MAX_BYTES = 20_000
"""Less than 20 kB, whichever way they are counted."""
SHORTENED: tuple[tuple[int, int], ...] = ((1000, 50), (250, 10), (60, 3))
"""Longest text, in characters, and most items of a list, in the steps that are tried in turn."""
KEPT = (
    *("approval_id", "event_id", "ordering_key", "sequence", "version", "status", "at", "url"),
    *("question_id", "wants"),
)
"""What a receiver needs to ask for the rest: never cut."""

BodyMaker = Callable[[Message, str], bytes]
"""Makes a body from a message and the public URL of this Placet."""

_encode = msgspec.json.encode


def native(message: Message, public_url: str) -> bytes:
    """Return the body in our own shape; `truncated` says that it holds less than it might."""
    recorded = message.recorded
    data = _fact(message) | {
        "event_id": recorded.event_id,
        "ordering_key": recorded.approval_id,
        "sequence": recorded.version,
        "url": f"{public_url}/approvals/{recorded.approval_id}",
    }
    return fitting(message.type, recorded.event.at, data)


BODIES: Mapping[str | None, BodyMaker] = {None: native, "operator": operator_body}
"""The body of a callback by the approval's `callback_dialect`."""


def body_of(message: Message, public_url: str, *, is_callback: bool) -> bytes:
    """Return the body for a subscription, or for a callback in the dialect that was asked for."""
    about = message.about
    if not is_callback or about is None:
        return native(message, public_url)
    return BODIES.get(about.callback_dialect, native)(message, public_url)


def fitting(type_: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Return the body with this data, cut where it would be too long."""
    head = {"type": type_, "timestamp": at}
    body = _encode({**head, "data": data})
    for longest, most in SHORTENED:
        if len(body) < MAX_BYTES:
            return body
        less = {
            name: value if name in KEPT else _shortened(value, longest, most)
            for name, value in data.items()
        }
        less |= {"links": []} if "links" in data else {}
        body = _encode({**head, "data": {**less, "truncated": True}})
    if len(body) < MAX_BYTES:
        return body
    kept = {name: data[name] for name in KEPT if name in data}
    return _encode({**head, "data": {**kept, "truncated": True}})


def _fact(message: Message) -> dict[str, Any]:
    event = message.recorded.event
    if isinstance(event, ApproverNotified):
        asked = message.asked and public_fact(message.asked)
        fact: dict[str, Any] = msgspec.json.decode(asked) if asked else {}
        return fact | {
            "approval_id": message.recorded.approval_id,
            "workspace": message.recorded.workspace,
            "version": message.recorded.version,
            "revision": event.revision,
            "approver": event.approver,
            "channel": event.channel,
            "at": event.at,
        }
    if isinstance(event, AskedBack):
        question: dict[str, Any] = msgspec.json.decode(
            question_fact(message.recorded, event, message.about)
        )
        return question
    told = public_fact(message.recorded)
    if told is None:
        raise ValueError(f"{message.recorded.type} is no public fact")
    found: dict[str, Any] = msgspec.json.decode(told)
    return found


def _shortened(value: Any, longest: int, most: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
    if isinstance(value, list):
        return [_shortened(one, longest, most) for one in value[:most]]
    if isinstance(value, dict):
        return {name: _shortened(one, longest, most) for name, one in value.items()}
    return value
