"""How far an approval has come, and who answered what, as every surface shows it."""

import msgspec

from events.approval import Outcome, Rule, Seat, Step
from events.course import Course
from events.voting import Tally, Vote, answers_at

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
    missing = _missing(course, step, tally)
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
    found: list[Approver] = []
    for number, step in enumerate(course.policy.steps):
        answers = answers_at(step, number, course.votes)
        waits = number == course.step and course.asked_back is None
        found.extend(
            _approver(number, seat, answers.get(place), waits=waits)
            for place, seat in enumerate(step.seats)
        )
    return found


def _approver(number: int, seat: Seat, vote: Vote | None, *, waits: bool) -> Approver:
    held = seat.held_by is not None
    return Approver(
        email=seat.holder.email,
        name=seat.holder.name,
        answer=vote.outcome if vote else None,
        step=number + 1,
        groups=seat.groups,
        asked=waits and vote is None,
        on_behalf_of=seat.person.email if held else None,
        answered_by=vote.by.email if vote and vote.by.email != seat.holder.email else None,
    )


def _missing(course: Course, step: Step, tally: Tally) -> tuple[str, ...]:
    if step.rule == "each":
        return tally.missing
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
