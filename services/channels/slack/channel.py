"""Cards as direct messages in Slack: sent once, shown anew, found again, reminded of."""

import hashlib
from collections.abc import Mapping
from typing import Any

from services.channels import ChannelRefused, Recipient
from services.channels.card import Card
from services.channels.digest import Digest, digest_subject
from services.channels.slack.api import SlackApi
from services.channels.slack.blocks import blocks, digest_blocks, fallback
from services.channels.slack.escaping import mrkdwn
from services.channels.slack.people import People
from services.channels.text import reminder

EVENT = "placet"
"""What our messages are marked with, beside the key that they were sent with."""
MOST_REMINDER = 2000
PAGE = 200
PAGES = 3
"""How far back a card is looked for: among the latest 600 messages to somebody."""

_AS_WRITTEN: Mapping[str, Any] = {
    # What is written stands as it is: no names, no previews of what is linked.
    "mrkdwn": False,
    "parse": "none",
    "link_names": False,
    "unfurl_links": False,
    "unfurl_media": False,
}


class SlackChannel:
    """One Slack workspace, for the people of one workspace of ours.

    A reference is the conversation and the time of the message there, which is its id.
    """

    def __init__(self, name: str, workspace: str, api: SlackApi, people: People) -> None:
        self.name = name
        self._workspace = workspace
        self._api = api
        self._people = people

    def reaches(self, to: Recipient) -> bool:
        """See `Channel.reaches`: Slack is asked for the address when a card is sent."""
        return bool(to.address or to.email)

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`."""
        self._refuse_others(workspace)
        conversation = await self._people.conversation_with(to)
        answer = await self._api.call(
            "chat.postMessage",
            {
                **_AS_WRITTEN,
                "channel": conversation,
                "text": fallback(card),
                "blocks": blocks(card),
                "metadata": _mark(idempotency_key),
            },
            conversation=conversation,
        )
        return f"{answer['channel']}:{answer['ts']}"

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """See `Channel.update`."""
        self._refuse_others(workspace)
        conversation, ts = _place(reference, to)
        await self._api.call(
            "chat.update",
            {
                "channel": conversation,
                "ts": ts,
                "text": fallback(card),
                "blocks": blocks(card),
                "parse": "none",
                "link_names": False,
            },
        )

    async def remind(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        """See `Reminding.remind`: an answer to the card, shown in the conversation as well."""
        self._refuse_others(workspace)
        conversation, ts = _place(reference, to)
        subject, _ = reminder(card)
        left = f" {card.time_left} left." if card.time_left else ""
        await self._api.call(
            "chat.postMessage",
            {
                **_AS_WRITTEN,
                "channel": conversation,
                "thread_ts": ts,
                # Seen without opening the thread; and found again, see `find`.
                "reply_broadcast": True,
                "text": mrkdwn(f"{subject}\nThis still waits for you.{left}", MOST_REMINDER),
                "metadata": _mark(idempotency_key),
            },
            conversation=conversation,
        )

    async def send_digest(
        self, digest: Digest, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> None:
        """See `Digesting.send_digest`."""
        self._refuse_others(workspace)
        if await self.find(idempotency_key, to=to, workspace=workspace) is not None:
            return
        conversation = await self._people.conversation_with(to)
        await self._api.call(
            "chat.postMessage",
            {
                **_AS_WRITTEN,
                "channel": conversation,
                "text": mrkdwn(digest_subject(digest), MOST_REMINDER),
                "blocks": digest_blocks(digest),
                "metadata": _mark(idempotency_key),
            },
            conversation=conversation,
        )

    async def find(self, idempotency_key: str, *, to: Recipient, workspace: str) -> str | None:
        """See `Finder.find`."""
        self._refuse_others(workspace)
        conversation = await self._people.conversation_with(to)
        place: dict[str, str] = {"channel": conversation}
        for _ in range(PAGES):
            page = await self._api.call(
                "conversations.history", {**place, "limit": PAGE, "include_all_metadata": True}
            )
            ts = _found(page, idempotency_key)
            if ts is not None:
                return f"{conversation}:{ts}"
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
            place["cursor"] = str(cursor)
        return None

    def _refuse_others(self, workspace: str) -> None:
        """One Slack workspace is one company's: nothing of another company goes there."""
        if workspace != self._workspace:
            raise ChannelRefused(f"{self.name} is the Slack of another workspace.")


def _mark(idempotency_key: str) -> dict[str, Any]:
    digest = hashlib.sha256(idempotency_key.encode()).hexdigest()
    return {"event_type": EVENT, "event_payload": {"key": digest}}


def _found(page: dict[str, Any], idempotency_key: str) -> str | None:
    mark = _mark(idempotency_key)
    for message in page.get("messages", ()):
        metadata = message.get("metadata") or {}
        if all(metadata.get(name) == value for name, value in mark.items()):
            return str(message["ts"])
    return None


def _place(reference: str | None, to: Recipient) -> tuple[str, str]:
    conversation, _, ts = (reference or "").partition(":")
    if not conversation or not ts:
        raise ChannelRefused(f"It is not known where the card of {to.email} is in Slack.")
    return conversation, ts
