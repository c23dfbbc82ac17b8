"""The clocks of an approval in words: how long there is, and what has been done about it; pure."""

from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView
from services.queue.pages.people import named
from services.queue.pages.words import span, time_left

HURRY = 10
"""Under one part in so many of the time, what is left of it is said loudly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How long there is to answer; `hurry` when that is little, `stopped` while it stands still."""

    left: str
    until: datetime
    hurry: bool
    stopped: datetime | None


def clock(view: ApprovalView, now: datetime) -> Clock:
    """Return the clock of a pending approval."""
    question = view.asked_back
    if question is not None:
        stood = span((now - question.at).total_seconds())
        left = f"clock stopped for {stood}" if now < view.deadline else "out of time"
        return Clock(left=left, until=view.deadline, hurry=False, stopped=question.at)
    whole, left_s = view.expires_at - view.created_at, view.expires_at - now
    return Clock(
        left=time_left(view.expires_at, now),
        until=view.expires_at,
        hurry=0 < left_s.total_seconds() < whole.total_seconds() / HURRY,
        stopped=None,
    )


def marks(view: ApprovalView, me: str) -> tuple[str, ...]:
    """Return what was done so that a pending approval does not lie about, as `me` should know."""
    if view.status != "pending" or view.course is None:
        return ()
    reminded = sum(one.approver == me for one in view.course.reminders)
    return tuple(
        words
        for words, said in (
            ("Escalated", view.course.rungs > 0),
            ("Reminded" if reminded == 1 else f"Reminded {reminded} times", reminded > 0),
        )
        if said
    )


def stands_in_for(view: ApprovalView, me: str) -> str | None:
    """Return the name of somebody who is away and for whom `me` is asked, if there is one."""
    for one in view.approvers:
        if one.email == me and one.on_behalf_of and (one.asked or one.answer):
            return named(view, one.on_behalf_of)
    return None
