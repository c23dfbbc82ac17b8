"""How an approval stands, in the words of the command line: progress, who is asked, time left."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from services.cli.console import plain

FINAL = frozenset(("approved", "rejected", "withdrawn", "expired"))


def progress_in(approval: dict[str, Any]) -> str:
    """Return how far an approval has come, such as "2 of 3, finance missing"; empty if unknown."""
    return str((approval.get("progress") or {}).get("words", ""))


def question_in(approval: dict[str, Any]) -> str:
    """Return what an approver asks back now; empty if nobody does."""
    asked = approval.get("asked_back")
    if not asked:
        return ""
    what = "returns it for changes" if asked["wants"] == "changes" else "asks"
    return f"{asked['by']['email']} {what}: {asked['text']}"


def standing(approval: dict[str, Any]) -> Iterator[str]:
    """Yield lines, as plain text, on what an approval that is not final waits for."""
    if approval["status"] in FINAL:
        return
    if progress_in(approval):
        yield plain(progress_in(approval))
    question = question_in(approval)
    if question:
        yield plain(question)
        yield from ways_to_answer(approval)
    waits = [_asked(one) for one in approval["approvers"] if one.get("asked")]
    if waits:
        yield plain(f"Waits for {', '.join(dict.fromkeys(waits))}.")
    if approval["status"] == "pending":
        yield _time_left(approval)


def ways_to_answer(approval: dict[str, Any]) -> Iterator[str]:
    """Yield how whoever is asked back can answer it."""
    yield f"Answer it with: placet answer {approval['id']} TEXT"
    if approval["asked_back"]["wants"] == "changes":
        yield f"Or change it with: placet revise {approval['id']} --payload FILE"


def on_behalf_of(approval: dict[str, Any], approver: str) -> str:
    """Return in whose places somebody is asked; empty where only in their own."""
    mine = [
        str(one["on_behalf_of"])
        for one in approval["approvers"]
        if one["email"] == approver.strip().lower() and one.get("on_behalf_of") and one.get("asked")
    ]
    return ", ".join(mine)


def answer_of(approver: dict[str, Any]) -> str:
    """Return what somebody answered, or whether they are asked."""
    if approver["answer"]:
        by = f" by {approver['answered_by']}" if approver.get("answered_by") else ""
        return f"{approver['answer']}{by}"
    return "asked" if approver.get("asked") else ""


def span(seconds: int) -> str:
    """Return a span of time as people say it: its largest unit, rounded down."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _asked(approver: dict[str, Any]) -> str:
    instead = f" (for {approver['on_behalf_of']})" if approver.get("on_behalf_of") else ""
    return f"{approver['email']}{instead}"


def _time_left(approval: dict[str, Any]) -> str:
    if approval.get("asked_back"):
        return "The clock stands still until that is answered."
    left = datetime.fromisoformat(approval["expires_at"]) - datetime.now(UTC)
    return f"{span(max(0, int(left.total_seconds())))} left."
