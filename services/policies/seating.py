"""Finds the people of steps: who is left out, who is routed around, and who stands in."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from events.approval import Person, Seat, Step
from events.voting import can_be_met
from services.directory import Directory
from services.policies.approvers import Found
from services.policies.policy import MOST_SEATS, PolicyStep

FALLBACK = "fallback"
"""The name of a step that the fallback's people take the place of."""
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Seated:
    """The people of one step, each with their groups, and what went wrong in finding them."""

    seats: tuple[Seat, ...]
    warnings: tuple[str, ...] = ()


def seated(
    found: Found, directory: Directory, now: datetime, barred: Collection[str] = ()
) -> Seated:
    """Return a seat for each who was found; `barred` may not sit.

    Whoever is not active is routed around: to their stand-in, or else their manager, or left out.
    """
    seats: dict[str, Seat] = {}
    warnings = list(found.warnings)
    for email, person in found.people.items():
        if email in barred:
            continue
        here: Person | None = person
        if not directory.is_active(email):
            here = instead_of(email, directory, now, barred)
            to = f"{here.email} is asked instead" if here else "and nobody stands in"
            warnings.append(f"{email} is not active any more, {to}.")
        if here is not None:
            seat = Seat(person=here, groups=found.groups.get(email, ()))
            seats.setdefault(here.email, seat)
    return Seated(tuple(seats.values()), tuple(warnings))


def instead_of(
    email: str, directory: Directory, now: datetime, barred: Collection[str]
) -> Person | None:
    """Return who is asked for somebody who is not active: their stand-in, or else a manager."""
    stand_in = directory.stand_in(email, now, barred)
    if stand_in is not None:
        return stand_in
    seen = {email}
    above = directory.manager_of(email)
    while above is not None and above.email in barred and above.email not in seen:
        seen.add(above.email)
        above = directory.manager_of(above.email)
    return above if above is not None and above.email not in {*barred, *seen} else None


def step_of(rule: PolicyStep, people: Seated) -> tuple[Step | None, tuple[str, ...]]:
    """Return the step that a rule makes of its people, and what went wrong.

    None where it finds nobody, or too few to be met.
    """
    seats, warnings = people.seats, list(people.warnings)
    if not seats:
        return None, (*warnings, f"The step {rule.name!r} found nobody who may decide.")
    if len(seats) > MOST_SEATS:
        if rule.rule not in ("any", "count"):
            said = f"The step {rule.name!r} has {len(seats)} people, and more than {MOST_SEATS}"
            return None, (*warnings, f"{said} are never asked at once.")
        warnings.append(
            f"The step {rule.name!r} asks the first {MOST_SEATS} of {len(seats)} people."
        )
        seats = seats[:MOST_SEATS]
    step = Step(
        name=rule.name,
        rule=rule.rule,
        needed=_needed(rule, len(seats)),
        deny=min(rule.deny, len(seats)),
        seats=seats,
        groups=rule.groups,
    )
    if not can_be_met(step):
        said = f"The step {rule.name!r} needs {rule.rule_words}"
        return None, (*warnings, f"{said}, and found too few: {_names(seats)}.")
    return step, tuple(warnings)


def any_of(name: str, seats: Sequence[Seat]) -> Step:
    """Return the step in which any one of some people decides."""
    return Step(name=name, rule="any", needed=1, deny=1, seats=tuple(seats[:MOST_SEATS]))


def with_stand_ins(
    steps: Iterable[Step], directory: Directory, now: datetime, barred: Collection[str]
) -> tuple[Step, ...]:
    """Return steps where others hold the seats of who is away, with everybody's time zone.

    Nobody stands in who is barred, or sits anywhere themselves, or stands in for somebody else.
    """
    steps = tuple(steps)
    taken = {*barred, *(seat.person.email for step in steps for seat in step.seats)}
    holders: dict[str, Person | None] = {}

    def held(seat: Seat) -> Seat:
        email = seat.person.email
        if email not in holders:
            holders[email] = directory.stand_in(email, now, taken)
            if (holder := holders[email]) is not None:
                taken.add(holder.email)
        seat = replace(seat, held_by=holders[email])
        return replace(seat, time_zone=directory.time_zone_of(seat.holder.email))

    return tuple(replace(step, seats=tuple(map(held, step.seats))) for step in steps)


def _needed(rule: PolicyStep, people: int) -> int:
    match rule.rule:
        case "any":
            return 1
        case "all":
            return people
        case "count":
            return rule.number
        case "percent":
            return -(-rule.number * people // _PERCENT)
        case "each":
            return len(rule.groups)


def _names(seats: Sequence[Seat]) -> str:
    named = [seat.person.email for seat in seats[:5]]
    if len(seats) > len(named):
        named.append(f"{len(seats) - len(named)} more")
    return ", ".join(named)
