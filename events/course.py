"""How far an ask has come: its policy with the seats as they are now, answers, and clocks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from events.approval import (
    AnsweredBack,
    AppliedPolicy,
    ApprovalEscalated,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRevised,
    AskedBack,
    DecisionSubmitted,
    Person,
    Seat,
    Step,
)
from events.voting import Tally, Vote, answers_at, asked_now, open_seats, seat_of, tally

LONGEST_PAUSE = timedelta(days=30)
"""How long the clock stands still at most while the requester is asked something."""

Moving = (
    ApprovalRevised
    | DecisionSubmitted
    | ApprovalReminded
    | ApprovalReassigned
    | ApprovalEscalated
    | AskedBack
    | AnsweredBack
)
"""The facts that move a pending approval on its course."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """Somebody was reminded, for the `number`th time."""

    approver: str
    number: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A stretch of time in which the clock stood still."""

    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where an ask stands: the step that waits now, since when, and what was answered.

    `rungs` counts the escalations of this step, `questions` are the ids of all that was asked
    back; `pauses` and `reminders` are those since this step began.
    """

    policy: AppliedPolicy
    opened_at: datetime
    step: int = 0
    votes: tuple[Vote, ...] = ()
    asked_back: AskedBack | None = None
    questions: tuple[str, ...] = ()
    pauses: tuple[Pause, ...] = ()
    reminders: tuple[Reminder, ...] = ()
    rungs: int = 0

    @property
    def now_at(self) -> Step:
        """The step that waits."""
        return self.policy.steps[self.step]

    @property
    def tally(self) -> Tally:
        """How far the step has come."""
        return tally(self.now_at, self.step, self.votes)

    @property
    def waiting(self) -> tuple[Seat, ...]:
        """The seats that the step waits for."""
        return open_seats(self.now_at, self.step, self.votes)

    @property
    def asked(self) -> tuple[Person, ...]:
        """The people whom the step waits for."""
        return asked_now(self.now_at, self.step, self.votes)

    @property
    def heard(self) -> frozenset[str]:
        """The addresses of who has answered, and of whom somebody has answered for."""
        return frozenset(email for vote in self.votes for email in (vote.by.email, vote.seat))

    @property
    def last_step(self) -> bool:
        """Whether no step comes after this one."""
        return self.step == len(self.policy.steps) - 1


def any_one_of(people: Sequence[Person]) -> AppliedPolicy:
    """Return the policy of an ask that has none: any one of the people decides."""
    seats = tuple(Seat(person=person) for person in people)
    return AppliedPolicy(
        name="",
        version=0,
        steps=(Step(name="", rule="any", needed=1, deny=1, seats=seats),),
    )


def begin(policy: AppliedPolicy | None, people: Sequence[Person], at: datetime) -> Course:
    """Return the course of an ask at its beginning."""
    return Course(policy=policy or any_one_of(people), opened_at=at)


def deadline(expires_at: datetime, asked_back: AskedBack | None) -> datetime:
    """Return when the time is over: while the clock stands still, not before the longest pause."""
    return expires_at + LONGEST_PAUSE if asked_back is not None else expires_at


def time_over(course: Course, expires_at: datetime, event: Moving) -> datetime:
    """Return when the time is over after one more fact, if it was at `expires_at` before.

    Where the clock stood still and the fact does not say until when it runs on, it runs on for
    what was left.
    """
    match event:
        case ApprovalRevised() | ApprovalEscalated() | AnsweredBack():
            if event.expires_at is not None:
                return event.expires_at
        case DecisionSubmitted() | ApprovalReminded() | ApprovalReassigned() | AskedBack():
            pass
        case _:
            assert_never(event)
    if course.asked_back is None or moved(course, event).asked_back is not None:
        return expires_at
    stood = event.at - course.asked_back.at
    return expires_at + max(timedelta(), min(stood, LONGEST_PAUSE))


def moved(course: Course, event: Moving) -> Course:
    """Return the course after one more fact."""
    match event:
        case DecisionSubmitted():
            return _answered(course, event) if not event.complete else course
        case ApprovalReminded():
            reminder = Reminder(approver=event.approver, number=event.number, at=event.at)
            return replace(course, reminders=(*course.reminders, reminder))
        case ApprovalReassigned():
            return _reassigned(course, event)
        case ApprovalEscalated():
            return _escalated(course, event)
        case AskedBack():
            return replace(
                course, asked_back=event, questions=(*course.questions, event.question_id)
            )
        case AnsweredBack():
            return _resumed(course, event.at)
        case ApprovalRevised():
            again = event.policy or any_one_of(event.approvers)
            return Course(policy=again, opened_at=event.at, questions=course.questions)
        case _:
            assert_never(event)


def with_vote(course: Course, vote: Vote) -> Course:
    """Return the course with one more answer; it takes the place of an earlier one at this step."""
    kept = tuple(
        one
        for one in course.votes
        if one.step != vote.step or (one.by.email != vote.by.email and one.seat != vote.seat)
    )
    after = replace(course, votes=(*kept, vote))
    while after.tally.verdict == "approved" and not after.last_step:
        after = replace(
            after,
            step=after.step + 1,
            opened_at=vote.at,
            pauses=(),
            reminders=(),
            rungs=0,
        )
    return after


def vote_of(course: Course, event: DecisionSubmitted) -> Vote:
    """Return the answer that a fact stands for at the step that waits."""
    return Vote(
        step=course.step,
        seat=event.on_behalf_of or event.by.email,
        by=event.by,
        outcome=event.outcome,
        at=event.at,
    )


def _answered(course: Course, event: DecisionSubmitted) -> Course:
    # Whoever answers goes on without the answer to a question.
    return with_vote(_resumed(course, event.at), vote_of(course, event))


def _resumed(course: Course, at: datetime) -> Course:
    if course.asked_back is None:
        return course
    pause = Pause(begins=course.asked_back.at, ends=at)
    return replace(course, asked_back=None, pauses=(*course.pauses, pause))


def _reassigned(course: Course, event: ApprovalReassigned) -> Course:
    steps = (
        step if number < course.step else _with_seats_of(step, number, course.votes, event)
        for number, step in enumerate(course.policy.steps)
    )
    return replace(course, policy=replace(course.policy, steps=tuple(steps)))


def _with_seats_of(
    step: Step, number: int, votes: Sequence[Vote], event: ApprovalReassigned
) -> Step:
    if seat_of(step, event.to.email) is not None:
        return step
    answers = answers_at(step, number, votes)
    seats = tuple(
        # What was answered stays with who answered it.
        seat if place in answers else _reseated(seat, event)
        for place, seat in enumerate(step.seats)
    )
    return replace(step, seats=seats)


def _reseated(seat: Seat, event: ApprovalReassigned) -> Seat:
    held_by = seat.held_by.email if seat.held_by else None
    if event.person == seat.person.email and event.cause != "delegated":
        seat = replace(seat, person=event.to, held_by=None)
    elif event.person in (seat.person.email, held_by):
        seat = replace(seat, held_by=event.to)
    else:
        return seat
    return replace(seat, since=event.at, time_zone=event.time_zone)


def _escalated(course: Course, event: ApprovalEscalated) -> Course:
    if event.policy is not None:
        return Course(policy=event.policy, opened_at=event.at, questions=course.questions)
    step = course.now_at
    added = tuple(replace(seat, since=event.at) for seat in event.seats)
    steps = list(course.policy.steps)
    steps[course.step] = replace(step, seats=(*step.seats, *added))
    policy = replace(course.policy, steps=tuple(steps))
    return replace(course, policy=policy, rungs=event.rung)
