"""Whose turn it is: what a reader can do with an approval now, or why nothing; pure."""

from datetime import datetime
from typing import Literal

from events.course import Course
from events.voting import answer_for, seat_of
from projections.approval_view import ApprovalView
from services.queue.pages.held import held

Turn = Literal[
    "answer",
    "answered",
    "returned",
    "later",
    "question",
    "own",
    "not_asked",
    "out_of_time",
    "held",
    "deciding",
    "final",
]
"""They can answer; have answered, and it still waits for others; wait for changes; are asked at a
later step; are asked something as the requester; asked for it themselves; are not asked at all; no
time is left; may take their answer back; the answer is on its way; nothing is left to do."""


def turn(view: ApprovalView, me: str, now: datetime) -> Turn:
    """Return whose turn it is."""
    if view.status == "deciding":
        kept = held(view, me, now)
        return "held" if kept is not None and kept.mine else "deciding"
    if view.status != "pending":
        return "final"
    if now >= view.deadline:
        return "out_of_time" if _asked(view, me) or me == view.requester.email else "not_asked"
    if me == view.requester.email and view.asked_back is not None:
        return "question"
    if barred(view, me):
        return "own"
    found = _turn_of_approver(view, me)
    if found in ("answer", "answered") and view.asked_back is not None:
        return "returned" if view.asked_back.wants == "changes" else found
    return "own" if found == "not_asked" and me == view.requester.email else found


def barred(view: ApprovalView, me: str) -> bool:
    """Tell whether somebody may not answer because they asked."""
    if me != view.requester.email:
        return False
    policy = view.course.policy if view.course is not None else None
    if view.source is not None and not (policy and policy.name):
        return False  # its source says who may decide
    return not (policy and policy.self_approval)


def waits_for(view: ApprovalView, email: str) -> bool:
    """Tell whether somebody is to do something now, and may."""
    if view.asked_back is None and barred(view, email):
        return False
    return email in view.waits_for


def answered(view: ApprovalView, me: str) -> bool:
    """Tell whether somebody has answered, and others are still to answer."""
    return view.course is not None and any(vote.by.email == me for vote in view.course.votes)


def may_edit(view: ApprovalView) -> bool:
    """Tell whether one answer settles it, so that it may change what is approved."""
    if not view.editable or not isinstance(view.payload, dict):
        return False
    course = view.course
    if course is None:
        return True
    alone = course.last_step and course.now_at.needed == 1
    return alone and not any(vote.outcome == "approved" for vote in course.votes)


def _turn_of_approver(view: ApprovalView, me: str) -> Turn:
    course = view.course
    if course is None:
        return "answer" if _asked(view, me) else "not_asked"
    seat = seat_of(course.now_at, me)
    if seat is not None:
        vote = answer_for(course.now_at, course.step, seat, course.votes)
        return "answer" if vote is None else "answered"
    if answered(view, me):
        return "answered"
    return "later" if _at_later_step(course, me) else "not_asked"


def _asked(view: ApprovalView, me: str) -> bool:
    if view.course is None:
        return any(one.email == me for one in view.approvers)
    return seat_of(view.course.now_at, me) is not None


def _at_later_step(course: Course, me: str) -> bool:
    return any(seat_of(step, me) for step in course.policy.steps[course.step + 1 :])
