"""The asks, in the imperative: each may be refused, and each brings the time and who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from events.approval import (
    Edited,
    Json,
    OnTimeout,
    Outcome,
    Person,
    Subject,
    Urgency,
    WithdrawalCause,
    WriteBackFailure,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproval:
    """Ask for a decision."""

    about: Subject
    payload: Json
    approvers: tuple[Person, ...]
    reason: str | None
    urgency: Urgency
    metadata: Mapping[str, Json]
    expires_at: datetime
    now: datetime
    editable: bool = False
    supersede_on_comment: bool = False
    on_timeout: OnTimeout = "expire"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservePending:
    """A system of record shows the record as pending, with this content, read at `read_at`."""

    ask: RequestApproval
    read_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveSettled:
    """A system of record shows the record as no longer pending, or does not know it any more."""

    cause: WithdrawalCause
    by: str | None
    outcome: Outcome | None
    read_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNotification:
    """Note that a card reached an approver."""

    approver: str
    channel: str
    revision: str
    reference: str | None
    card_digest: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordNotificationFailure:
    """Note that a card could not be sent."""

    approver: str
    channel: str
    revision: str
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitDecision:
    """Answer; `revision` is what the approver saw, or None for the current one.

    `edited` is the payload that is approved instead of the one that was asked for.
    """

    outcome: Outcome
    by: Person
    reason: str | None
    channel: str
    via: str | None
    revision: str | None
    now: datetime
    edited: Edited | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmWriteBack:
    """The source accepted the answer that was submitted as `decision_version`."""

    decision_version: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FailWriteBack:
    """The source did not take the answer that was submitted as `decision_version`."""

    decision_version: int
    cause: WriteBackFailure
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseInWriteBack:
    """On the way to writing the answer back, the record was found changed since it was shown."""

    decision_version: int
    ask: RequestApproval


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleInWriteBack:
    """On the way to writing the answer back, the record was found settled by somebody else."""

    decision_version: int
    cause: WithdrawalCause
    by: str | None
    outcome: Outcome | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawApproval:
    """Recall the ask; only its requester may, or an administrator."""

    by: Person
    as_admin: bool
    reason: str | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentOnApproval:
    """Leave a comment; a person's may supersede the ask, a program's never does."""

    comment_id: str
    by: Person
    text: str
    now: datetime
    by_person: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SupersedeApproval:
    """A newer ask of the same subject, `successor`, takes this one's place."""

    by: Person
    successor: str
    revision: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeApproval:
    """Whoever waited says that the outcome has been heard."""

    by: Person
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireApproval:
    """The time is over, if it is."""

    now: datetime


Command = (
    RequestApproval
    | ObservePending
    | ObserveSettled
    | RecordNotification
    | RecordNotificationFailure
    | SubmitDecision
    | ConfirmWriteBack
    | FailWriteBack
    | ReviseInWriteBack
    | SettleInWriteBack
    | WithdrawApproval
    | CommentOnApproval
    | SupersedeApproval
    | AcknowledgeApproval
    | ExpireApproval
)
