"""What is known of an ask when its policy is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from events.approval import ApprovalRequested, Json, Person, Subject, Urgency
from events.commands import RequestApproval
from events.state import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """An ask, before anybody is asked; `approvers` are those whom it, or its record, named.

    `without` are variables of conditions that are not known any more.
    """

    about: Subject
    payload: Json
    approvers: tuple[Person, ...] = ()
    reason: str | None = None
    urgency: Urgency = "medium"
    metadata: Mapping[str, Json] = field(default_factory=dict)
    without: frozenset[str] = frozenset()


KEPT_NO_LONGER = frozenset(("urgency", "metadata"))
"""What a policy that takes over later cannot look at."""


def facts_of(ask: RequestApproval | ApprovalRequested) -> Facts:
    """Return what is known of an ask that is made now, or was once."""
    return Facts(
        about=ask.about,
        payload=ask.payload,
        approvers=ask.approvers,
        reason=ask.reason,
        urgency=ask.urgency,
        metadata=ask.metadata,
    )


def facts_later(asked: Asked) -> Facts:
    """Return what is still known of an ask that waits."""
    return Facts(
        about=asked.about,
        payload=asked.payload,
        approvers=asked.approvers,
        reason=asked.reason,
        without=KEPT_NO_LONGER,
    )
