"""Counts answers: how far a step has come, and who is still missing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.approval import Outcome, Person, Seat, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One answer: `seat` is the address of the person whose place it was given in."""

    step: int
    seat: str
    by: Person
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How far one step has come; `missing` are groups of which nobody has approved yet.

    `verdict` is None while it may still go either way.
    """

    approved: int
    rejected: int
    needed: int
    missing: tuple[str, ...]
    verdict: Outcome | None


def tally(step: Step, number: int, votes: Iterable[Vote]) -> Tally:
    """Count the answers that matter for the step of a number; a person counts once in each.

    An approval that was given at an earlier step counts for whoever sits here as well; a
    rejection that did not reject there is asked for anew.
    """
    answers = answers_at(step, number, votes)
    approvals = _groups_of_people(
        (answers[place].by.email, seat)
        for place, seat in enumerate(step.seats)
        if place in answers and answers[place].outcome == "approved"
    )
    rejected = len({vote.by.email for vote in answers.values() if vote.outcome == "rejected"})
    still_open = _groups_of_people(
        # Whoever holds two seats could answer one of them, and the other's own person theirs.
        (seat.person.email, seat)
        for place, seat in enumerate(step.seats)
        if place not in answers
    )
    missing: tuple[str, ...] = ()
    if step.rule == "each":
        missing = _unmatched(step.groups, approvals)
        reached = not missing
        possible = not _unmatched(step.groups, {**still_open, **approvals})
    else:
        reached = len(approvals) >= step.needed
        possible = len(approvals | still_open) >= step.needed
    verdict: Outcome | None = None
    if reached:
        verdict = "approved"
    elif rejected >= step.deny or not possible:
        verdict = "rejected"
    counted = len(step.groups) - len(missing) if step.rule == "each" else len(approvals)
    return Tally(
        approved=min(counted, step.needed),
        rejected=rejected,
        needed=step.needed,
        missing=missing,
        verdict=verdict,
    )


def open_seats(step: Step, number: int, votes: Iterable[Vote]) -> tuple[Seat, ...]:
    """Return the seats of a step that nobody has answered for."""
    answers = answers_at(step, number, votes)
    return tuple(seat for place, seat in enumerate(step.seats) if place not in answers)


def answer_for(step: Step, number: int, seat: Seat, votes: Iterable[Vote]) -> Vote | None:
    """Return the answer that counts for a seat of a step, if there is one."""
    return answers_at(step, number, votes).get(step.seats.index(seat))


def asked_now(step: Step, number: int, votes: Iterable[Vote]) -> tuple[Person, ...]:
    """Return whom the step waits for: whoever holds an open seat, unless they have answered.

    Somebody who holds two seats counts in one; for the other its own person is asked.
    """
    answers = answers_at(step, number, votes)
    answered = {vote.by.email for vote in answers.values()}
    return tuple(
        dict.fromkeys(
            seat.person if seat.holder.email in answered else seat.holder
            for place, seat in enumerate(step.seats)
            if place not in answers
        )
    )


def seat_to_answer(
    step: Step, number: int, votes: Iterable[Vote], email: str, stands_in_for: Collection[str]
) -> Seat | None:
    """Return the seat that somebody answers for: their own, or one that they stand in at.

    Of several, the one that they have answered for, or else one that nobody has.
    """
    own = seat_of(step, email)
    if own is not None and own.person.email == email:
        return own
    answers = answers_at(step, number, votes)

    def chosen_first(place: int) -> int:
        if place not in answers:
            return 1
        return 0 if answers[place].by.email == email else 2

    places = [
        place
        for place, seat in enumerate(step.seats)
        if seat.holder.email == email
        or seat.person.email in stands_in_for
        or seat.holder.email in stands_in_for
    ]
    return step.seats[min(places, key=chosen_first)] if places else None


def seat_of(step: Step, email: str) -> Seat | None:
    """Return the seat that somebody may answer for at a step: first of all their own."""
    for seat in step.seats:
        if seat.person.email == email:
            return seat
    for seat in step.seats:
        if seat.holder.email == email:
            return seat
    return None


def can_be_met(step: Step) -> bool:
    """Tell whether the people of a step are enough for its rule."""
    return tally(step, 0, ()).verdict is None


def answers_at(step: Step, number: int, votes: Iterable[Vote]) -> Mapping[int, Vote]:
    """Return the answer that counts for each seat, by the seat's place.

    Everybody's latest answer counts, for one person: in their own seat, or else in the one that
    it was given for, or else in one that they hold. Nobody's stands before the person's own.
    """
    latest: dict[str, Vote] = {}
    for vote in votes:
        if vote.step == number or (vote.step < number and vote.outcome == "approved"):
            latest.pop(vote.by.email, None)
            latest[vote.by.email] = vote
    found = {
        place: latest[seat.person.email]
        for place, seat in enumerate(step.seats)
        if seat.person.email in latest
    }
    free = [place for place in range(len(step.seats)) if place not in found]
    own = {vote.by.email for vote in found.values()}
    for email, vote in latest.items():
        if email in own:
            continue
        given = [place for place in free if step.seats[place].person.email == vote.seat]
        held = [place for place in free if step.seats[place].holder.email == email]
        found.update(dict.fromkeys((given or held)[:1], vote))
    return found


def _groups_of_people(filled: Iterable[tuple[str, Seat]]) -> dict[str, frozenset[str]]:
    people: dict[str, frozenset[str]] = {}
    for email, seat in filled:
        people[email] = people.get(email, frozenset()) | frozenset(seat.groups)
    return people


def _unmatched(groups: Sequence[str], people: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """Return the groups that nobody is left for when each person stands for one group only."""
    stands_for: dict[str, str] = {}

    def place(group: str, tried: set[str]) -> bool:
        for person, theirs in people.items():
            if group not in theirs or person in tried:
                continue
            tried.add(person)
            if person not in stands_for or place(stands_for[person], tried):
                stands_for[person] = group
                return True
        return False

    return tuple(group for group in groups if not place(group, set()))
