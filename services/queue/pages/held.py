"""An answer that was given and can still be taken back; pure."""

from dataclasses import dataclass
from datetime import datetime

from events.approval import Outcome
from projections.approval_view import ApprovalView
from services.queue.pages.people import named


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What was answered, by whom, and until when they may take it back; `left_s` from now."""

    outcome: Outcome
    by: str
    mine: bool
    until: datetime
    left_s: int


def held(view: ApprovalView, me: str, now: datetime) -> Held | None:
    """Return the answer that is held, None where there is none or its time is over."""
    if view.status != "deciding" or view.held_until is None or now >= view.held_until:
        return None
    last = _last_answer(view)
    if last is None:
        return None
    outcome, email = last
    return Held(
        outcome=outcome,
        by=named(view, email),
        mine=email == me,
        until=view.held_until,
        left_s=round((view.held_until - now).total_seconds()),
    )


def _last_answer(view: ApprovalView) -> tuple[Outcome, str] | None:
    """Return the answer that settled it, which its course does not count yet, and who gave it."""
    votes = view.course.votes if view.course is not None else ()
    counted = {(vote.step + 1, vote.seat, vote.by.email, vote.outcome) for vote in votes}
    for one in view.approvers:
        by = one.answered_by or one.email
        if one.answer and (one.step, one.on_behalf_of or one.email, by, one.answer) not in counted:
            return one.answer, by
    return None
