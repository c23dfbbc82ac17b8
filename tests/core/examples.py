"""One expense and the commands and facts around it, so that a test names only what it is about."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from events.approval import (
    AppliedPolicy,
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    Assurance,
    DecisionSubmitted,
    DecisionUndone,
    Edited,
    Link,
    NotificationFailed,
    OnTimeout,
    Outcome,
    Person,
    SourceRecord,
    Subject,
    WithdrawalCause,
    WriteBackFailed,
    WriteBackFailure,
)
from events.commands import (
    AcknowledgeApproval,
    Automatic,
    CommentOnApproval,
    ConfirmWriteBack,
    ExpireApproval,
    FailWriteBack,
    ObservePending,
    ObserveSettled,
    RecordNotification,
    RecordNotificationFailure,
    RequestApproval,
    ReviseInWriteBack,
    SettleInWriteBack,
    SubmitDecision,
    SupersedeApproval,
    UndoDecision,
    WithdrawApproval,
)
from events.digest import payload_digest

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ANN = Person(email="ann@example.com", name="Ann")
BOB = Person(email="bob@example.com")
RITA = Person(email="rita@example.com", name="Rita, who asks")
EVE = Person(email="eve@example.com", name="Eve, who is not asked")
PAYLOAD: Mapping[str, Any] = {"amount": 120, "currency": "EUR"}
OTHER_PAYLOAD: Mapping[str, Any] = {"amount": 9000, "currency": "EUR"}


def minutes(after: float) -> datetime:
    return NOW + timedelta(minutes=after)


def ask(
    *,
    mirrored: bool = False,
    payload: Mapping[str, Any] = PAYLOAD,
    title: str = "Travel to Oslo",
    revision: str = "1",
    approvers: tuple[Person, ...] = (ANN, BOB),
    now: datetime = NOW,
    record_id: str = "R-1",
    round_: int = 1,
    editable: bool = False,
    supersede_on_comment: bool = False,
    on_timeout: OnTimeout = "expire",
    policy: AppliedPolicy | None = None,
    automatic: Automatic | None = None,
    **about: Any,
) -> RequestApproval:
    """Somebody's own ask, or what a record of a source stands for."""
    source = None
    if mirrored:
        source = SourceRecord(
            name="acme", record_id=record_id, revision=revision, url="http://acme.example/R-1"
        )
    return RequestApproval(
        about=Subject(
            type="expense",
            title=title,
            requester=RITA,
            revision=revision,
            round=round_,
            payload_digest=payload_digest(payload),
            source=source,
            links=(
                Link(kind="issue", id="7", url="http://issues.example/7"),
                Link(kind="x", id="1"),
            ),
            **about,
        ),
        payload=payload,
        approvers=approvers,
        reason="The conference",
        urgency="high",
        metadata={"team": "north"},
        expires_at=now + DAY,
        now=now,
        editable=editable,
        supersede_on_comment=supersede_on_comment,
        on_timeout=on_timeout,
        policy=policy,
        automatic=automatic,
    )


def requested(one: RequestApproval) -> ApprovalRequested:
    return ApprovalRequested(
        about=one.about,
        payload=one.payload,
        approvers=one.approvers,
        reason=one.reason,
        urgency=one.urgency,
        metadata=one.metadata,
        expires_at=one.expires_at,
        at=one.now,
        editable=one.editable,
        supersede_on_comment=one.supersede_on_comment,
        on_timeout=one.on_timeout,
        policy=one.policy,
    )


def revised(
    one: RequestApproval, *, revision: str | None = None, by: Person | None = None
) -> ApprovalRevised:
    """What the source changed; or the requester, who then says until when it waits and why."""
    return ApprovalRevised(
        about=one.about if revision is None else replace(one.about, revision=revision),
        payload=one.payload,
        approvers=one.approvers,
        policy=one.policy,
        by=by,
        expires_at=one.expires_at if by else None,
        reason=one.reason if by else None,
        on_timeout=one.on_timeout,
        at=one.now,
    )


OWN = requested(ask())
"""Rita asked by herself."""
EDITABLE = requested(ask(editable=True))
"""Rita asked, and leaves the numbers to who approves."""
MIRRORED = requested(ask(mirrored=True))
"""A record of a source was seen to be pending."""


def pending(
    one: RequestApproval | None = None, *, read_at: datetime | None = None
) -> ObservePending:
    shown = one or ask(mirrored=True)
    return ObservePending(ask=shown, read_at=read_at or shown.now)


def settled(
    cause: WithdrawalCause = "settled",
    *,
    by: str | None = "boss@example.com",
    outcome: Outcome | None = "approved",
    now: datetime = NOW,
) -> ObserveSettled:
    return ObserveSettled(cause=cause, by=by, outcome=outcome, read_at=now, now=now)


def card(
    approver: Person = ANN, *, channel: str = "slack", revision: str = "1", now: datetime = NOW
) -> RecordNotification:
    return RecordNotification(
        approver=approver.email,
        channel=channel,
        revision=revision,
        reference="C1/17",
        card_digest="d" * 64,
        now=now,
    )


def notified(one: RecordNotification) -> ApproverNotified:
    return ApproverNotified(
        approver=one.approver,
        channel=one.channel,
        revision=one.revision,
        reference=one.reference,
        card_digest=one.card_digest,
        at=one.now,
    )


def no_card(
    approver: Person = ANN, *, reason: str = "channel_not_found", now: datetime = NOW
) -> RecordNotificationFailure:
    return RecordNotificationFailure(
        approver=approver.email, channel="slack", revision="1", reason=reason, now=now
    )


def not_notified(one: RecordNotificationFailure) -> NotificationFailed:
    return NotificationFailed(
        approver=one.approver,
        channel=one.channel,
        revision=one.revision,
        reason=one.reason,
        at=one.now,
    )


def answer(
    outcome: Outcome = "approved",
    by: Person = ANN,
    *,
    revision: str | None = None,
    now: datetime = NOW,
    reason: str | None = "Within budget",
    edited: Edited | None = None,
    stands_in_for: tuple[Person, ...] = (),
    assurance: Assurance | None = None,
    shown: str | None = None,
    held_until: datetime | None = None,
) -> SubmitDecision:
    return SubmitDecision(
        outcome=outcome,
        by=by,
        reason=reason,
        channel="inbox",
        via="key-1",
        revision=revision,
        now=now,
        edited=edited,
        stands_in_for=tuple(person.email for person in stands_in_for),
        assurance=assurance,
        shown=shown,
        held_until=held_until,
    )


def submitted(
    one: SubmitDecision,
    *,
    revision: str = "1",
    complete: bool = True,
    on_behalf_of: Person | None = None,
) -> DecisionSubmitted:
    return DecisionSubmitted(
        outcome=one.outcome,
        by=one.by,
        reason=one.reason,
        channel=one.channel,
        via=one.via,
        revision=revision,
        at=one.now,
        edited=one.edited,
        complete=complete,
        on_behalf_of=on_behalf_of.email if on_behalf_of else None,
        assurance=one.assurance,
        shown=one.shown,
        held_until=one.held_until if complete else None,
    )


def undo(by: Person = ANN, now: datetime = NOW) -> UndoDecision:
    return UndoDecision(by=by, now=now)


def undone(one: UndoDecision, outcome: Outcome = "approved") -> DecisionUndone:
    return DecisionUndone(outcome=outcome, by=one.by, at=one.now)


def edit(payload: Mapping[str, Any] = OTHER_PAYLOAD) -> Edited:
    return Edited(payload=payload, payload_digest=payload_digest(payload))


def decided(
    one: SubmitDecision, asked: ApprovalRequested | ApprovalRevised, *, now: datetime | None = None
) -> ApprovalDecided:
    return ApprovalDecided(
        about=asked.about,
        outcome=one.outcome,
        by=one.by,
        reason=one.reason,
        channel=one.channel,
        via=one.via,
        decided_at=one.now,
        at=now or one.now,
        edited=one.edited,
    )


def confirm(version: int = 2, *, now: datetime = NOW) -> ConfirmWriteBack:
    return ConfirmWriteBack(decision_version=version, now=now)


def fail(
    version: int = 2, *, cause: WriteBackFailure = "refused", now: datetime = NOW
) -> FailWriteBack:
    return FailWriteBack(decision_version=version, cause=cause, reason="Locked there.", now=now)


def failed(one: SubmitDecision, ended: FailWriteBack) -> WriteBackFailed:
    return WriteBackFailed(
        outcome=one.outcome, by=one.by, cause=ended.cause, reason=ended.reason, at=ended.now
    )


def changed(version: int = 2, one: RequestApproval | None = None) -> ReviseInWriteBack:
    return ReviseInWriteBack(
        decision_version=version,
        ask=one or ask(mirrored=True, payload=OTHER_PAYLOAD, revision="2", now=minutes(2)),
    )


def found_settled(
    version: int = 2,
    cause: WithdrawalCause = "settled",
    *,
    by: str | None = "boss@example.com",
    outcome: Outcome | None = "rejected",
    now: datetime = NOW,
) -> SettleInWriteBack:
    return SettleInWriteBack(decision_version=version, cause=cause, by=by, outcome=outcome, now=now)


def recall(
    by: Person = RITA, *, as_admin: bool = False, reason: str | None = None, now: datetime = NOW
) -> WithdrawApproval:
    return WithdrawApproval(by=by, as_admin=as_admin, reason=reason, now=now)


def withdrawn(
    asked: ApprovalRequested | ApprovalRevised,
    cause: WithdrawalCause,
    reason: str,
    *,
    by: str | None = None,
    outcome: Outcome | None = None,
    superseded_by: str | None = None,
    now: datetime = NOW,
) -> ApprovalWithdrawn:
    return ApprovalWithdrawn(
        about=asked.about,
        cause=cause,
        by=by,
        reason=reason,
        outcome=outcome,
        at=now,
        superseded_by=superseded_by,
    )


def supersede(*, by: Person = RITA, now: datetime = NOW) -> SupersedeApproval:
    return SupersedeApproval(by=by, successor="A-2", revision="2", now=now)


def acknowledge(
    by: Person = RITA,
    *,
    as_admin: bool = False,
    effective: Edited | None = None,
    now: datetime = NOW,
) -> AcknowledgeApproval:
    return AcknowledgeApproval(by=by, as_admin=as_admin, effective=effective, now=now)


def acknowledged(one: AcknowledgeApproval) -> ApprovalAcknowledged:
    return ApprovalAcknowledged(by=one.by, effective=one.effective, at=one.now)


def comment(
    comment_id: str = "c1",
    text: str = "Which hotel?",
    *,
    by: Person = BOB,
    by_person: bool = True,
    now: datetime = NOW,
) -> CommentOnApproval:
    return CommentOnApproval(comment_id=comment_id, by=by, text=text, now=now, by_person=by_person)


def commented(one: CommentOnApproval) -> ApprovalCommented:
    return ApprovalCommented(comment_id=one.comment_id, by=one.by, text=one.text, at=one.now)


def expire(now: datetime = NOW + DAY) -> ExpireApproval:
    return ExpireApproval(now=now)


def expired(
    asked: ApprovalRequested | ApprovalRevised, at: datetime = NOW + DAY
) -> ApprovalExpired:
    return ApprovalExpired(about=asked.about, at=at)
