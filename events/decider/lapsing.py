"""The rules of time: who is reminded, whom it is taken to, and what becomes of it in the end."""

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from events.approval import (
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalReminded,
    Outcome,
    Person,
)
from events.commands import EscalateApproval, ExpireApproval, RemindApprovers
from events.course import Course
from events.decider.asking import decided_by
from events.decider.refusal import Refused, refuse_unless_pending
from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn
from events.voting import seat_of

NOBODY = Person(email="timeout@placet.invalid", name="Nobody in time")
"""Who decided when the time was over and the ask said what should happen then."""
REMIND_AT_MOST_EVERY = timedelta(hours=1)
"""How soon somebody may be reminded again by hand."""
MOST_REMINDERS = 50
"""How often somebody is reminded of one step, by the clock and by hand."""


def remind(command: RemindApprovers, state: State) -> list[ApprovalEvent]:
    """Tell again those who have not answered: each at most once an hour, and none who did."""
    if command.by is not None:
        return _reminders(command, command.by, refuse_unless_pending(state))
    return _due_reminder(command, state.asked.course) if isinstance(state, Pending) else []


def _due_reminder(command: RemindApprovers, course: Course) -> list[ApprovalEvent]:
    if course.asked_back is not None or command.approver is None:
        return []
    if command.approver not in {person.email for person in course.asked}:
        return []
    number = _reminded(course, command.approver) + 1
    if command.number != number or number > MOST_REMINDERS:
        return []
    return [ApprovalReminded(approver=command.approver, number=number, by=None, at=command.now)]


def _reminders(command: RemindApprovers, by: Person, state: Pending) -> list[ApprovalEvent]:
    course = state.asked.course
    if not command.as_admin and by.email != state.asked.about.requester.email:
        raise Refused(
            "not_the_requester",
            f"Only {state.asked.about.requester.email}, who asked, can remind those who decide.",
        )
    if course.asked_back is not None:
        raise Refused(
            "reminded_already",
            f"This waits for {state.asked.about.requester.email}, whom "
            f"{course.asked_back.by.email} asked: answer that, and it goes on.",
        )
    latest = {reminder.approver: reminder.at for reminder in course.reminders}
    due = [
        holder
        for holder in (person.email for person in course.asked)
        if _reminded(course, holder) < MOST_REMINDERS
        and (holder not in latest or command.now - latest[holder] >= REMIND_AT_MOST_EVERY)
    ]
    if not due:
        raise Refused(
            "reminded_already",
            "Whoever this waits for was reminded within the last hour. Try again later.",
        )
    return [
        ApprovalReminded(
            approver=holder, number=_reminded(course, holder) + 1, by=by.email, at=command.now
        )
        for holder in due
    ]


def _reminded(course: Course, email: str) -> int:
    return sum(reminder.approver == email for reminder in course.reminders)


def escalate(command: EscalateApproval, state: State) -> list[ApprovalEvent]:
    """Ask others as well, once for each rung: nobody who is asked already, and not who asks."""
    match state:
        case Pending():
            return _escalated(command, state)
        case Unknown() | Deciding() | Decided() | Withdrawn() | Expired():
            return []
        case _:
            assert_never(state)


def _escalated(command: EscalateApproval, state: Pending) -> list[ApprovalEvent]:
    course, about = state.asked.course, state.asked.about
    if course.asked_back is not None:
        return []
    if (command.step, command.rung) != (course.step, course.rungs + 1):
        return []  # a leftover of an earlier step, or done already
    own = None if course.policy.self_approval else about.requester.email
    step = course.now_at
    # Somebody who comes in for silent groups counts for one of them, as anybody does.
    missing = course.tally.missing if step.rule == "each" else None
    seats = tuple(
        seat if missing is None else replace(seat, groups=missing)
        for seat in command.seats
        if own not in (seat.holder.email, seat.person.email)
        and course.heard.isdisjoint((seat.holder.email, seat.person.email))
        and seat_of(step, seat.person.email) is None
        and seat_of(step, seat.holder.email) is None
    )
    if seats:
        whom = ", ".join(seat.holder.email for seat in seats)
        reason = f"Nobody ended it in time: {whom} may answer as well."
    else:
        reason = "Nobody ended it in time, and there is nobody else to ask."
    return [ApprovalEscalated(rung=command.rung, seats=seats, reason=reason, at=command.now)]


def expire(command: ExpireApproval, state: State) -> list[ApprovalEvent]:
    """End what nobody decided in time, in the way that its ask said."""
    match state:
        case Pending() if command.now >= state.asked.deadline:
            return _ran_out(command, state)
        case Unknown() | Pending() | Deciding() | Decided() | Withdrawn() | Expired():
            return []  # an answer that was given in time is carried out, however long that takes
        case _:
            assert_never(state)


def _ran_out(command: ExpireApproval, state: Pending) -> list[ApprovalEvent]:
    about, on_timeout = state.asked.about, state.asked.on_timeout
    if on_timeout == "fallback" and command.fallback is not None:
        fallback = command.fallback
        return [
            ApprovalEscalated(
                rung=state.asked.course.rungs + 1,
                seats=(),
                reason=f"Nobody decided in time: the policy {fallback.policy.name} takes over.",
                policy=fallback.policy,
                expires_at=fallback.expires_at,
                on_timeout=fallback.on_timeout,
                at=command.now,
            )
        ]
    if about.source is not None:
        # What the source holds is not ours to decide by a clock.
        return [ApprovalExpired(about=about, at=command.now)]
    match on_timeout:
        case "expire" | "fallback":
            return [ApprovalExpired(about=about, at=command.now)]
        case "approve" | "reject":
            outcome: Outcome = "approved" if on_timeout == "approve" else "rejected"
            return decided_by(
                NOBODY,
                outcome,
                about,
                reason=f"Nobody decided in time; the request said that it is then {outcome}.",
                channel="timeout",
                now=command.now,
            )
        case _:
            assert_never(on_timeout)
