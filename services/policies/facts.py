"""What is known of an ask when its policy is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from events.approval import ApprovalRequested, Json, Person, Subject, Urgency
from events.commands import RequestApproval
from events.state import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """An ask, before anybody is asked; `approvers` are those whom it, or its record, named."""

    about: Subject
    payload: Json
    approvers: tuple[Person, ...] = ()
    reason: str | None = None
    urgency: Urgency = "medium"
    metadata: Mapping[str, Json] = field(default_factory=dict)


def facts_of(ask: RequestApproval | ApprovalRequested | Asked) -> Facts:
    """Return what is known of an ask that is made now, was made once, or waits."""
    return Facts(
        about=ask.about,
        payload=ask.payload,
        approvers=ask.approvers,
        reason=ask.reason,
        urgency=ask.urgency,
        metadata=ask.metadata,
    )
