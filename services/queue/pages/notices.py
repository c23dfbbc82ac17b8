"""What a person is told once after an answer: a code in the address, the words from the record."""

from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView
from services.queue.pages.held import Held, held
from services.queue.pages.people import joined, listed, named
from services.queue.pages.words import safe_url, source_label

ANSWERED = "answered"
COMMENTED = "commented"
ASKED = "asked"
REPLIED = "replied"
REVISED = "revised"
PASSED_ON = "passed_on"
REMINDED = "reminded"
WITHDRAWN = "withdrawn"
UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message about one approval, where its record is, and an answer to take back."""

    text: str
    title: str
    id: str
    record_url: str | None
    record_label: str | None
    held: Held | None


def notice(code: str | None, view: ApprovalView, me: str, now: datetime) -> Notice | None:
    """Return what to tell `me`; None for an unknown code, or one that the approval belies.

    Somebody may send a link with any code: what is said comes from the approval alone.
    """
    kept = held(view, me, now)
    mine = kept if kept is not None and kept.mine else None
    text = _text(code, view, me, mine)
    if text is None:
        return None
    return Notice(
        text=text,
        title=view.title,
        id=view.id,
        record_url=safe_url(view.source.url) if view.source else None,
        record_label=source_label(view.source.name) if view.source else None,
        held=mine if code == ANSWERED else None,
    )


def _text(code: str | None, view: ApprovalView, me: str, mine: Held | None) -> str | None:
    match code:
        case "commented":
            return "Your comment stands in the history."
        case "answered" if mine is not None:
            return f"You {mine.outcome} this."
        case "answered":
            return _answered(view, me)
        case "undone" if view.status == "pending" and me in view.waits_for:
            return "Taken back. It waits for you again."
        case "asked" | "replied" | "revised" | "passed_on" | "reminded" if view.status == "pending":
            return _moved(code, view, me)
        case "withdrawn" if view.withdrawn_by == me:
            return "Withdrawn. Nobody is asked any more."
        case _:
            return None


def _answered(view: ApprovalView, me: str) -> str | None:
    where = source_label(view.source.name) if view.source else None
    if view.decided_by == me:
        return f"{view.status.capitalize()}.{f' {where} has it.' if where else ''}"
    mine = any(
        one.answer is not None and me in (one.email, one.answered_by) for one in view.approvers
    )
    if view.status == "deciding" and mine:
        on_its_way = f"It is being written back to {where}." if where else "It is final now."
        return f"Your answer is safe. {on_its_way}"
    return _voted(view, me)


def _voted(view: ApprovalView, me: str) -> str | None:
    """Return what became of an answer after which others are still to answer."""
    votes = view.course.votes if view.course is not None else ()
    mine = next((vote for vote in reversed(votes) if vote.by.email == me), None)
    if view.status != "pending" or mine is None:
        return None
    return f"You {mine.outcome} this. It now waits for {_missing(view)}."


def _missing(view: ApprovalView) -> str:
    progress = view.progress
    if view.asked_back is not None or progress is None:
        return listed([named(view, email) for email in view.waits_for])
    who = joined(progress.missing) or listed([named(view, email) for email in view.waits_for])
    step = f"step {progress.step} of {progress.steps}, " if progress.steps > 1 else ""
    return f"{who} ({step}{progress.approved} of {progress.needed})"


def _moved(code: str, view: ApprovalView, me: str) -> str | None:
    """Return what a step on the way came to; None where the approval belies it."""
    course, requester = view.course, view.requester
    to = requester.name or requester.email
    question = view.asked_back
    match code:
        case "asked" if question is not None and question.by.email == me:
            what = "It went back" if question.wants == "changes" else "Your question went"
            return f"{what} to {to}. The clock stands still until the answer."
        case "replied" if course is not None and course.questions and question is None:
            return "Your answer stands in the history. The clock runs on."
        case "revised" if requester.email == me:
            return f"This is revision {view.revision} now. Everybody is asked anew."
        case "passed_on" if me not in view.waits_for:
            return f"Passed on. It waits for {_missing(view)}."
        case "reminded" if course is not None and course.reminders:
            last = course.reminders[-1].at
            told = [named(view, one.approver) for one in course.reminders if one.at == last]
            return f"Reminded: {joined(told)}."
        case _:
            return None
