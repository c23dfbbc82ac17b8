"""The facts of an approval: what happened, in the past tense, as they are kept for ever.

Plain and frozen, without rules: a fact that was once written must stay readable, whatever the
rules of today say. Wire names and schema versions stand in `events.codec`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Json = Any
Outcome = Literal["approved", "rejected"]
Urgency = Literal["low", "medium", "high"]
OnTimeout = Literal["expire", "approve", "reject"]
"""What becomes of an ask that nobody decided in time."""
WithdrawalCause = Literal["settled", "cancelled", "gone", "recalled", "superseded"]
"""Settled, cancelled or gone in the source; recalled by the requester; superseded by another."""
WriteBackFailure = Literal["refused", "unreachable", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody by e-mail address, which is kept in lower case."""

    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An item elsewhere that belongs to an approval, such as an issue or a pull request."""

    kind: str
    id: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """The record in a system of record that an approval mirrors."""

    name: str
    record_id: str
    revision: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an approval is about: all that a subscriber needs to know about it without asking back.

    `revision` is the version of the content that an approver saw; `payload_digest` is the
    SHA-256 of the canonical payload (RFC 8785), so that what was approved can be held to it.
    """

    type: str
    title: str
    requester: Person
    revision: str
    round: int
    payload_digest: str
    source: SourceRecord | None = None
    subject: str | None = None
    checkpoint_name: str | None = None
    execution_id: str | None = None
    agent_id: str | None = None
    links: tuple[Link, ...] = ()
    callback_url: str | None = None
    type_version: int | None = None
    """Which version of its approval type it was held to; None for a type that nobody defined."""
    callback_dialect: str | None = None
    """In which words `callback_url` is told; None for our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The payload as an approver changed it, with its own digest: this is what was approved."""

    payload: Json
    payload_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested:
    """A pending record was observed in a source, or somebody asked."""

    about: Subject
    payload: Json
    approvers: tuple[Person, ...]
    reason: str | None
    urgency: Urgency
    metadata: Mapping[str, Json]
    expires_at: datetime
    at: datetime
    editable: bool = False
    supersede_on_comment: bool = False
    on_timeout: OnTimeout = "expire"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverNotified:
    """A card was sent to one approver on one channel; `reference` finds it again for an edit."""

    approver: str
    channel: str
    revision: str
    reference: str | None
    card_digest: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationFailed:
    """A card could not be sent, for the reason given."""

    approver: str
    channel: str
    revision: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRevised:
    """The content changed while pending: an answer to an older revision is refused from here on."""

    about: Subject
    payload: Json
    approvers: tuple[Person, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalCommented:
    """Somebody left a comment; it may follow a final fact."""

    comment_id: str
    by: Person
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSubmitted:
    """An approver answered, and the answer is safe; `via` is the key that answered for them."""

    outcome: Outcome
    by: Person
    reason: str | None
    channel: str
    via: str | None
    revision: str
    at: datetime
    edited: Edited | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBackFailed:
    """The source did not take the answer: pending again, and the approver is told."""

    outcome: Outcome
    by: Person
    cause: WriteBackFailure
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalDecided:
    """Final: the answer holds; for a mirrored record the source has accepted it."""

    about: Subject
    outcome: Outcome
    by: Person
    reason: str | None
    channel: str
    via: str | None
    decided_at: datetime
    at: datetime
    edited: Edited | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWithdrawn:
    """Final: there is nothing left to decide; `outcome` is how the source settled it, if it did."""

    about: Subject
    cause: WithdrawalCause
    by: str | None
    reason: str
    outcome: Outcome | None
    at: datetime
    superseded_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalExpired:
    """Final: nobody decided in time."""

    about: Subject
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAcknowledged:
    """Whoever waited has heard how it ended; it follows a final fact."""

    by: Person
    at: datetime


ApprovalEvent = (
    ApprovalRequested
    | ApproverNotified
    | NotificationFailed
    | ApprovalRevised
    | ApprovalCommented
    | DecisionSubmitted
    | WriteBackFailed
    | ApprovalDecided
    | ApprovalWithdrawn
    | ApprovalExpired
    | ApprovalAcknowledged
)
FinalEvent = ApprovalDecided | ApprovalWithdrawn | ApprovalExpired
