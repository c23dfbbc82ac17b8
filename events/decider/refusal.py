"""What may not be, in sentences that tell a person what happened and what to do next."""

from datetime import datetime
from typing import Literal

from events.state import Withdrawn

RefusalCode = Literal[
    "not_found",
    "not_an_approver",
    "not_the_requester",
    "already_resolved",
    "stale_revision",
    "source_refused",
    "not_editable",
    "not_final",
]


class Refused(Exception):
    """The ask cannot be granted: tell the person, who finds what happened and what to do next.

    `code` is stable; the message is for people.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(message)
        self.code: RefusalCode = code


def already_withdrawn(state: Withdrawn) -> str:
    """Return the sentence for somebody who comes after the withdrawal."""
    by = f" by {state.by}" if state.by else ""
    return f"This request is already resolved/canceled: {state.cause}{by} at {when(state.at)}."


def not_found() -> Refused:
    """Return the refusal of a command for an approval that nobody asked for."""
    return Refused("not_found", "There is no such approval.")


def when(at: datetime) -> str:
    """Return a time as people read it."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
