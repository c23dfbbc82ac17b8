"""The audit trail of one approval: a sentence an event, with who and when."""

from collections.abc import Mapping
from typing import assert_never

from events.approval import (
    AnsweredBack,
    ApprovalAcknowledged,
    ApprovalCommented,
    ApprovalDecided,
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    ApproverNotified,
    AskedBack,
    Assurance,
    DecisionSubmitted,
    DecisionUndone,
    NotificationFailed,
    WriteBackFailed,
)
from events.store.database import storable

_KNOWN: Mapping[Assurance, str] = {
    "link": "known by the link that was sent to them alone",
    "channel": "known by their account there",
    "session": "signed in",
    "step_up": "signed in, and confirmed by their passkey",
}
"""How it is known who answered; of a key, `via` says it, or the channel."""


def actor(event: ApprovalEvent) -> str | None:
    """Return the address of who did it, or None where nobody did."""
    found = _actor(event)
    return None if found is None else storable(found)


def _actor(event: ApprovalEvent) -> str | None:
    match event:
        case ApprovalRequested():
            return event.about.requester.email
        case (
            ApprovalCommented()
            | DecisionSubmitted()
            | DecisionUndone()
            | ApprovalDecided()
            | ApprovalAcknowledged()
            | AskedBack()
            | AnsweredBack()
        ):
            return event.by.email
        case ApprovalWithdrawn() | ApprovalReminded() | ApprovalReassigned():
            return event.by
        case ApprovalRevised():
            return event.by.email if event.by else None
        case (
            ApproverNotified()
            | NotificationFailed()
            | ApprovalEscalated()
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
            where = f" in {event.about.source.name}" if event.about.source else ""
            return f"{event.about.requester.email} asked{where}; {_waits_for(event)}"
        case ApproverNotified():
            twice = (
                " An earlier attempt may have arrived as well: the channel cannot tell."
                if event.perhaps_twice
                else ""
            )
            return (
                f"{event.approver} was told by {event.channel} (revision {event.revision}).{twice}"
            )
        case NotificationFailed():
            return f"{event.approver} could not be told by {event.channel}: {event.reason}"
        case ApprovalRevised():
            by = f"{event.by.email} changed it" if event.by else "The content changed"
            return f"{by}: this is revision {event.about.revision} now."
        case ApprovalReminded():
            return f"{event.approver} was reminded, for time {event.number}."
        case ApprovalReassigned():
            return _reassigned(event)
        case ApprovalEscalated():
            return event.reason
        case AskedBack():
            what = "asks" if event.wants == "answer" else "returns it for changes"
            return f"{event.by.email} {what}{_through(event.via)}: {event.text}"
        case AnsweredBack():
            return f"{event.by.email} answers: {event.text}"
        case ApprovalCommented():
            return f"{event.by.email} wrote: {event.text}"
        case DecisionSubmitted():
            through = _through(event.via)
            edited = ", with an edited payload" if event.edited else ""
            instead = f" for {event.on_behalf_of}" if event.on_behalf_of else ""
            known = _KNOWN.get(event.assurance) if event.assurance else None
            return (
                f"{event.by.email} answered {event.outcome}{instead} by {event.channel}{through}"
                f"{f', {known}' if known else ''}{edited}."
            )
        case DecisionUndone():
            return f"{event.by.email} took the answer {event.outcome} back."
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
            told = ", and said what took effect" if event.effective else ""
            return f"{event.by.email} has heard the outcome{told}."
        case _:
            assert_never(event)


def _through(via: str | None) -> str:
    return f", through key {via}" if via else ""


def _waits_for(event: ApprovalRequested) -> str:
    policy = event.policy
    if policy is None:
        return f"it waits for {', '.join(person.email for person in event.approvers)}."
    people = ", ".join(
        f"{seat.held_by.email} (for {seat.person.email})" if seat.held_by else seat.person.email
        for seat in policy.steps[0].seats
    )
    sentences = [f"it waits for {people}."]
    if policy.name:
        because = f", because it {policy.because}" if policy.because else ""
        sentences.append(f"Policy {policy.name}, version {policy.version}{because}.")
    return " ".join((*sentences, *(f"Warning: {warning}" for warning in policy.warnings)))


def _reassigned(event: ApprovalReassigned) -> str:
    because = f": {event.reason}" if event.reason else "."
    match event.cause:
        case "reassigned":
            through = _through(event.via)
            return f"Passed on from {event.person} to {event.to.email}{through}{because}"
        case "delegated":
            return f"{event.person} is away: {event.to.email} stands in for them{because}"
        case "deactivated":
            return f"{event.person} is not active any more: {event.to.email} is asked{because}"
        case _:
            assert_never(event.cause)
