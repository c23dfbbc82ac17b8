"""A program as a channel: it is sent each card, signed, and decides through the public API."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Literal

from services.channels import Recipient
from services.channels.belonging import refuse_others
from services.channels.card import Card
from services.channels.posting import Posting
from services.channels.webhook.message import Event, message
from services.outgoing.signing import sign


class WebhookChannel:
    """Posts to one URL, for everybody; signatures follow Standard Webhooks."""

    repeatable: Literal[True] = True
    """Receivers tell by `webhook-id` what they have had."""

    def __init__(
        self,
        name: str,
        workspace: str,
        *,
        url: str,
        secret: str,
        posting: Posting,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = name
        self._workspace = workspace
        self._url = url
        self._secret = secret
        self._posting = posting
        self._clock = clock

    def reaches(self, to: Recipient) -> bool:  # noqa: ARG002 # the receiver knows
        """See `Channel.reaches`: the receiver knows who is meant."""
        return True

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`: a repeat has the same `webhook-id`, which is also the reference."""
        reference = _digest(idempotency_key)
        await self._post("card.sent", card, to, workspace, reference, reference)
        return reference

    async def find(
        self,
        idempotency_key: str,
        *,
        to: Recipient,  # noqa: ARG002 # the key knows whom it is for
        workspace: str,  # noqa: ARG002 # same
    ) -> str | None:
        """See `Finder.find`: known from the key. The receiver takes what it never had as new."""
        return _digest(idempotency_key)

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """See `Channel.update`: the whole card once more, with the reference of the first one."""
        # Not made from what it shows: a card may show the same again after something else.
        message_id = secrets.token_hex(16)
        await self._post("card.updated", card, to, workspace, reference, message_id)

    async def remind(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        """See `Reminding.remind`."""
        message_id = _digest(idempotency_key)
        await self._post("card.reminded", card, to, workspace, reference, message_id)

    async def _post(
        self,
        event: Event,
        card: Card,
        to: Recipient,
        workspace: str,
        reference: str | None,
        message_id: str,
    ) -> None:
        refuse_others(self.name, self._workspace, workspace)
        now = self._clock()
        body = message(
            event,
            card,
            channel=self.name,
            workspace=workspace,
            to=to,
            reference=reference,
            at=now,
        )
        timestamp = int(now.timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(message_id, timestamp, body, [self._secret]),
        }
        await self._posting.post(f"The receiver of {self.name}", self._url, headers, body)


def _digest(idempotency_key: str) -> str:
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]
