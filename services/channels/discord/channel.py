"""Discord as a channel: each approver gets a direct message of the bot, and it is edited."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from services.channels import ChannelRefused, Recipient
from services.channels.belonging import refuse_others
from services.channels.card import Card
from services.channels.digest import Digest
from services.channels.discord.client import DiscordApi
from services.channels.discord.rendering import is_marked, listing, message, reminder

USER_ID = re.compile(r"[0-9]{5,20}")
"""A Discord user id, as the directory holds it."""
MOST_CONVERSATIONS = 10_000
MARK_CHARS = 25
"""As long as a nonce may be."""
LOOKED_AT = 100
"""The latest messages of a conversation, among which one is looked for."""


class DiscordChannel:
    """Writes to people whose user id the directory has under the channel's name."""

    def __init__(self, name: str, workspace: str, api: DiscordApi) -> None:
        self.name = name
        self._workspace = workspace
        self._api = api
        self._conversations: OrderedDict[str, str] = OrderedDict()

    def reaches(self, to: Recipient) -> bool:
        """See `Channel.reaches`: whoever has a user id."""
        return bool(to.address and USER_ID.fullmatch(to.address))

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`."""
        mark = _mark(idempotency_key)
        return await self._post(message(card, mark), mark, to, workspace)

    async def remind(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        """See `Reminding.remind`: an answer to the message that was sent."""
        _, what = _parts(reference)
        mark = _mark(idempotency_key)
        answers = {"message_id": what, "fail_if_not_exists": False}
        await self._post(
            {**reminder(card, mark), "message_reference": answers}, mark, to, workspace
        )

    async def send_digest(
        self, digest: Digest, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> None:
        """See `Digesting.send_digest`."""
        mark = _mark(idempotency_key)
        await self._post(listing(digest, mark), mark, to, workspace)

    async def find(self, idempotency_key: str, *, to: Recipient, workspace: str) -> str | None:
        """See `Finder.find`: by the mark in its link, among the latest messages to somebody."""
        refuse_others(self.name, self._workspace, workspace)
        where = await self._conversation(to)
        found = await self._api.call(
            "GET", f"/channels/{where}/messages?limit={LOOKED_AT}", bucket=f"read {where}"
        )
        mark = _mark(idempotency_key)
        for one in found if isinstance(found, list) else ():
            if is_marked(one, mark):
                return f"{where}/{_id_in(one)}"
        return None

    async def update(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,  # noqa: ARG002 # the message knows whom it is for
        workspace: str,  # noqa: ARG002 # same
    ) -> None:
        """See `Channel.update`."""
        where, what = _parts(reference)
        await self._api.call(
            "PATCH", f"/channels/{where}/messages/{what}", message(card), bucket=f"edit {where}"
        )

    async def _post(
        self, content: Mapping[str, Any], mark: str, to: Recipient, workspace: str
    ) -> str:
        refuse_others(self.name, self._workspace, workspace)
        where = await self._conversation(to)
        # For some minutes Discord itself shows what has the same nonce once; later `find` tells.
        sent = await self._api.call(
            "POST",
            f"/channels/{where}/messages",
            {**content, "nonce": mark, "enforce_nonce": True},
            bucket=f"post {where}",
        )
        return f"{where}/{_id_in(sent)}"

    async def _conversation(self, to: Recipient) -> str:
        """Return where somebody's direct messages go; Discord gives the same each time."""
        user = to.address or ""
        if not USER_ID.fullmatch(user):
            raise ChannelRefused(f"The directory has no Discord user id of {to.email}.")
        where = self._conversations.get(user)
        if where is None:
            opened = await self._api.call(
                "POST", "/users/@me/channels", {"recipient_id": user}, bucket="open"
            )
            where = self._conversations[user] = _id_in(opened)
            if len(self._conversations) > MOST_CONVERSATIONS:
                self._conversations.popitem(last=False)
        return where


def _mark(idempotency_key: str) -> str:
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:MARK_CHARS]


def _id_in(answer: object) -> str:
    found = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(found, str) or not USER_ID.fullmatch(found):
        raise ChannelRefused("Discord did not say where the message is: its answer has no id.")
    return found


def _parts(reference: str | None) -> tuple[str, str]:
    where, _, what = (reference or "").partition("/")
    if not (USER_ID.fullmatch(where) and USER_ID.fullmatch(what)):
        raise ChannelRefused("It is not known where the message is.")
    return where, what
