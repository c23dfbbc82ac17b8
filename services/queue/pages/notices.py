"""What a person is told once after an answer: a code in the address, the words from the record."""

from dataclasses import dataclass

from projections.approval_view import ApprovalView
from services.queue.pages.words import safe_url, source_label

ANSWERED = "answered"
COMMENTED = "commented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message about one approval, and where its record is."""

    text: str
    title: str
    id: str
    record_url: str | None
    record_label: str | None


def notice(code: str | None, view: ApprovalView, me: str) -> Notice | None:
    """Return what to tell `me`; None for an unknown code, or one that the approval belies.

    Somebody may send a link with any code: what is said comes from the approval alone.
    """
    text = _text(code, view, me)
    if text is None:
        return None
    return Notice(
        text=text,
        title=view.title,
        id=view.id,
        record_url=safe_url(view.source.url) if view.source else None,
        record_label=source_label(view.source.name) if view.source else None,
    )


def _text(code: str | None, view: ApprovalView, me: str) -> str | None:
    if code == COMMENTED:
        return "Your comment stands in the history."
    if code != ANSWERED:
        return None
    where = source_label(view.source.name) if view.source else None
    if view.decided_by == me:
        return f"{view.status.capitalize()}.{f' {where} has it.' if where else ''}"
    mine = any(one.email == me and one.answer is not None for one in view.approvers)
    if view.status == "deciding" and mine:
        return f"Your answer is safe. It is being written back to {where or 'the source'}."
    return None
