"""What people said about an approval: the question that is open, questions, answers, comments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from projections.approval_view import ApprovalView
from services.queue.pages.people import named
from services.queue.pages.reading import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the requester is asked; `changes` when it was returned for changes."""

    id: str
    by: str
    to: str
    to_me: bool
    text: str
    changes: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody wrote; `how` is empty for a comment."""

    by: str
    how: str
    at: datetime
    text: str


def question(view: ApprovalView, me: str) -> Question | None:
    """Return the question that is open."""
    asked = view.asked_back
    if asked is None or view.status != "pending":
        return None
    return Question(
        id=asked.question_id,
        by=asked.by.name or named(view, asked.by.email),
        to=view.requester.name or view.requester.email,
        to_me=me == view.requester.email,
        text=asked.text,
        changes=asked.wants == "changes",
        at=asked.at,
    )


def talk(view: ApprovalView, history: Sequence[Entry]) -> tuple[Said, ...]:
    """Return what people wrote, oldest first."""
    return tuple(
        Said(
            by=named(view, entry.data["by"]["email"]),
            how=_how(entry),
            at=entry.at,
            text=entry.data["text"],
        )
        for entry in history
        if entry.type in ("approval.commented", "approval.asked_back", "approval.answered_back")
    )


def _how(entry: Entry) -> str:
    if entry.type == "approval.asked_back":
        returned = entry.data.get("wants") == "changes"
        return "returned it for changes" if returned else "asked"
    return "answered" if entry.type == "approval.answered_back" else ""
