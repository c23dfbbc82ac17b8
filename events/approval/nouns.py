"""The nouns of an approval: people, subjects, records and links, as its facts hold them."""

from dataclasses import dataclass
from typing import Any, Literal

Json = Any
Outcome = Literal["approved", "rejected"]
Urgency = Literal["low", "medium", "high"]
OnTimeout = Literal["expire", "approve", "reject", "fallback"]
"""What becomes of an ask that nobody decided in time; `fallback` takes it to another policy."""
WithdrawalCause = Literal["settled", "cancelled", "gone", "recalled", "superseded"]
"""Settled, cancelled or gone in the source; recalled by the requester; superseded by another."""
WriteBackFailure = Literal["refused", "unreachable", "changed"]
Reassignment = Literal["reassigned", "delegated", "deactivated"]
"""By somebody; because somebody is away; because somebody is no longer there."""
Wanted = Literal["answer", "changes"]
"""What an approver wants of the requester before the approval goes on."""
Assurance = Literal["link", "key", "channel", "session", "step_up"]
"""How it is known who answered: whoever holds a link; a key that speaks for them; their account on
a channel; a session that they signed in to; that, and a second factor for this very answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody by e-mail address, which is kept in lower case."""

    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An item elsewhere that belongs to an approval, such as an issue or a pull request."""

    kind: str
    id: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """The record in a system of record that an approval mirrors."""

    name: str
    record_id: str
    revision: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an approval is about: all that a subscriber needs to know about it without asking back.

    `revision` is the version of the content that an approver saw; `payload_digest` is the
    SHA-256 of the canonical payload (RFC 8785), so that what was approved can be held to it.
    """

    type: str
    title: str
    requester: Person
    revision: str
    round: int
    payload_digest: str
    source: SourceRecord | None = None
    subject: str | None = None
    checkpoint_name: str | None = None
    execution_id: str | None = None
    agent_id: str | None = None
    links: tuple[Link, ...] = ()
    callback_url: str | None = None
    type_version: int | None = None
    """Which version of its approval type it was held to; None for a type that nobody defined."""
    callback_dialect: str | None = None
    """In which words `callback_url` is told; None for our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The payload as an approver changed it, with its own digest: this is what was approved."""

    payload: Json
    payload_digest: str
