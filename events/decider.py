"""Every rule of an approval, and nothing else: `decide` turns an ask into facts, or refuses it.

Asking twice yields nothing new: a command that finds its work done decides no facts.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

from events.approval import (
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    DecisionSubmitted,
    NotificationFailed,
    WriteBackFailed,
)
from events.commands import (
    Command,
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
    WithdrawApproval,
)
from events.state import Decided, Deciding, Expired, Final, Pending, State, Unknown, Withdrawn

RefusalCode = Literal[
    "not_found",
    "not_an_approver",
    "not_the_requester",
    "already_resolved",
    "stale_revision",
    "source_refused",
]

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of two machines may differ before an old reading is taken for a new one."""


class Refused(Exception):
    """The ask cannot be granted: tell the person, who finds what happened and what to do next.

    `code` is stable; the message is for people.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code: RefusalCode = code


def decide(command: Command, state: State) -> list[ApprovalEvent]:
    """Return the facts that follow from `command`; raises `Refused` when it may not be."""
    match command:
        case RequestApproval():
            return [_requested(command)] if isinstance(state, Unknown) else []
        case ObservePending():
            return _observe_pending(command, state)
        case ObserveSettled():
            return _observe_settled(command, state)
        case RecordNotification():
            return _record_notification(command, state)
        case RecordNotificationFailure():
            return _record_notification_failure(command, state)
        case SubmitDecision():
            return _submit_decision(command, state)
        case ConfirmWriteBack():
            return _confirm_write_back(command, state)
        case FailWriteBack() | ReviseInWriteBack() | SettleInWriteBack():
            return _end_write_back(command, state)
        case WithdrawApproval():
            return _withdraw(command, state)
        case CommentOnApproval():
            return _comment(command, state)
        case ExpireApproval():
            return _expire(command, state)
        case _:
            assert_never(command)


def reopens(observation: ObservePending, state: State) -> bool:
    """Tell whether a record that was settled here is pending again: a new round, a new approval.

    A reading that began before the approval was settled only looks like one.
    """
    match state:
        case Decided() | Withdrawn() | Expired():
            return observation.read_at > state.at + CLOCK_TOLERANCE
        case Unknown() | Pending() | Deciding():
            return False
        case _:
            assert_never(state)


def _requested(command: RequestApproval) -> ApprovalRequested:
    return ApprovalRequested(
        about=command.about,
        payload=command.payload,
        approvers=command.approvers,
        reason=command.reason,
        urgency=command.urgency,
        metadata=command.metadata,
        expires_at=command.expires_at,
        at=command.now,
    )


def _observe_pending(command: ObservePending, state: State) -> list[ApprovalEvent]:
    match state:
        case Unknown():
            return [_requested(command.ask)]
        case Pending():
            return [_revised(command.ask, state)] if content_changed(command.ask, state) else []
        case Deciding():
            return []  # the write-back reads the record itself before it writes
        case Decided() | Withdrawn() | Expired():
            return []  # a new round is a new approval: see `reopens`
        case _:
            assert_never(state)


def content_changed(ask: RequestApproval, state: Pending | Deciding) -> bool:
    """Tell whether an approver would now see something else; a note or a new time is no change."""
    asked = state.asked
    return (
        # The digest tells true from 1, which Python's == does not.
        ask.about.payload_digest != asked.about.payload_digest
        or ask.about.title != asked.about.title
        or {p.email for p in ask.approvers} != {p.email for p in asked.approvers}
    )


def _revised(ask: RequestApproval, state: Pending | Deciding) -> ApprovalRevised:
    about = ask.about
    if about.revision in state.asked.revisions:
        # A source that changes content and keeps its revision, or takes up an old one: an answer
        # to what was shown before must still be told from an answer to what is shown now.
        about = replace(about, revision=f"{about.revision}+{state.version}")
    return ApprovalRevised(about=about, payload=ask.payload, approvers=ask.approvers, at=ask.now)


def _observe_settled(command: ObserveSettled, state: State) -> list[ApprovalEvent]:
    match state:
        case Pending():
            return [
                ApprovalWithdrawn(
                    about=state.asked.about,
                    cause=command.cause,
                    by=command.by,
                    reason=_settled_reason(command),
                    outcome=command.outcome,
                    at=command.now,
                )
            ]
        case Unknown() | Deciding() | Decided() | Withdrawn() | Expired():
            return []  # while deciding, the write-back alone tells our own write from another's
        case _:
            assert_never(state)


def _settled_reason(command: ObserveSettled | SettleInWriteBack) -> str:
    by = f" by {command.by}" if command.by else ""
    match command.cause:
        case "settled":
            return f"{(command.outcome or 'settled').capitalize()} in the source{by}."
        case "cancelled":
            return f"Cancelled in the source{by}."
        case "gone":
            return "The source does not know this record any more."
        case "recalled" | "superseded":
            return f"{command.cause.capitalize()}{by}."
        case _:
            assert_never(command.cause)


def _record_notification(command: RecordNotification, state: State) -> list[ApprovalEvent]:
    match state:
        case Pending() | Deciding():
            card = (command.approver, command.channel, command.revision)
            if card in state.asked.notified:
                return []
            return [
                ApproverNotified(
                    approver=command.approver,
                    channel=command.channel,
                    revision=command.revision,
                    reference=command.reference,
                    card_digest=command.card_digest,
                    at=command.now,
                )
            ]
        case Unknown() | Decided() | Withdrawn() | Expired():
            return []  # settled while the card was on its way; the channel settles the card
        case _:
            assert_never(state)


def _record_notification_failure(
    command: RecordNotificationFailure, state: State
) -> list[ApprovalEvent]:
    match state:
        case Pending() | Deciding():
            failure = (command.approver, command.channel, command.revision, command.reason)
            if failure in state.asked.not_notified:
                return []
            return [
                NotificationFailed(
                    approver=command.approver,
                    channel=command.channel,
                    revision=command.revision,
                    reason=command.reason,
                    at=command.now,
                )
            ]
        case Unknown() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def _submit_decision(command: SubmitDecision, state: State) -> list[ApprovalEvent]:
    match state:
        case Unknown():
            raise _not_found()
        case Pending():
            return _answer(command, state)
        case Deciding():
            answer = state.answer
            if (answer.by.email, answer.outcome) == (command.by.email, command.outcome):
                return []
            raise Refused(
                "already_resolved",
                f"{answer.by.email} has already {answer.outcome} this; the answer is on its way "
                "to the source.",
            )
        case Decided():
            if (state.by.email, state.outcome) == (command.by.email, command.outcome):
                return []
            raise Refused(
                "already_resolved",
                f"This request is already resolved: {state.outcome} by {state.by.email} "
                f"at {_time(state.at)}.",
            )
        case Withdrawn():
            raise Refused("already_resolved", _already_withdrawn(state))
        case Expired():
            raise Refused(
                "already_resolved",
                f"This request expired at {_time(state.at)}. Ask the requester to ask again.",
            )
        case _:
            assert_never(state)


def _answer(command: SubmitDecision, state: Pending) -> list[ApprovalEvent]:
    about = state.asked.about
    if command.by.email not in {person.email for person in state.asked.approvers}:
        raise Refused(
            "not_an_approver",
            f"{command.by.email} is not asked to decide this. It waits for "
            f"{', '.join(person.email for person in state.asked.approvers)}.",
        )
    if command.revision is not None and command.revision != about.revision:
        raise Refused(
            "stale_revision",
            f"This changed since you saw it (revision {command.revision}, now {about.revision}). "
            "Look at it again and answer that.",
        )
    if command.now >= state.asked.expires_at:
        raise Refused(
            "already_resolved",
            f"This request expired at {_time(state.asked.expires_at)}. "
            "Ask the requester to ask again.",
        )
    submitted = DecisionSubmitted(
        outcome=command.outcome,
        by=command.by,
        reason=command.reason,
        channel=command.channel,
        via=command.via,
        revision=about.revision,
        at=command.now,
    )
    if about.source is not None:
        return [submitted]
    return [submitted, _decided(submitted, state, command.now)]


def _decided(
    answer: DecisionSubmitted, state: Pending | Deciding, now: datetime
) -> ApprovalDecided:
    return ApprovalDecided(
        about=state.asked.about,
        outcome=answer.outcome,
        by=answer.by,
        reason=answer.reason,
        channel=answer.channel,
        via=answer.via,
        decided_at=answer.at,
        at=now,
    )


def _confirm_write_back(command: ConfirmWriteBack, state: State) -> list[ApprovalEvent]:
    match state:
        case Deciding() if state.decision_version == command.decision_version:
            return [_decided(state.answer, state, command.now)]
        case Unknown() | Pending() | Deciding() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def _end_write_back(
    command: FailWriteBack | ReviseInWriteBack | SettleInWriteBack, state: State
) -> list[ApprovalEvent]:
    match state:
        case Deciding() if state.decision_version == command.decision_version:
            return _ended(command, state)
        case Unknown() | Pending() | Deciding() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def _ended(
    command: FailWriteBack | ReviseInWriteBack | SettleInWriteBack, state: Deciding
) -> list[ApprovalEvent]:
    answer = state.answer
    match command:
        case FailWriteBack():
            return [
                WriteBackFailed(
                    outcome=answer.outcome,
                    by=answer.by,
                    cause=command.cause,
                    reason=command.reason,
                    at=command.now,
                )
            ]
        case ReviseInWriteBack():
            failed = WriteBackFailed(
                outcome=answer.outcome,
                by=answer.by,
                cause="changed",
                reason="The record changed in the source since it was shown. Look at it again.",
                at=command.ask.now,
            )
            return [failed, _revised(command.ask, state)]
        case SettleInWriteBack():
            return [
                ApprovalWithdrawn(
                    about=state.asked.about,
                    cause=command.cause,
                    by=command.by,
                    reason=_settled_reason(command),
                    outcome=command.outcome,
                    at=command.now,
                )
            ]
        case _:
            assert_never(command)


def _withdraw(command: WithdrawApproval, state: State) -> list[ApprovalEvent]:
    match state:
        case Unknown():
            raise _not_found()
        case Pending():
            about = state.asked.about
            if about.source is not None:
                raise Refused(
                    "not_the_requester",
                    f"This mirrors a record of {about.source.name}: cancel it there, and it "
                    "leaves the queue here.",
                )
            if not command.as_admin and command.by.email != about.requester.email:
                raise Refused(
                    "not_the_requester",
                    f"Only {about.requester.email}, who asked, can withdraw this.",
                )
            return [
                ApprovalWithdrawn(
                    about=about,
                    cause="recalled",
                    by=command.by.email,
                    reason=command.reason or f"Recalled by {command.by.email}.",
                    outcome=None,
                    at=command.now,
                )
            ]
        case Deciding():
            raise Refused(
                "already_resolved",
                f"{state.answer.by.email} has already {state.answer.outcome} this.",
            )
        case Withdrawn():
            if state.cause == "recalled":
                return []
            raise Refused("already_resolved", _already_withdrawn(state))
        case Decided():
            raise Refused(
                "already_resolved",
                f"Already {state.outcome} by {state.by.email} at {_time(state.at)}.",
            )
        case Expired():
            raise Refused("already_resolved", f"Already expired at {_time(state.at)}.")
        case _:
            assert_never(state)


def _comment(command: CommentOnApproval, state: State) -> list[ApprovalEvent]:
    if isinstance(state, Unknown):
        raise _not_found()
    if command.comment_id in state.comments:
        return []
    return [
        ApprovalCommented(
            comment_id=command.comment_id, by=command.by, text=command.text, at=command.now
        )
    ]


def _expire(command: ExpireApproval, state: State) -> list[ApprovalEvent]:
    match state:
        case Pending() if command.now >= state.asked.expires_at:
            return [ApprovalExpired(about=state.asked.about, at=command.now)]
        case Unknown() | Pending() | Deciding() | Decided() | Withdrawn() | Expired():
            return []  # an answer that was given in time is carried out, however long that takes
        case _:
            assert_never(state)


def _already_withdrawn(state: Withdrawn) -> str:
    by = f" by {state.by}" if state.by else ""
    return f"This request is already resolved/canceled: {state.cause}{by} at {_time(state.at)}."


def _not_found() -> Refused:
    return Refused("not_found", "There is no such approval.")


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def is_final(state: State) -> bool:
    """Tell whether nothing more can be decided."""
    return isinstance(state, Final)
