"""The rules of answers: who may give one, to what, when it holds, and how its writing back ends."""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from events.approval import (
    ApprovalDecided,
    ApprovalEvent,
    Assurance,
    DecisionSubmitted,
    DecisionUndone,
    Person,
    Seat,
    WriteBackFailed,
)
from events.commands import (
    ConfirmWriteBack,
    FailWriteBack,
    ReviseInWriteBack,
    SettleInWriteBack,
    SubmitDecision,
    UndoDecision,
)
from events.course import with_vote
from events.decider.observing import revised, settled
from events.decider.refusal import Refused, already_withdrawn, not_found, when
from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn
from events.voting import Vote, answer_for, seat_of, seat_to_answer

_STRENGTH: Mapping[Assurance, int] = {"link": 1, "key": 2, "channel": 2, "session": 3, "step_up": 4}


def submit_decision(command: SubmitDecision, state: State) -> list[ApprovalEvent]:
    """Take an answer: it is submitted, and final at once where no source has to take it too."""
    match state:
        case Unknown():
            raise not_found()
        case Pending():
            return _answer(command, state)
        case Deciding():
            answer = state.answer
            if _said_the_same(command, state.asked.course.votes) or (
                (answer.by.email, answer.outcome) == (command.by.email, command.outcome)
                and command.edited in (None, answer.edited)
            ):
                return []
            where = "is held" if answer.held_until else "is on its way to the source"
            raise Refused(
                "already_resolved",
                f"{answer.by.email} has already {answer.outcome} this; the answer {where}.",
            )
        case Decided():
            if _said_the_same(command, state.votes[:-1]) or (
                (state.by.email, state.outcome) == (command.by.email, command.outcome)
                and command.edited in (None, state.edited)
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
    about, course = state.asked.about, state.asked.course
    if (
        _said_the_same(command, course.votes)
        and _seat(command.by, command.stands_in_for, state) is None
    ):
        return []
    seat = place_of(command.by, command.stands_in_for, state)
    refuse_stale(command.revision, state)
    refuse_late(command.now, state)
    _refuse_weak(command.assurance, state)
    before = answer_for(course.now_at, course.step, seat, course.votes)
    if before is not None:
        if _said_the_same(command, (before,)):
            return []
        if before.by.email == seat.person.email != command.by.email:
            raise Refused(
                "already_answered",
                f"{seat.person.email} has {before.outcome} this already, in person: their answer "
                "counts.",
            )
    if course.asked_back is not None and course.asked_back.wants == "changes":
        raise Refused(
            "returned",
            f"{course.asked_back.by.email} returned this for changes: it comes back as a new "
            f"revision when {about.requester.email} has changed it.",
        )
    vote = Vote(
        step=course.step,
        seat=seat.person.email,
        by=command.by,
        outcome=command.outcome,
        at=command.now,
    )
    # A verdict is only ever what the last answer said: nothing else may follow from it.
    complete = with_vote(course, vote).tally.verdict == command.outcome
    _refuse_edits(command, state, complete=complete)
    submitted = DecisionSubmitted(
        outcome=command.outcome,
        by=command.by,
        reason=command.reason,
        channel=command.channel,
        via=command.via,
        revision=about.revision,
        edited=command.edited,
        complete=complete,
        on_behalf_of=vote.seat if vote.seat != command.by.email else None,
        assurance=command.assurance,
        shown=command.shown,
        held_until=command.held_until if complete else None,
        at=command.now,
    )
    if about.source is not None or not complete or submitted.held_until is not None:
        return [submitted]
    return [submitted, decided(submitted, state, command.now)]


def _said_the_same(command: SubmitDecision, votes: tuple[Vote, ...]) -> bool:
    """Tell whether one of several who had to answer only repeats what they said."""
    return command.edited is None and any(
        (vote.by.email, vote.outcome) == (command.by.email, command.outcome) for vote in votes
    )


def place_of(by: Person, stands_in_for: tuple[str, ...], state: Pending) -> Seat:
    """Return the seat that somebody answers for at the step that waits; raises `Refused`.

    Their own, or that of somebody who is away and whom they stand in for.
    """
    asked = state.asked
    policy = asked.course.policy
    # Where we have no policy of our own for a record, its source says who may decide.
    barred = (
        by.email == asked.about.requester.email
        and not policy.self_approval
        and (asked.about.source is None or policy.name != "")
    )
    seat = _seat(by, () if barred else stands_in_for, state)
    if seat is None:
        raise Refused("not_an_approver", f"{by.email} {_why_not(by.email, state)}")
    if barred:
        raise Refused(
            "own_request",
            f"{by.email} asked for this, and nobody decides their own request. "
            f"{_waits_for(state)} To take it back, withdraw it.",
        )
    return seat


def _seat(by: Person, stands_in_for: tuple[str, ...], state: Pending) -> Seat | None:
    course = state.asked.course
    return seat_to_answer(course.now_at, course.step, course.votes, by.email, stands_in_for)


def _why_not(email: str, state: Pending) -> str:
    course = state.asked.course
    if email in {vote.by.email for vote in course.votes}:
        return f"has answered this; it is at the next step now. {_waits_for(state)}"
    later = course.policy.steps[course.step + 1 :]
    if any(seat_of(step, email) for step in later):
        return f"is asked at a later step: not yet. {_waits_for(state)}"
    return f"is not asked to decide this. {_waits_for(state)}"


def _waits_for(state: Pending) -> str:
    return f"It waits for {', '.join(person.email for person in state.asked.waits_for)}."


def refuse_stale(revision: str | None, state: Pending) -> None:
    """Raise `Refused` for somebody who saw another revision than the present one."""
    now_is = state.asked.about.revision
    if revision is not None and revision != now_is:
        raise Refused(
            "stale_revision",
            f"This changed since you saw it (revision {revision}, now {now_is}). "
            "Look at it again and answer that.",
        )


def refuse_late(now: datetime, state: Pending) -> None:
    """Raise `Refused` when the time is over, though nobody has noted the end yet."""
    if now >= state.asked.deadline:
        raise Refused(
            "already_resolved",
            f"This request expired at {when(state.asked.deadline)}. "
            "Ask the requester to ask again.",
        )


def _refuse_weak(assurance: Assurance | None, state: Pending) -> None:
    """Raise `Refused` where the policy wants to know better who answers."""
    demanded = state.asked.course.policy.assurance
    if demanded is None or (assurance and _STRENGTH[assurance] >= _STRENGTH[demanded]):
        return
    how = "with your second factor" if demanded == "step_up" else "signed in"
    raise Refused(
        "assurance_too_low", f"This is only answered in Placet itself, {how}: open it there."
    )


def _refuse_edits(command: SubmitDecision, state: Pending, *, complete: bool) -> None:
    if command.edited is None:
        return
    if command.outcome != "approved":
        raise Refused("not_editable", "A rejection takes no edited payload: leave it out.")
    if not state.asked.editable:
        raise Refused(
            "not_editable",
            "The payload of this request may not be edited: approve it as it is, or reject it "
            "and say what should change.",
        )
    approved = any(vote.outcome == "approved" for vote in state.asked.course.votes)
    if approved or not complete:
        raise Refused(
            "not_editable",
            "Several people must approve the same payload: approve it as it is, or return it for "
            "changes and say which.",
        )


def undo_decision(command: UndoDecision, state: State) -> list[ApprovalEvent]:
    """Take an answer back that settled the approval, while it is held."""
    match state:
        case Deciding() if state.answer.by.email == command.by.email:
            held_until = state.answer.held_until
            if held_until is None or command.now >= held_until:
                raise Refused(
                    "too_late_to_undo",
                    "It is too late to take this back: the answer is on its way.",
                )
            return [DecisionUndone(outcome=state.answer.outcome, by=command.by, at=command.now)]
        case Unknown():
            raise not_found()
        case Pending():
            return []
        case Deciding() | Decided() | Withdrawn() | Expired():
            raise Refused(
                "too_late_to_undo",
                "There is no answer of yours here that could still be taken back.",
            )
        case _:
            assert_never(state)


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
            return [failed, *revised(command.ask, state)]
        case SettleInWriteBack():
            return [settled(command, state)]
        case _:
            assert_never(command)
