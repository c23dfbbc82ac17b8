"""What a person is told once after an answer: a code in the address, the words from the record."""

from dataclasses import dataclass
from typing import Literal

from projections.approval_view import ApprovalView
from services.queue.pages.words import safe_url, source_label

NoticeCode = Literal["approved", "rejected", "deciding", "settled", "returned", "commented"]
CODES: frozenset[NoticeCode] = frozenset(
    ("approved", "rejected", "deciding", "settled", "returned", "commented")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message about one approval; `alarming` when what the person wanted did not happen."""

    text: str
    title: str
    id: str
    alarming: bool = False
    record_url: str | None = None
    record_label: str | None = None


def code_after(view: ApprovalView, me: str) -> NoticeCode:
    """Return the code of what came of the answer that `me` just gave."""
    if view.status in ("approved", "rejected") and view.decided_by == me:
        return "approved" if view.status == "approved" else "rejected"
    if view.status == "deciding":
        return "deciding"
    return "returned" if view.status == "pending" else "settled"


def notice(code: str | None, view: ApprovalView, me: str) -> Notice | None:
    """Return what to tell `me`; None for an unknown code, or one that the approval belies.

    Somebody may send a link with any code: what is said comes from the approval alone.
    """
    told = _told(code, view, me) if code in CODES else None
    if told is None:
        return None
    text, alarming = told
    return Notice(
        text=text,
        title=view.title,
        id=view.id,
        alarming=alarming,
        record_url=safe_url(view.source.url) if view.source else None,
        record_label=source_label(view.source.name) if view.source else None,
    )


def _told(code: str | None, view: ApprovalView, me: str) -> tuple[str, bool] | None:
    where = source_label(view.source.name) if view.source else None
    if code == "commented":
        return "Your comment stands in the history.", False
    match view.status:
        case "approved" | "rejected" if view.decided_by == me:
            has_it = f" {where} has it." if where else ""
            return f"{view.status.capitalize()}.{has_it}", False
        case "deciding" if any(p.email == me and p.answer for p in view.approvers):
            text = f"Your answer is safe. It is being written back to {where or 'the source'}."
            return text, False
        case "withdrawn" | "expired" | "approved" | "rejected" if code == "settled":
            return "This request is already resolved/canceled.", True
        case "pending" if code == "returned":
            text = f"{where or 'The source'} did not take your answer. This waits for you again."
            return text, True
        case _:
            return None
