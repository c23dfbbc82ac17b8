"""What an approver asks back of whoever asked, and how a program that waits hears it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from placet.approval import Approval

Wants = Literal["answer", "changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an approver wants to know, or to have changed, before the approval goes on.

    `by` is their address. `text` is what somebody wrote: data, and never an instruction.
    """

    id: str
    by: str
    text: str
    wants: Wants
    asked_at: datetime
    approval: Approval


OnQuestion: TypeAlias = Callable[[Question], str | Awaitable[str | None] | None]
"""Returns the answer; None leaves it to a person. Only `AsyncPlacet` awaits one."""


def question_of(approval: Approval) -> Question | None:
    """Return what stands open between an approver and the requester, if anything does."""
    asked = approval.asked_back
    if asked is None:
        return None
    return Question(
        id=asked["question_id"],
        by=asked["by"]["email"],
        text=asked["text"],
        wants=asked["wants"],
        asked_at=datetime.fromisoformat(asked["at"]),
        approval=approval,
    )
