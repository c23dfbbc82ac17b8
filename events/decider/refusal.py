"""What may not be, in sentences that tell a person what happened and what to do next."""

from datetime import datetime
from typing import Literal, assert_never

from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn

RefusalCode = Literal[
    "not_found",
    "not_an_approver",
    "not_the_requester",
    "already_resolved",
    "stale_revision",
    "source_refused",
    "not_editable",
    "not_final",
    "already_answered",
    "own_request",
    "returned",
    "not_asked_back",
    "cannot_reassign",
    "reminded_already",
    "too_often",
    "assurance_too_low",
    "too_late_to_undo",
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


def refuse_unless_pending(state: State) -> Pending:
    """Return what still waits; raises `Refused` for what does not, saying how it ended."""
    match state:
        case Pending():
            return state
        case Unknown():
            raise not_found()
        case Deciding():
            raise Refused(
                "already_resolved",
                f"{state.answer.by.email} has already {state.answer.outcome} this.",
            )
        case Withdrawn():
            raise Refused("already_resolved", already_withdrawn(state))
        case Decided():
            raise Refused(
                "already_resolved",
                f"Already {state.outcome} by {state.by.email} at {when(state.at)}.",
            )
        case Expired():
            raise Refused("already_resolved", f"Already expired at {when(state.at)}.")
        case _:
            assert_never(state)


def when(at: datetime) -> str:
    """Return a time as people read it."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
