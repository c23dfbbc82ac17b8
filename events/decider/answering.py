"""The rules of answers: who may give one, to what, when it holds, and how its writing back ends."""

from datetime import datetime
from typing import assert_never

from events.approval import (
    ApprovalDecided,
    ApprovalEvent,
    DecisionSubmitted,
    WriteBackFailed,
)
from events.commands import (
    ConfirmWriteBack,
    FailWriteBack,
    ReviseInWriteBack,
    SettleInWriteBack,
    SubmitDecision,
)
from events.decider.observing import revised, settled
from events.decider.refusal import Refused, already_withdrawn, not_found, when
from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn


def submit_decision(command: SubmitDecision, state: State) -> list[ApprovalEvent]:
    """Take an answer: it is submitted, and final at once where no source has to take it too."""
    match state:
        case Unknown():
            raise not_found()
        case Pending():
            return _answer(command, state)
        case Deciding():
            answer = state.answer
            if (answer.by.email, answer.outcome) == (command.by.email, command.outcome) and (
                command.edited in (None, answer.edited)
            ):
                return []
            raise Refused(
                "already_resolved",
                f"{answer.by.email} has already {answer.outcome} this; the answer is on its way "
                "to the source.",
            )
        case Decided():
            if (state.by.email, state.outcome) == (command.by.email, command.outcome) and (
                command.edited in (None, state.edited)
            ):
                return []
            raise Refused(
                "already_resolved",
                f"This request is already resolved: {state.outcome} by {state.by.email} "
                f"at {when(state.at)}.",
            )
        case Withdrawn():
            raise Refused("already_resolved", already_withdrawn(state))
        case Expired():
            raise Refused(
                "already_resolved",
                f"This request expired at {when(state.at)}. Ask the requester to ask again.",
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
            f"This request expired at {when(state.asked.expires_at)}. "
            "Ask the requester to ask again.",
        )
    if command.edited is not None and (not state.asked.editable or command.outcome != "approved"):
        raise Refused(
            "not_editable",
            "The payload of this request may not be edited: approve it as it is, or reject it "
            "and say what should change."
            if command.outcome == "approved"
            else "A rejection takes no edited payload: leave it out.",
        )
    submitted = DecisionSubmitted(
        outcome=command.outcome,
        by=command.by,
        reason=command.reason,
        channel=command.channel,
        via=command.via,
        revision=about.revision,
        edited=command.edited,
        at=command.now,
    )
    if about.source is not None:
        return [submitted]
    return [submitted, decided(submitted, state, command.now)]


def decided(answer: DecisionSubmitted, state: Pending | Deciding, now: datetime) -> ApprovalDecided:
    """Return the final fact of an answer that holds."""
    return ApprovalDecided(
        about=state.asked.about,
        outcome=answer.outcome,
        by=answer.by,
        reason=answer.reason,
        channel=answer.channel,
        via=answer.via,
        edited=answer.edited,
        decided_at=answer.at,
        at=now,
    )


def confirm_write_back(command: ConfirmWriteBack, state: State) -> list[ApprovalEvent]:
    """The source took the answer: it is final, if it is the one that was being written."""
    match state:
        case Deciding() if state.decision_version == command.decision_version:
            return [decided(state.answer, state, command.now)]
        case Unknown() | Pending() | Deciding() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def end_write_back(
    command: FailWriteBack | ReviseInWriteBack | SettleInWriteBack, state: State
) -> list[ApprovalEvent]:
    """The source did not take the answer, or was found to need none any more."""
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
            return [failed, revised(command.ask, state)]
        case SettleInWriteBack():
            return [settled(command, state)]
        case _:
            assert_never(command)
