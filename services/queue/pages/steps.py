"""Who must say yes: the steps of an approval with their people and what they answered; pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from events.approval import Outcome, Step
from events.voting import Tally, tally
from projections.approval_view import ApprovalView
from projections.progress import Approver
from services.queue.pages.people import Shown, joined, names_in, shown

PAIR = 2
NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

Stage = Literal["done", "now", "later", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitting:
    """Somebody at a step; `away` is the name of who they stand in for, `through` of who answered.

    `asked` tells whether it waits for them now.
    """

    person: Shown
    is_me: bool
    groups: str | None
    away: str | None
    answer: Outcome | None
    through: str | None
    asked: bool
    reminded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One step: `rule` in words, and how far it has come where that can be said."""

    number: int
    name: str | None
    rule: str
    stage: Stage
    approved: int
    needed: int
    progress: str | None
    people: tuple[Sitting, ...]


def steps(view: ApprovalView, me: str) -> tuple[StepShown, ...]:
    """Return the steps of an approval in their order."""
    policy = view.course.policy if view.course is not None else None
    names = names_in(view)
    return tuple(
        _step(view, number, policy.steps[number - 1] if policy else None, list(people), names, me)
        for number, people in groupby(view.approvers, key=lambda one: one.step)
    )


def rule_words(step: Step) -> str:
    """Return a step's rule as people say it: `two of three`, `one from each of A and B`."""
    seats = len(step.seats)
    if step.rule == "each":
        rule = f"One from each of {joined(step.groups)}"
    elif seats == 1:
        rule = "This one person"
    elif step.needed >= seats:
        rule = "Both of them" if seats == PAIR else f"All {_number(seats)}"
    elif step.needed == 1:
        rule = f"Any one of {_number(seats)}"
    else:
        rule = f"{_number(step.needed).capitalize()} of {_number(seats)}"
    if step.deny > 1:
        rule += f"; {_number(step.deny)} rejections reject it"
    return rule


def _step(
    view: ApprovalView,
    number: int,
    step: Step | None,
    people: Sequence[Approver],
    names: Mapping[str, str],
    me: str,
) -> StepShown:
    counted = tally(step, number - 1, view.course.votes) if step and view.course else None
    stage = _stage(view, number)
    several = counted is not None and counted.needed > 1
    return StepShown(
        number=number,
        name=step.name if step and step.name else None,
        rule=rule_words(step) if step else _any_one(len(people)),
        stage=stage,
        approved=counted.approved if counted else 0,
        needed=counted.needed if counted else 1,
        progress=_progress(counted) if counted and several and stage == "now" else None,
        people=tuple(_sitting(view, people, names, me)),
    )


def _stage(view: ApprovalView, number: int) -> Stage:
    at = view.course.step + 1 if view.course is not None else 1
    if number < at or view.status == "approved":
        return "done"
    if view.status not in ("pending", "deciding"):
        return "ended"
    return "now" if number == at else "later"


def _progress(counted: Tally) -> str:
    words = f"{counted.approved} of {counted.needed}"
    return f"{words}, {joined(counted.missing)} missing" if counted.missing else words


def _sitting(
    view: ApprovalView, people: Sequence[Approver], names: Mapping[str, str], me: str
) -> Iterator[Sitting]:
    reminders = view.course.reminders if view.course is not None else ()
    for one in people:
        away, through = one.on_behalf_of, one.answered_by
        yield Sitting(
            person=shown(one.email, one.name),
            is_me=one.email == me,
            groups=joined(one.groups) or None,
            away=names.get(away, away) if away else None,
            answer=one.answer,
            through=names.get(through, through) if through else None,
            asked=one.asked and view.status == "pending",
            reminded=sum(sent.approver == one.email for sent in reminders if one.asked),
        )


def _any_one(people: int) -> str:
    return "This one person" if people == 1 else f"Any one of {_number(people)}"


def _number(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)
