"""The callback of an agent that notified its operator: in its words, in both spellings."""

from datetime import datetime
from typing import Any

import msgspec

from events.approval import ApprovalDecided, ApprovalExpired, ApprovalWithdrawn, FinalEvent
from services.webhooks.messages import Message

REASON_BYTES = 4_000
"""How much room a reason may take as JSON; it stands in the body three times."""

_encode = msgspec.json.encode


def operator_body(message: Message, public_url: str) -> bytes:
    """Return the body of a callback: an outcome as `approved`, `denied` or `expired`.

    A withdrawn ask is told as `expired`, because its client knows no other end without an answer;
    `withdrawn_cause` says how it came. Raises `ValueError` for what is no outcome.
    """
    recorded, event = message.recorded, message.recorded.event
    if not isinstance(event, FinalEvent):
        raise ValueError(f"{recorded.type} is no outcome")  # noqa: TRY004 # as the native body's
    told = _outcome(event)
    fields: dict[str, Any] = {
        "request_id": recorded.approval_id,
        "action": _within(event.about.type),
        "context_digest": event.about.payload_digest,
        **told,
    }
    return _encode(
        {
            "type": told["event"],
            "timestamp": event.at,
            **{_camel(name): value for name, value in fields.items()},
            **fields,
            "data": {
                **fields,
                "event_id": recorded.event_id,
                "ordering_key": recorded.approval_id,
                "sequence": recorded.version,
                "url": f"{public_url}/approvals/{recorded.approval_id}",
            },
        }
    )


def _outcome(event: FinalEvent) -> dict[str, Any]:
    match event:
        case ApprovalDecided(outcome="approved"):
            by, at = event.by.email, event.decided_at
            return _told("approved", "granted", by=by, at=at, reason=event.reason, approved_at=at)
        case ApprovalDecided():
            by, at = event.by.email, event.decided_at
            # Those clients read `approved_by` of a denial too: it is who answered.
            return _told("denied", "denied", by=by, at=at, reason=event.reason, denial=event.reason)
        case ApprovalExpired():
            return _told("expired", "expired")
        case ApprovalWithdrawn():
            return _told("expired", "expired", reason=event.reason) | {
                "withdrawn_cause": event.cause,
                "superseded_by": event.superseded_by,
            }


def _told(
    status: str,
    event: str,
    *,
    by: str | None = None,
    at: datetime | None = None,
    approved_at: datetime | None = None,
    reason: str | None = None,
    denial: str | None = None,
) -> dict[str, Any]:
    return {
        "event": f"approval.{event}",
        "status": status,
        "approved_by": by,
        "approved_at": approved_at,
        "decided_by": by,
        "decided_at": at,
        "denial_reason": _within(denial),
        "reason": None if denial is not None else _within(reason),
        "withdrawn_cause": None,
        "superseded_by": None,
    }


def _within(text: str | None) -> str | None:
    """Return a text that takes `REASON_BYTES` as JSON at the most, cut where it must be."""
    if text is None or len(_encode(text)) <= REASON_BYTES:
        return text
    fits = text[:REASON_BYTES]
    while len(_encode(fits)) > REASON_BYTES - 3:
        fits = fits[: len(fits) * 3 // 4]
    return f"{fits}\N{HORIZONTAL ELLIPSIS}"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(one.capitalize() for one in others)
