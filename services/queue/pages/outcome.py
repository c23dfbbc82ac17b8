"""How an approval stands, in a sentence; pure."""

from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView, Status
from services.queue.pages.held import held
from services.queue.pages.people import joined, listed, named
from services.queue.pages.turns import waits_for
from services.queue.pages.words import STATUS_WORDS, source_label, through

NOBODY = frozenset(("policy", "timeout"))
"""The channels of answers that no person gave."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The status in words, with how it came about: the words alone tell, without any colour."""

    status: Status
    words: str
    how: str | None = None
    reason: str | None = None
    at: datetime | None = None


def standing(view: ApprovalView, me: str, now: datetime) -> Standing:
    """Return how an approval stands, as `me` reads it."""
    words = STATUS_WORDS[view.status]
    match view.status:
        case "pending":
            return Standing(view.status, _waits(view, me))
        case "deciding":
            return _on_its_way(view, me, now)
        case "approved" | "rejected":
            how = _decided(view, me)
            return Standing(view.status, words, how, view.decision_reason, view.decided_at)
        case "withdrawn":
            who = _person(view, view.withdrawn_by, me)
            how = f"by {who}" if who else None
            return Standing(view.status, words, how, view.withdrawn_reason, view.updated_at)
        case "expired":
            return Standing(view.status, words, "Nobody answered in time.", None, view.expires_at)


def _on_its_way(view: ApprovalView, me: str, now: datetime) -> Standing:
    how = _answered(view, me)
    if held(view, me, now) is not None:
        return Standing(view.status, "Not final yet", how)
    if view.source is None:
        return Standing(view.status, "Being carried out", how)
    where = source_label(view.source.name)
    return Standing(view.status, f"{STATUS_WORDS[view.status]} to {where}", how)


def progress(view: ApprovalView) -> str | None:
    """Return how far a pending approval has come, where one answer is not all that it takes."""
    found = view.progress
    if view.status != "pending" or found is None or (found.steps == 1 and found.needed == 1):
        return None
    return found.words


def _waits(view: ApprovalView, me: str) -> str:
    if view.asked_back is not None:
        who = _person(view, view.requester.email, me)
        do = "change it" if view.asked_back.wants == "changes" else "answer a question"
        return f"Waits for {who} to {do}"
    names = [named(view, email) for email in view.waits_for if email != me]
    return f"Waits for {listed(['you', *names] if waits_for(view, me) else names)}"


def _decided(view: ApprovalView, me: str) -> str | None:
    channel = through(view.decision_channel) if view.decision_channel else None
    who = None if view.decision_channel in NOBODY else _person(view, view.decided_by, me)
    return " ".join(part for part in (f"by {who}" if who else None, channel) if part) or None


def _answered(view: ApprovalView, me: str) -> str | None:
    by_answer: dict[str, list[str]] = {}
    for one in view.approvers:
        who = _person(view, one.answered_by or one.email, me)
        if one.answer is not None and who and who not in by_answer.setdefault(one.answer, []):
            by_answer[one.answer].append(who)
    return joined([f"{answer} by {joined(who)}" for answer, who in by_answer.items()]) or None


def _person(view: ApprovalView, email: str | None, me: str) -> str | None:
    if email is None:
        return None
    return "you" if email == me else named(view, email)
