"""Channels: where cards go; each shows a card, and shows it anew when what it says changed."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from events.store import Unavailable
from services.channels.card import Card
from services.channels.digest import Digest


class ChannelUnavailable(Unavailable):
    """The channel cannot be reached, is overloaded or said to come back later: try again.

    `retry_after` is what it asked for, in seconds. `not_sent` tells that nothing has happened for
    sure: there was no connection, or it said to come back later. Otherwise it may have.
    `one_method` tells that only what was asked for has to wait, and not the rest of the channel.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        not_sent: bool = False,
        one_method: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.one_method = one_method
        self.not_sent = not_sent or retry_after is not None


class ChannelRefused(Exception):
    """The channel understood, and definitely says no: do not try again; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Whom a card is for; `address` is theirs on the channel, where the directory has one."""

    email: str
    name: str | None = None
    address: str | None = None


class Channel(Protocol):
    """One way to reach approvers, of every workspace. Every call may be repeated."""

    name: str
    """How the channel is called in events and in the directory; without a colon."""

    def reaches(self, to: Recipient) -> bool:
        """Tell whether there is a way to somebody at all, as far as can be told without asking."""
        ...

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """Show a card to an approver and return what finds it again for `update`, if anything.

        The same `idempotency_key` is the same card: a channel that can, shows it once.
        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """Let a card that was sent show something else from now on; no new message.

        `card.shown` tells what has become of it. An open card may have nothing to press any more,
        and have it again later: see `Card.asks`.
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
        to: Recipient,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        """Say, beside the card that was sent, that it still waits: a short message of its own.

        The same `idempotency_key` is the same reminder.
        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...


@runtime_checkable
class Digesting(Protocol):
    """A channel that can list what waits for somebody in one message."""

    async def send_digest(
        self, digest: Digest, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> None:
        """Send the list: no card, nothing to press but links, never edited.

        The same `idempotency_key` is the same digest.
        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...


@runtime_checkable
class Finder(Protocol):
    """A channel that can tell where a card is by the key that it was sent with.

    That is how a card is neither sent again nor left as it is of which the reference was lost
    with the process that sent it.
    """

    async def find(self, idempotency_key: str, *, to: Recipient, workspace: str) -> str | None:
        """Return the reference, or None if for sure nothing was sent with this key.

        Raises `ChannelUnavailable`, `ChannelRefused`.
        """
        ...


@runtime_checkable
class Repeatable(Protocol):
    """A channel that shows what has the same idempotency key once, however often it is sent.

    To send again is harmless there, so that nothing has to be asked or written down before.
    """

    repeatable: Literal[True]
