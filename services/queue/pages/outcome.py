"""How an approval stands, in a sentence; pure."""

from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView, Status
from services.queue.pages.people import is_asked, named
from services.queue.pages.words import STATUS_WORDS, source_label, through

MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """The status in words, with how it came about: the words alone tell, without any colour."""

    status: Status
    words: str
    how: str | None = None
    reason: str | None = None
    at: datetime | None = None


def standing(view: ApprovalView, me: str) -> Standing:
    """Return how an approval stands, as `me` reads it."""
    words = STATUS_WORDS[view.status]
    match view.status:
        case "pending":
            return Standing(view.status, _waits(view, me))
        case "deciding":
            where = source_label(view.source.name) if view.source else "the source"
            return Standing(view.status, f"{words} to {where}", _answered(view, me))
        case "approved" | "rejected":
            who = _person(view, view.decided_by, me)
            channel = f" {through(view.decision_channel)}" if view.decision_channel else ""
            how = f"by {who}{channel}" if who else None
            return Standing(view.status, words, how, view.decision_reason, view.decided_at)
        case "withdrawn":
            who = _person(view, view.withdrawn_by, me)
            how = f"by {who}" if who else None
            return Standing(view.status, words, how, view.withdrawn_reason, view.updated_at)
        case "expired":
            return Standing(view.status, words, "Nobody answered in time.", None, view.expires_at)


def _waits(view: ApprovalView, me: str) -> str:
    if is_asked(view, me):
        return "Waits for you"
    names = [person.name or person.email for person in view.approvers]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"Waits for {', '.join(names[:MOST_NAMES])}{more}"


def _answered(view: ApprovalView, me: str) -> str | None:
    for person in view.approvers:
        if person.answer is not None:
            return f"{person.answer} by {_person(view, person.email, me)}"
    return None


def _person(view: ApprovalView, email: str | None, me: str) -> str | None:
    if email is None:
        return None
    return "you" if email == me else named(view, email)
