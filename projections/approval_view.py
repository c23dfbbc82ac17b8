"""An approval as every surface shows it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from events.approval import (
    AskedBack,
    Json,
    Link,
    Outcome,
    Person,
    SourceRecord,
    Urgency,
    WithdrawalCause,
)
from events.course import Course, deadline
from projections.progress import Approver, Progress

Status = Literal["pending", "deciding", "approved", "rejected", "withdrawn", "expired"]
OPEN: frozenset[Status] = frozenset(("pending", "deciding"))


class ApprovalView(msgspec.Struct, kw_only=True):
    """The public shape, field by field.

    `course` is None where any one of the approvers decides and nothing has happened yet.
    While an answer is held, whoever gave it may take it back until `held_until`.
    `verified_at` stands first: a query puts a later sweep in its place without parsing the rest.
    """

    verified_at: datetime | None
    id: str
    workspace: str
    type: str
    title: str
    status: Status
    version: int
    round: int
    revision: str
    payload: Json
    payload_digest: str
    requester: Person
    approvers: list[Approver]
    reason: str | None
    urgency: Urgency
    source: SourceRecord | None
    subject: str | None
    checkpoint_name: str | None
    execution_id: str | None
    agent_id: str | None
    links: tuple[Link, ...]
    metadata: Mapping[str, Json]
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    outcome: Outcome | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
    decision_channel: str | None = None
    withdrawn_by: str | None = None
    withdrawn_reason: str | None = None
    type_version: int | None = None
    editable: bool = False
    supersede_on_comment: bool = False
    edited_payload: Json = None
    edited_payload_digest: str | None = None
    effective_payload: Json = None
    effective_payload_digest: str | None = None
    withdrawn_cause: WithdrawalCause | None = None
    superseded_by: str | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    progress: Progress | None = None
    asked_back: AskedBack | None = None
    held_until: datetime | None = None
    course: Course | None = None

    @property
    def waits_for(self) -> list[str]:
        """The addresses of who is to do something now; nobody, unless it is pending."""
        if self.status != "pending":
            return []
        if self.asked_back is not None:
            return [self.requester.email]
        if self.course is None:
            return [approver.email for approver in self.approvers]
        return [person.email for person in self.course.asked]

    @property
    def deadline(self) -> datetime:
        """When the time is over: while the clock stands still, not before the longest pause."""
        return deadline(self.expires_at, self.asked_back)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ApprovalView)


def encode_view(view: ApprovalView) -> str:
    """Return the view's JSON."""
    return _encoder.encode(view).decode()


def decode_view(doc: str) -> ApprovalView:
    """Return the view in its JSON."""
    return _decoder.decode(doc)
