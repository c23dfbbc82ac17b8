"""What a card says first: how the approval stands, for the one who reads it."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from events.approval import ApprovalReassigned, Person, WriteBackFailed
from events.course import Course
from projections.approval_view import ApprovalView
from projections.progress import Approver
from services.channels.plain import block, line
from services.channels.questions import Question

MOST_REASON = 2000
MOST_NAME = 120
MOST_NAMED = 10
"""How many people a sentence names before it only counts them."""
_TWICE = 2


def is_asked(view: ApprovalView, email: str) -> bool:
    """Tell whether a pending approval waits for an approver just now."""
    if view.course is None:
        return True
    return view.asked_back is None and email in view.waits_for


def waiting(
    view: ApprovalView, email: str, failure: WriteBackFailed | None, *, changed: bool
) -> str:
    """Return what an approver reads who is asked."""
    parts = []
    if failure is not None:
        where = line(view.source.name, MOST_NAME) if view.source else "the source"
        parts.append(
            f"{failure.outcome.capitalize()} by {_email(failure.by.email)}, but {where} "
            f"did not take the answer: {block(failure.reason, MOST_REASON)}"
        )
    if changed:
        parts.append(
            f"The content changed: revision {line(view.revision, MOST_NAME)}. "
            "An answer to what you saw before does not count."
        )
    if view.course is not None:
        parts += _of_the_reader(view.course, email)
    parts.append(f"Waiting for {_whom(view, email)}.")
    return " ".join(parts)


def elsewhere(view: ApprovalView, email: str, passed_on: ApprovalReassigned | None) -> str:
    """Return what an approver reads whom a pending approval does not wait for just now."""
    question = view.asked_back
    requester = _email(view.requester.email)
    if question is not None and question.wants == "changes":
        return (
            f"{_email(question.by.email)} returned it to {requester} for changes: "
            f"{block(question.text, MOST_REASON)}"
        )
    if question is not None:
        return (
            f"It waits for an answer of {requester}, whom {_email(question.by.email)} asked: "
            f"{block(question.text, MOST_REASON)}"
        )
    holders = [person.email for person in view.course.asked] if view.course else []
    waits_for = f"It waits for {_and(_named(holders))}." if holders else ""
    return f"{_why_not(view, email, passed_on)} {waits_for}".rstrip()


def superseded(now_is: ApprovalView, email: str) -> str:
    """Return what stands on the card of a revision that is not shown any more."""
    changed = f"The content changed: revision {line(now_is.revision, MOST_NAME)}."
    if email in {one.email for one in now_is.approvers}:
        return f"{changed} Answer the newer card."
    return f"{changed} You are not asked any more."


def answered(view: ApprovalView) -> str:
    """Return how an approval that is not pending ended, or is about to."""
    match view.status:
        case "approved" | "rejected":
            by = line(view.decided_by or "somebody", MOST_NAME)
            at = f" at {time(view.decided_at)}" if view.decided_at else ""
            why = f": {block(view.decision_reason, MOST_REASON)}" if view.decision_reason else "."
            return f"{view.status.capitalize()} by {by}{at}{why}"
        case "withdrawn":
            why = block(view.withdrawn_reason or "", MOST_REASON) or "Withdrawn."
            return f"This request is already resolved/canceled: {why}"
        case "expired":
            return f"Expired at {time(view.expires_at)}: nobody decided in time."
        case "deciding" | "pending":
            return _answer_given(view)
        case _:
            assert_never(view.status)


def _answer_given(view: ApprovalView) -> str:
    given = [one for one in view.approvers if one.answer]
    answer = "The answer"
    # Where several answer, the view does not say which answer came last.
    if view.course is None and given:
        who = line(f"{given[0].answer} by {given[0].email}", MOST_NAME)
        answer = f"The answer ({who})"
    if view.held_until is None:
        return f"{answer} is on its way to the source."
    # To the second, since it is held for a few of them.
    until = view.held_until.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{answer} counts from {until}. Until then it can be taken back in Placet."


def for_requester(view: ApprovalView, question: Question) -> str:
    """Return what the requester reads who was asked something."""
    asked = question.asked
    by, text = _email(asked.by.email), block(asked.text, MOST_REASON)
    if view.status not in ("pending", "deciding"):
        return answered(view)
    if view.asked_back == asked and asked.wants == "changes":
        return (
            f"{by} returned this to you for changes. Change it in Placet; until then the clock "
            f"stands still. What is wanted: {text}"
        )
    if view.asked_back == asked:
        return (
            f"{by} asks you something. Answer in Placet; until then the clock stands still. "
            f"The question: {text}"
        )
    if question.answered is not None:
        who = _email(question.answered.by.email)
        return f"Answered by {who}: {block(question.answered.text, MOST_REASON)}"
    return f"No answer is needed any more; {by} had asked: {text}"


def time(at: datetime) -> str:
    """Return a time as a card shows it."""
    return at.strftime("%Y-%m-%d %H:%M UTC")


def person(one: Person | Approver) -> str:
    """Return somebody by name and address, on one line."""
    email = line(one.email, MOST_NAME)
    name = line(one.name or "", MOST_NAME)
    return f"{name} ({email})" if name else email


def _of_the_reader(course: Course, email: str) -> list[str]:
    away = [
        f"You stand in for {person(seat.person)}, who is away."
        for seat in course.waiting
        if seat.held_by is not None and seat.holder.email == email
    ]
    found = away[:MOST_NAMED]
    times = max((one.number for one in course.reminders if one.approver == email), default=0)
    if times:
        often = {1: "once", _TWICE: "twice"}.get(times, f"{times} times")
        found.append(f"You were reminded {often}.")
    return found


def _whom(view: ApprovalView, email: str) -> str:
    course = view.course
    people = (
        [one.email for one in view.approvers]
        if course is None
        else [one.email for one in course.asked]
    )
    others = _named([one for one in people if one != email])
    if not others:
        return "you"
    if course is None or (course.now_at.needed == 1 and course.now_at.deny == 1):
        settles = ": one answer settles it" if course is None or course.last_step else ""
        return f"you or {', '.join(others)}{settles}"
    return _and(["you", *others])


def _why_not(view: ApprovalView, email: str, passed_on: ApprovalReassigned | None) -> str:
    votes = view.course.votes if view.course else ()
    mine = [vote for vote in votes if vote.by.email == email]
    if mine:
        return f"You {mine[-1].outcome} this."
    for one in view.approvers:
        by = _email(one.answered_by or one.email)
        if one.on_behalf_of == email and one.answer is not None:
            return f"{by} {one.answer} this in your place."
        if one.email == email and one.answer is not None:
            return f"{by} {one.answer} this in person."
        if one.on_behalf_of == email and one.asked:
            return f"{by} stands in for you. You may still answer in Placet."
    if passed_on is not None:
        return _passed_on(passed_on)
    if view.progress is not None and any(
        one.email == email and one.step < view.progress.step for one in view.approvers
    ):
        return "This step ended without your answer."
    return "You are not asked any more."


def _passed_on(event: ApprovalReassigned) -> str:
    to = person(event.to)
    match event.cause:
        case "reassigned":
            return f"Passed on to {to}."
        case "delegated" | "deactivated":
            return f"{to} is asked instead of you."
        case _:
            assert_never(event.cause)


def _named(emails: Sequence[str]) -> list[str]:
    named = [_email(one) for one in emails[:MOST_NAMED]]
    more = len(emails) - len(named)
    return [*named, f"{more} more"] if more else named


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _email(email: str) -> str:
    return line(email, MOST_NAME)
