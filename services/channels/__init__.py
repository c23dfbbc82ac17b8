"""Channels: where cards go; each shows a card, and shows it anew when what it says changed."""

from typing import Protocol, runtime_checkable

from events.store import Unavailable
from services.channels.card import Card, Shown


class ChannelUnavailable(Unavailable):
    """The channel cannot be reached, is overloaded or said to come back later: try again.

    `retry_after` is what it asked for, in seconds.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChannelRefused(Exception):
    """The channel understood, and definitely says no: do not try again; the message says why."""


class Channel(Protocol):
    """One way to reach approvers, of every workspace. Every call may be repeated."""

    name: str
    """How the channel is called in events; without a colon."""

    async def send(
        self, card: Card, *, approval_id: str, approver: str, workspace: str, idempotency_key: str
    ) -> str | None:
        """Show a card to an approver and return what finds it again for `update`, if anything.

        The same `idempotency_key` is the same card: a channel that can, shows it once.
        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...

    async def update(
        self, reference: str | None, card: Card, shown: Shown, *, workspace: str
    ) -> None:
        """Let a card that was sent show something else from now on; no new message.

        An open card may have nothing to press any more, and have it again later: see `Card.asks`.
        Raises `ChannelUnavailable`, and `ChannelRefused` when the card is not there any more.
        """
        ...


@runtime_checkable
class Reminding(Protocol):
    """A channel that can tell somebody again of a card that is out."""

    async def remind(
        self,
        reference: str | None,
        card: Card,
        *,
        approval_id: str,
        approver: str,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        """Say, beside the card that was sent, that it still waits: a short message of its own.

        The same `idempotency_key` is the same reminder.
        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...


@runtime_checkable
class Finder(Protocol):
    """A channel that can tell where a card is by the key that it was sent with.

    That is how a card is edited whose reference was lost with the process that sent it.
    """

    async def find(self, idempotency_key: str, *, workspace: str) -> str | None:
        """Return the reference, or None if no card was sent with this key.

        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...
