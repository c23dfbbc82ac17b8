"""The rules of mirrored records: what a system of record shows, and what follows from it here."""

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from events.approval import ApprovalEvent, ApprovalRevised, ApprovalWithdrawn, Person
from events.commands import (
    ObservePending,
    ObserveSettled,
    RequestApproval,
    SettleInWriteBack,
)
from events.decider.asking import decided_by_policy, requested
from events.state import Decided, Deciding, Expired, Pending, State, Unknown, Withdrawn

CLOCK_TOLERANCE = timedelta(seconds=5)
"""How far the clocks of two machines may differ before an old reading is taken for a new one."""


def reopens(observation: ObservePending, state: State) -> bool:
    """Tell whether a record that was settled here is pending again: a new round, a new approval.

    A reading that began before the approval was settled only looks like one.
    """
    match state:
        case Decided() | Withdrawn() | Expired():
            return observation.read_at > state.at + CLOCK_TOLERANCE
        case Unknown() | Pending() | Deciding():
            return False
        case _:
            assert_never(state)


def observe_pending(command: ObservePending, state: State) -> list[ApprovalEvent]:
    """Ask for a record that is pending, or revise what was asked when its content changed."""
    match state:
        case Unknown():
            return requested(command.ask)
        case Pending():
            return revised(command.ask, state) if content_changed(command.ask, state) else []
        case Deciding():
            return []  # the write-back reads the record itself before it writes
        case Decided() | Withdrawn() | Expired():
            return []  # a new round is a new approval: see `reopens`
        case _:
            assert_never(state)


def content_changed(ask: RequestApproval, state: Pending | Deciding) -> bool:
    """Tell whether an approver would now see something else; a note or a new time is no change."""
    asked = state.asked
    return (
        # The digest tells true from 1, which Python's == does not.
        ask.about.payload_digest != asked.about.payload_digest
        or ask.about.title != asked.about.title
        or {p.email for p in ask.approvers} != {p.email for p in asked.approvers}
    )


def revised(
    ask: RequestApproval, state: Pending | Deciding, by: Person | None = None
) -> list[ApprovalEvent]:
    """Return the facts of a change, under a revision that was never shown before.

    `by` is the requester who made it and whose ask says until when it waits; None: the source.
    """
    about = ask.about
    if about.revision in state.asked.revisions:
        # A source that changes content and keeps its revision, or takes up an old one: an answer
        # to what was shown before must still be told from an answer to what is shown now.
        about = replace(about, revision=f"{about.revision}+{state.version}")
    changed = ApprovalRevised(
        about=about,
        payload=ask.payload,
        approvers=ask.approvers,
        policy=ask.policy,
        by=by,
        expires_at=ask.expires_at if by is not None else None,
        on_timeout=ask.on_timeout,
        reason=ask.reason if by is not None else None,
        at=ask.now,
    )
    return [changed, *decided_by_policy(ask, about)]


def observe_settled(command: ObserveSettled, state: State) -> list[ApprovalEvent]:
    """Withdraw what the source shows as pending no more."""
    match state:
        case Pending():
            return [settled(command, state)]
        case Unknown() | Deciding() | Decided() | Withdrawn() | Expired():
            return []  # while deciding, the write-back alone tells our own write from another's
        case _:
            assert_never(state)


def settled(
    command: ObserveSettled | SettleInWriteBack, state: Pending | Deciding
) -> ApprovalWithdrawn:
    """Return the fact of what the source has settled by itself."""
    return ApprovalWithdrawn(
        about=state.asked.about,
        cause=command.cause,
        by=command.by,
        reason=_reason(command),
        outcome=command.outcome,
        at=command.now,
    )


def _reason(command: ObserveSettled | SettleInWriteBack) -> str:
    by = f" by {command.by}" if command.by else ""
    match command.cause:
        case "settled":
            return f"{(command.outcome or 'settled').capitalize()} in the source{by}."
        case "cancelled":
            return f"Cancelled in the source{by}."
        case "gone":
            return "The source does not know this record any more."
        case "recalled" | "superseded":
            return f"{command.cause.capitalize()}{by}."
        case _:
            assert_never(command.cause)
