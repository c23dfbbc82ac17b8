"""The inbox as a channel: the queue itself is the card, so there is nothing to send or to edit.

It is a channel all the same, so that one rule holds for all: each approver was told on each
channel, in which revision and with which content, and the history shows it.
"""

from services.channels.card import Card, Shown


class InboxChannel:
    """The queue is read anew at each look, and so never shows what is out of date."""

    name = "inbox"

    async def send(
        self, card: Card, *, approval_id: str, approver: str, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`: the approval is in the queue already, so nothing is sent."""

    async def update(
        self, reference: str | None, card: Card, shown: Shown, *, workspace: str
    ) -> None:
        """See `Channel.update`: the queue shows the approval as it is."""
