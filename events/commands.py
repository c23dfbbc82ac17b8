"""The asks, in the imperative: each may be refused, and each brings the time and who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from events.approval import (
    AppliedPolicy,
    Assurance,
    Edited,
    Json,
    OnTimeout,
    Outcome,
    Person,
    Reassignment,
    Seat,
    Subject,
    Urgency,
    Wanted,
    WithdrawalCause,
    WriteBackFailure,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Automatic:
    """What a policy decides by itself, and why."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproval:
    """Ask for a decision; `automatic` is the one that its policy takes at once."""

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
    policy: AppliedPolicy | None = None
    automatic: Automatic | None = None


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
    perhaps_twice: bool = False


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

    `edited` is the payload that is approved instead of the one that was asked for; `stands_in_for`
    are the addresses of those who are away just now and whom `by` answers for. `assurance` is how
    it is known that it is `by`, and `shown` the digest of what they saw. Where it settles the
    approval, they may take it back until `held_until`, and nothing comes of it before.
    """

    outcome: Outcome
    by: Person
    reason: str | None
    channel: str
    via: str | None
    revision: str | None
    now: datetime
    edited: Edited | None = None
    stands_in_for: tuple[str, ...] = ()
    assurance: Assurance | None = None
    shown: str | None = None
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoDecision:
    """Take back an answer that is still held."""

    by: Person
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindApprovers:
    """Remind whoever has not answered, or of them the `approver` whose turn the clock says it is.

    `by` is who wants it, None for the clock, whose `number` says which reminder is due.
    """

    by: Person | None
    as_admin: bool
    approver: str | None
    number: int | None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassignApproval:
    """Ask `to` instead of `person`, for the cause given."""

    person: str
    to: Person
    cause: Reassignment
    by: Person | None
    as_admin: bool
    reason: str | None
    now: datetime
    time_zone: str | None = None
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateApproval:
    """Nobody ended `step` in time: ask the people of `seats` too, as its `rung` says."""

    step: int
    rung: int
    seats: tuple[Seat, ...]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskBack:
    """Ask the requester something, or return it for changes; only who may answer may."""

    question_id: str
    by: Person
    text: str
    wants: Wanted
    revision: str | None
    now: datetime
    stands_in_for: tuple[str, ...] = ()
    via: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBack:
    """Answer what was asked back; the time that is left then ends at `expires_at`."""

    question_id: str
    by: Person
    as_admin: bool
    text: str
    expires_at: datetime
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseApproval:
    """Change what is asked; only its requester may. `ask` is the whole of it anew."""

    by: Person
    as_admin: bool
    ask: RequestApproval


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
    """Whoever waited says that the outcome has been heard.

    `effective` is what took effect in the end: only its requester, or an administrator, knows.
    """

    by: Person
    now: datetime
    effective: Edited | None = None
    as_admin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireApproval:
    """The time is over, if it is; `fallback` takes over then, where the ask says so."""

    now: datetime
    fallback: "Fallback | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """The policy that takes over when nobody decided in time, and until when."""

    policy: AppliedPolicy
    expires_at: datetime
    on_timeout: OnTimeout


Command = (
    RequestApproval
    | ObservePending
    | ObserveSettled
    | RecordNotification
    | RecordNotificationFailure
    | SubmitDecision
    | UndoDecision
    | RemindApprovers
    | ReassignApproval
    | EscalateApproval
    | AskBack
    | AnswerBack
    | ReviseApproval
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
