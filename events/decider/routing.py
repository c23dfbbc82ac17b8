"""The rules of who is asked instead: by somebody's will, for an absence, for good."""

from events.approval import ApprovalEvent, ApprovalReassigned
from events.commands import ReassignApproval
from events.decider.refusal import Refused, refuse_unless_pending
from events.state import Pending, State
from events.voting import seat_of


def reassign(command: ReassignApproval, state: State) -> list[ApprovalEvent]:
    """Ask somebody else instead: whoever is asked may say so, or an administrator.

    Where nobody said so, but somebody is away, what cannot be is left as it is.
    """
    if command.by is None:
        if isinstance(state, Pending) and _impossible(command, state) is None:
            return [_reassigned(command)]
        return []
    pending = refuse_unless_pending(state)
    step = pending.asked.course.now_at
    theirs = [
        seat
        for seat in pending.asked.course.waiting
        if command.person in (seat.person.email, seat.holder.email)
    ]
    is_asked = seat_of(step, command.to.email) is not None
    if is_asked and all(seat.holder.email == command.to.email for seat in theirs):
        return []  # done already
    impossible = _impossible(command, pending)
    if impossible is not None:
        raise Refused("cannot_reassign", impossible)
    seat = seat_of(step, command.person)
    mine = seat is not None and command.by.email in (seat.person.email, seat.holder.email)
    if not mine and not command.as_admin:
        raise Refused(
            "not_an_approver",
            f"Only {command.person}, who is asked, or an administrator can pass this on.",
        )
    return [_reassigned(command)]


def _reassigned(command: ReassignApproval) -> ApprovalReassigned:
    return ApprovalReassigned(
        person=command.person,
        to=command.to,
        cause=command.cause,
        by=command.by.email if command.by else None,
        reason=command.reason,
        time_zone=command.time_zone,
        via=command.via,
        at=command.now,
    )


def _impossible(command: ReassignApproval, state: Pending) -> str | None:
    """Return why it cannot be reassigned in this way, or None if it can."""
    asked = state.asked
    course, to = asked.course, command.to.email
    holders = {seat.holder.email for seat in course.waiting}
    people = {seat.person.email for seat in course.waiting}
    if command.person not in holders | people:
        return (
            f"This does not wait for {command.person}. It waits for {', '.join(sorted(holders))}."
        )
    if command.cause == "delegated" and command.person not in holders:
        return f"{command.person} is represented already."
    if to == asked.about.requester.email and not course.policy.self_approval:
        return f"{to} asked for this, and nobody decides their own request. Name somebody else."
    if to in course.heard:
        return f"{to}'s answer to this is there already, and counts once. Name somebody else."
    if any(seat_of(step, to) is not None for step in course.policy.steps[course.step :]):
        return f"{to} is asked already, and counts once. Name somebody else."
    return None
