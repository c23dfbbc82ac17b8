"""The public facts: what other teams read on the topics of their own, complete in themselves.

They carry no payload: who needs it reads the approval, with a key that may.
"""

from datetime import datetime
from typing import Any, assert_never

import msgspec

from events.approval import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalWithdrawn,
    AskedBack,
    Subject,
)
from events.envelope import Recorded

PublicEvent = ApprovalRequested | ApprovalDecided | ApprovalWithdrawn | ApprovalExpired


def public_fact(recorded: Recorded) -> bytes | None:
    """Return the JSON for the fact's own topic, or None for a fact that has none."""
    event = recorded.event
    if not isinstance(event, PublicEvent):
        return None
    fact = _about(recorded, event.about) | _outcome(event)
    return msgspec.json.encode(fact)


def question_fact(recorded: Recorded, event: AskedBack, about: Subject | None) -> bytes:
    """Return the JSON of a question to the requester, which has no topic of its own.

    `about` is what the approval was about when it was asked, if that is known.
    """
    known = _about(recorded, about) if about is not None else _which(recorded)
    fact = known | _fact(
        "pending",
        event.at,
        question_id=event.question_id,
        asked_by=event.by.email,
        question=event.text,
        wants=event.wants,
    )
    return msgspec.json.encode(fact)


def _which(recorded: Recorded) -> dict[str, Any]:
    return {
        "approval_id": recorded.approval_id,
        "workspace": recorded.workspace,
        "version": recorded.version,
    }


def _about(recorded: Recorded, about: Subject) -> dict[str, Any]:
    return _which(recorded) | {
        "type": about.type,
        "type_version": about.type_version,
        "title": about.title,
        "requester": about.requester,
        "source": about.source,
        "subject": about.subject,
        "revision": about.revision,
        "round": about.round,
        "payload_digest": about.payload_digest,
        "checkpoint_name": about.checkpoint_name,
        "execution_id": about.execution_id,
        "agent_id": about.agent_id,
        "links": about.links,
    }


def _outcome(event: PublicEvent) -> dict[str, Any]:
    match event:
        case ApprovalRequested():
            return _fact(
                "pending", event.at, approvers=event.approvers, expires_at=event.expires_at
            )
        case ApprovalDecided():
            return _fact(
                event.outcome,
                event.at,
                decided_by=event.by.email,
                decided_at=event.decided_at,
                decision_reason=event.reason,
                decision_channel=event.channel,
                edited_payload_digest=event.edited.payload_digest if event.edited else None,
            )
        case ApprovalWithdrawn():
            return _fact(
                "withdrawn",
                event.at,
                cause=event.cause,
                withdrawn_by=event.by,
                withdrawn_reason=event.reason,
                outcome_in_source=event.outcome,
                superseded_by=event.superseded_by,
            )
        case ApprovalExpired():
            return _fact("expired", event.at)
        case _:
            assert_never(event)


def _fact(status: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {"status": status, "at": at, **more}
