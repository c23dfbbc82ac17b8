"""Finds who is asked later on: on the next rung, in the end, and for somebody who is gone."""

from collections.abc import Sequence
from datetime import datetime

from events.approval import Person, Reassignment, Seat
from events.commands import Fallback
from events.state import Pending
from events.voting import seat_of
from services.directory import Directory
from services.policies.approvers import Spec, found, spec_of
from services.policies.choosing import NobodyToAsk, applied
from services.policies.facts import facts_of
from services.policies.policy import Policy
from services.policies.seating import any_of, instead_of, seated, with_stand_ins


def rung_seats(state: Pending, directory: Directory, now: datetime) -> tuple[Seat, ...]:
    """Return the seats of the next rung: nobody who was asked before, and not who asks.

    The rung is the one that the ask was held to from its beginning, whatever the file says now.
    """
    course, facts = state.asked.course, facts_of(state.asked)
    if course.rungs >= len(course.policy.ladder):
        return ()
    rung = course.policy.ladder[course.rungs]
    silent = [seat.person.email for seat in course.waiting]
    people = found(_specs(rung.to), facts, directory, silent)
    before = _asked_before(state)
    seats = [
        seat
        for seat in seated(people, directory, now, _own(state)).seats
        if seat.person.email not in before
    ]
    if not seats:
        return ()
    held = with_stand_ins([any_of("", seats)], directory, now, before | set(_own(state)))
    return held[0].seats


def fallback_for(
    policies: Sequence[Policy],
    last_resort: Sequence[Spec],
    state: Pending,
    directory: Directory,
    now: datetime,
    general: datetime,
) -> Fallback | None:
    """Return the policy that takes over when the time is over, or None if there is none any more.

    Its time is its own, or `general` where it says none.
    """
    name = state.asked.course.policy.fallback_policy
    policy = next((one for one in policies if one.name == name), None)
    if policy is None or state.asked.on_timeout != "fallback":
        return None
    try:
        facts = facts_of(state.asked)
        choice = applied(
            policy,
            last_resort,
            facts,
            directory,
            now,
            taking_over=True,
            # Waiting long enough is no way to need less.
            demanded=state.asked.course.policy.assurance,
        )
    except NobodyToAsk:
        return None
    if choice.policy is None:
        return None
    return Fallback(
        policy=choice.policy,
        expires_at=choice.ends(None, general),
        on_timeout=choice.on_timeout or "expire",
    )


def routed(
    policies: Sequence[Policy],
    last_resort: Sequence[Spec],
    email: str,
    state: Pending,
    directory: Directory,
    now: datetime,
) -> tuple[Person, Reassignment] | None:
    """Return to whom the seat of somebody who is gone goes now, and why; None: it stays.

    Somebody who is away is stood in for; somebody who is not active any more is so for good, by
    their stand-in, their manager, or one of those whom the policy falls back to.
    """
    barred = _sitting(state) | set(_own(state))
    if directory.is_active(email):
        stand_in = directory.stand_in(email, now, barred)
        return (stand_in, "delegated") if stand_in is not None else None
    person = _principal(email, state)
    if person != email and directory.is_active(person):
        # The place is somebody else's, who is away: only who holds it for them is gone.
        stand_in = directory.stand_in(person, now, barred)
        if stand_in is not None:
            return stand_in, "deactivated"
    instead = instead_of(email, directory, now, barred)
    if instead is None:
        instead = _from_fallback(policies, last_resort, state, directory, now, barred)
    return (instead, "deactivated") if instead is not None else None


def _from_fallback(
    policies: Sequence[Policy],
    last_resort: Sequence[Spec],
    state: Pending,
    directory: Directory,
    now: datetime,
    barred: set[str],
) -> Person | None:
    name = state.asked.course.policy.name
    policy = next((one for one in policies if one.name == name), None)
    for specs in (policy.fallback if policy else (), last_resort):
        people = found(specs, facts_of(state.asked), directory)
        for seat in seated(people, directory, now, barred).seats:
            return seat.person
    return None


def _specs(texts: Sequence[str]) -> list[Spec]:
    specs: list[Spec] = []
    for text in texts:
        try:
            specs.append(spec_of(text))
        except ValueError:
            continue  # what a later release has written
    return specs


def _own(state: Pending) -> tuple[str, ...]:
    return () if state.asked.course.policy.self_approval else (state.asked.about.requester.email,)


def _principal(email: str, state: Pending) -> str:
    """Return whose place somebody holds."""
    seat = seat_of(state.asked.course.now_at, email)
    return seat.person.email if seat is not None else email


def _sitting(state: Pending) -> set[str]:
    """Return everybody who has answered, or sits at a step that is not over."""
    course = state.asked.course
    sitting = {vote.by.email for vote in course.votes}
    for step in course.policy.steps[course.step :]:
        for seat in step.seats:
            sitting |= {seat.person.email, seat.holder.email}
    return sitting


def _asked_before(state: Pending) -> set[str]:
    """Return everybody who was asked about what is asked now: also who passed it on."""
    asked = state.asked
    told = {who for who, _, revision in asked.notified if revision == asked.about.revision}
    at_steps = {
        email
        for step in asked.course.policy.steps[: asked.course.step + 1]
        for seat in step.seats
        for email in (seat.person.email, seat.holder.email)
    }
    return told | at_steps | {vote.by.email for vote in asked.course.votes}
