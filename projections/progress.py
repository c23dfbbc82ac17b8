"""How far an approval has come, and who answered what, as every surface shows it."""

import msgspec

from events.approval import Outcome, Person, Rule, Seat, Step
from events.course import Course
from events.voting import answer_for

MOST_NAMED = 3
"""How many people a sentence names before it only counts them."""


class Approver(msgspec.Struct):
    """Somebody who is asked, and what they answered.

    `step` counts from 1. `asked` tells whether it waits for them now; `on_behalf_of` is who they
    stand in for, and `answered_by` who answered in their place.
    """

    email: str
    name: str | None = None
    answer: Outcome | None = None
    step: int = 1
    groups: tuple[str, ...] = ()
    asked: bool = False
    on_behalf_of: str | None = None
    answered_by: str | None = None


class Progress(msgspec.Struct, kw_only=True):
    """How far the step that waits has come; `step` counts from 1, `words` say it all.

    `missing` are the groups, or the people, without whom it cannot be approved.
    """

    step: int
    steps: int
    name: str
    rule: Rule
    needed: int
    approved: int
    rejected: int
    missing: tuple[str, ...]
    words: str


def progress_of(course: Course) -> Progress:
    """Return how far a course has come."""
    step, tally = course.now_at, course.tally
    missing = _missing(course, step)
    words = f"{tally.approved} of {tally.needed}"
    if missing:
        words += f", {' and '.join(missing)} missing"
    steps = len(course.policy.steps)
    if steps > 1:
        words = f"Step {course.step + 1} of {steps}, {step.name}: {words}"
    return Progress(
        step=course.step + 1,
        steps=steps,
        name=step.name,
        rule=step.rule,
        needed=tally.needed,
        approved=tally.approved,
        rejected=tally.rejected,
        missing=missing,
        words=words,
    )


def approvers_of(course: Course) -> list[Approver]:
    """Return everybody who sits at some step, with their answers."""
    asked = set() if course.asked_back else {id(seat) for seat in course.waiting}
    return [
        _approver(course, number, step, seat, asked=number == course.step and id(seat) in asked)
        for number, step in enumerate(course.policy.steps)
        for seat in step.seats
    ]


def people_of(course: Course) -> list[Person]:
    """Return whom the course waits for now."""
    return list(course.asked)


def _approver(course: Course, number: int, step: Step, seat: Seat, *, asked: bool) -> Approver:
    vote = answer_for(step, number, seat, course.votes)
    held = seat.held_by is not None
    return Approver(
        email=seat.holder.email,
        name=seat.holder.name,
        answer=vote.outcome if vote else None,
        step=number + 1,
        groups=seat.groups,
        asked=asked,
        on_behalf_of=seat.person.email if held else None,
        answered_by=vote.by.email if vote and vote.by.email != seat.holder.email else None,
    )


def _missing(course: Course, step: Step) -> tuple[str, ...]:
    if step.rule == "each":
        return course.tally.missing
    if step.rule != "all" or step.needed == 1:
        return ()
    waiting = course.waiting
    names = dict.fromkeys(
        ", ".join(seat.groups) if seat.groups else seat.holder.name or seat.holder.email
        for seat in waiting
    )
    if len(names) > MOST_NAMED:
        return (f"{len(waiting)} people",)
    return tuple(names)
