"""The audit trail of one approval: a sentence an event, with who and when."""

from typing import assert_never

from events.approval import (
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    DecisionSubmitted,
    NotificationFailed,
    WriteBackFailed,
)
from events.store.database import storable


def actor(event: ApprovalEvent) -> str | None:
    """Return the address of who did it, or None where nobody did."""
    found = _actor(event)
    return None if found is None else storable(found)


def _actor(event: ApprovalEvent) -> str | None:
    match event:
        case ApprovalRequested():
            return event.about.requester.email
        case ApprovalCommented() | DecisionSubmitted() | ApprovalDecided() | ApprovalAcknowledged():
            return event.by.email
        case ApprovalWithdrawn():
            return event.by
        case (
            ApproverNotified()
            | NotificationFailed()
            | ApprovalRevised()
            | WriteBackFailed()
            | ApprovalExpired()
        ):
            return None
        case _:
            assert_never(event)


def summary(event: ApprovalEvent) -> str:
    """Return the sentence that stands in the history, in plain text."""
    return storable(_sentence(event))


def _sentence(event: ApprovalEvent) -> str:
    match event:
        case ApprovalRequested():
            people = ", ".join(person.email for person in event.approvers)
            where = f" in {event.about.source.name}" if event.about.source else ""
            return f"{event.about.requester.email} asked{where}; it waits for {people}."
        case ApproverNotified():
            return f"{event.approver} was told by {event.channel} (revision {event.revision})."
        case NotificationFailed():
            return f"{event.approver} could not be told by {event.channel}: {event.reason}"
        case ApprovalRevised():
            return f"The content changed: this is revision {event.about.revision} now."
        case ApprovalCommented():
            return f"{event.by.email} wrote: {event.text}"
        case DecisionSubmitted():
            through = f", through key {event.via}" if event.via else ""
            edited = ", with an edited payload" if event.edited else ""
            return f"{event.by.email} answered {event.outcome} by {event.channel}{through}{edited}."
        case WriteBackFailed():
            return f"The answer {event.outcome} was not taken by the source: {event.reason}"
        case ApprovalDecided():
            because = f": {event.reason}" if event.reason else "."
            return f"{event.outcome.capitalize()} by {event.by.email}{because}"
        case ApprovalWithdrawn():
            return f"Withdrawn: {event.reason}"
        case ApprovalExpired():
            return "Expired: nobody decided in time."
        case ApprovalAcknowledged():
            return f"{event.by.email} has heard the outcome."
        case _:
            assert_never(event)
