"""What a webhook tells: its type, the event that it stands for, and the id that it keeps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from events.approval import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    AskedBack,
    FinalEvent,
    Subject,
)
from events.codec import WIRE_NAMES
from events.envelope import Recorded

EventType = Literal[
    "approval.requested",
    "approval.notified",
    "approval.asked_back",
    "approval.decided",
    "approval.withdrawn",
    "approval.expired",
    "execution.awaiting_approval",
    "endpoint.failing",
    "endpoint.disabled",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)
AWAITING: EventType = "execution.awaiting_approval"
"""Another name for `approval.requested`, where an execution waits for it."""
BY_DEFAULT = tuple(one for one in EVENT_TYPES if one != AWAITING)
"""What a subscription gets that names no types: everything, once."""
FINAL_TYPES = tuple(
    WIRE_NAMES[one] for one in (ApprovalDecided, ApprovalWithdrawn, ApprovalExpired)
)
REQUESTED = WIRE_NAMES[ApprovalRequested]
NOTIFIED = WIRE_NAMES[ApproverNotified]
ASKED_BACK = WIRE_NAMES[AskedBack]
TOLD = frozenset((REQUESTED, NOTIFIED, ASKED_BACK, *FINAL_TYPES))
"""The facts that webhooks tell of, by their wire names."""

_ID = re.compile(r"msg_(?P<approval>[0-9A-Za-z]{27})_(?P<version>[1-9][0-9]{0,8})(?P<alias>_a)?")
_EVENT_ID = re.compile(r"(?P<approval>[0-9A-Za-z]{27})\.(?P<version>[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Message:
    """An event to tell of under one type.

    `asked` is the event that says what the approval is about, where the event itself does not:
    see `asked_events`.
    """

    type: str
    recorded: Recorded
    asked: Recorded | None = None

    @property
    def id(self) -> str:
        """The same on every attempt, every retry and every replay, to any endpoint."""
        # No dot: it would end the id within what is signed.
        alias = "_a" if self.type == AWAITING else ""
        return f"msg_{self.recorded.approval_id}_{self.recorded.version}{alias}"

    @property
    def about(self) -> Subject | None:
        """What the approval is about."""
        event = self.recorded.event
        if isinstance(event, ApprovalRequested | FinalEvent):
            return event.about
        if self.asked is not None and isinstance(
            self.asked.event, ApprovalRequested | ApprovalRevised
        ):
            return self.asked.event.about
        return None


def messages_of(recorded: Recorded, asked: Recorded | None = None) -> list[Message]:
    """Return what there is to tell of an event: nothing, one message, or one under two names."""
    if recorded.type not in TOLD:
        return []
    found = [Message(recorded.type, recorded, asked)]
    event = recorded.event
    if isinstance(event, ApprovalRequested) and event.about.execution_id is not None:
        found.append(Message(AWAITING, recorded, asked))
    return found


def event_of(message_id: str) -> tuple[str, int] | None:
    """Return approval and version of a message's or an event's id; None for any other text."""
    found = _ID.fullmatch(message_id) or _EVENT_ID.fullmatch(message_id)
    return (found["approval"], int(found["version"])) if found else None


def wire_types(event_types: tuple[str, ...]) -> list[str]:
    """Return the wire names of the facts behind some types of webhooks."""
    names: Mapping[str, None] = {
        (REQUESTED if one == AWAITING else one): None for one in event_types
    }
    return [one for one in names if one in TOLD]
