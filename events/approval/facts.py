"""The facts of an approval: what happened, in the past tense, as they are kept for ever.

Plain and frozen, without rules: a fact that was once written must stay readable, whatever the
rules of today say. Wire names and schema versions stand in `events.codec`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from events.approval.nouns import (
    Assurance,
    Edited,
    Json,
    OnTimeout,
    Outcome,
    Person,
    Reassignment,
    Subject,
    Urgency,
    Wanted,
    WithdrawalCause,
    WriteBackFailure,
)
from events.approval.policy import AppliedPolicy, Seat


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
    policy: AppliedPolicy | None = None
    """None where any one of `approvers` decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverNotified:
    """A card was sent to one approver on one channel; `reference` finds it again for an edit.

    `perhaps_twice`: an earlier attempt may have arrived as well, and the channel cannot tell.
    """

    approver: str
    channel: str
    revision: str
    reference: str | None
    card_digest: str
    at: datetime
    perhaps_twice: bool = False


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
    """The content changed while pending: answers to older revisions fall, or are refused.

    `by` is the requester who changed it, None for a record that changed in its source;
    `expires_at` is None where the time goes on, `reason` and `on_timeout` where they stay as they
    were.
    """

    about: Subject
    payload: Json
    approvers: tuple[Person, ...]
    at: datetime
    policy: AppliedPolicy | None = None
    by: Person | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    on_timeout: OnTimeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalCommented:
    """Somebody left a comment; it may follow a final fact."""

    comment_id: str
    by: Person
    text: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSubmitted:
    """An approver answered, and the answer is safe; `via` is the key that answered for them.

    `complete` tells whether it settles the approval, or others must answer too; `on_behalf_of`
    is whose place they answered in, if it was not their own. `shown` is the digest of the card or
    page that they answered, if it is known. Until `held_until`, they may take it back.
    """

    outcome: Outcome
    by: Person
    reason: str | None
    channel: str
    via: str | None
    revision: str
    at: datetime
    edited: Edited | None = None
    complete: bool = True
    on_behalf_of: str | None = None
    assurance: Assurance | None = None
    shown: str | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionUndone:
    """Whoever answered took it back before anything came of it: pending again, as before."""

    outcome: Outcome
    by: Person
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalReminded:
    """Somebody who has not answered is told again; `by` is who wanted that, None for the clock.

    `number` counts from 1 for each approver and step.
    """

    approver: str
    number: int
    by: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalReassigned:
    """It waits for `to` now instead of `person`, who may still answer after a delegation."""

    person: str
    to: Person
    cause: Reassignment
    by: str | None
    reason: str | None
    at: datetime
    time_zone: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalEscalated:
    """Nobody answered in time: others are asked as well, or another policy takes over.

    `rung` counts from 1 within a step. `policy`, `expires_at` and `on_timeout` stand where the
    whole policy is another one from here on.
    """

    rung: int
    seats: tuple[Seat, ...]
    reason: str
    at: datetime
    policy: AppliedPolicy | None = None
    expires_at: datetime | None = None
    on_timeout: OnTimeout = "expire"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBack:
    """An approver asked the requester, or returned it for changes: the clock stops.

    `via` is the key that asked for them.
    """

    question_id: str
    by: Person
    text: str
    wants: Wanted
    at: datetime
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredBack:
    """The requester answered: it waits for its approvers again, until `expires_at`."""

    question_id: str
    by: Person
    text: str
    expires_at: datetime
    at: datetime


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
    """Whoever waited has heard how it ended; it follows a final fact.

    `effective` is what took effect in the end, where they told.
    """

    by: Person
    at: datetime
    effective: Edited | None = None


ApprovalEvent = (
    ApprovalRequested
    | ApproverNotified
    | NotificationFailed
    | ApprovalRevised
    | ApprovalCommented
    | DecisionSubmitted
    | DecisionUndone
    | ApprovalReminded
    | ApprovalReassigned
    | ApprovalEscalated
    | AskedBack
    | AnsweredBack
    | WriteBackFailed
    | ApprovalDecided
    | ApprovalWithdrawn
    | ApprovalExpired
    | ApprovalAcknowledged
)
FinalEvent = ApprovalDecided | ApprovalWithdrawn | ApprovalExpired
