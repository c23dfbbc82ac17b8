"""The inbox as a channel: the queue itself is the card, so there is nothing to send or to edit.

It is a channel all the same, so that one rule holds for all: each approver was told on each
channel, in which revision and with which content, and the history shows it.
"""

from services.channels import Recipient
from services.channels.card import Card


class InboxChannel:
    """The queue is read anew at each look, and so never shows what is out of date."""

    name = "inbox"

    def reaches(self, to: Recipient) -> bool:  # noqa: ARG002 # everybody has one
        """See `Channel.reaches`: everybody has a queue."""
        return True

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`: the approval is in the queue already, so nothing is sent."""

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """See `Channel.update`: the queue shows the approval as it is."""
