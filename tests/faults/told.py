"""What clients asked for, and what they were told: the promises that a history is held to."""

from dataclasses import dataclass, field
from typing import Literal

from events.approval import Outcome

Action = Literal["ask", "decide", "withdraw", "comment"]
Answer = Literal["invoked", "ok", "failed", "unknown"]
"""Sent and never heard of again; done; refused; sent, and whether it was done is not known."""


@dataclass(slots=True, kw_only=True)
class Told:
    """One command of a client.

    `mark` is a text that finds its effect in the store: the Idempotency-Key of an ask, which also
    stands in its metadata, the reason of an answer or a withdrawal, the text of a comment.
    `status` and `revision` are the approval's as the answer showed it, `code` a refusal's.
    """

    action: Action
    by: str
    mark: str
    approval_id: str | None = None
    outcome: Outcome | None = None
    answer: Answer = "invoked"
    status: str | None = None
    decided_by: str | None = None
    code: str | None = None

    @property
    def promised(self) -> bool:
        """Tell whether somebody was told that this is done."""
        return self.answer == "ok"

    def __str__(self) -> str:
        what = f"{self.action} {self.mark!r} by {self.by}"
        return f"{what} ({self.outcome})" if self.outcome else what


@dataclass(slots=True)
class Telling:
    """Everything that the clients of one test asked for."""

    commands: list[Told] = field(default_factory=list)

    def invoke(self, told: Told) -> Told:
        """Write a command down before it is sent; its answer is filled in later."""
        self.commands.append(told)
        return told

    def counted(self) -> str:
        """Return how many commands ended how, for people."""
        counts: dict[str, int] = {}
        for told in self.commands:
            name = f"{told.action} {told.answer}"
            counts[name] = counts.get(name, 0) + 1
        return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
