"""The dev mailbox: messages as an e-mail channel would send them, kept in a table to look at."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from events.store.database import Database
from events.store.named_sql import statements
from projections.cursors import cursor_of_time, time_of
from services.channels import ChannelRefused, Recipient
from services.channels.card import Card, Shown
from services.channels.digest import Digest, digest_subject, digest_text
from services.channels.html import digest_html, html, reminder_html
from services.channels.text import reminder, subject, text

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """A message as a list shows it."""

    message_id: str
    approval_id: str
    approver: str
    subject: str
    shown: Shown
    sent_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(MessageLine):
    """A whole message; `body_html` is a document of its own."""

    body_text: str
    body_html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """Some messages, and where the next page begins."""

    messages: Sequence[MessageLine]
    next_cursor: str | None


class OutboxChannel:
    """Puts cards into the table `outbox_messages`; a card is one message, however often sent.

    Raises `Unavailable` when Postgres is away.
    """

    name = "outbox"
    repeatable: Literal[True] = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.channels")

    def reaches(self, to: Recipient) -> bool:  # noqa: ARG002 # everybody has one
        """See `Channel.reaches`: it is a table of ours."""
        return True

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`; the reference is the message's id."""
        message_id = _message_id(idempotency_key)
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["send"],
                workspace,
                message_id,
                card.approval_id,
                to.email,
                *_content(card),
                card.shown,
            )
        return message_id

    async def remind(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,
        workspace: str,
        idempotency_key: str,
    ) -> None:
        """See `Reminding.remind`; the message's id begins with that of the card's."""
        if reference is None:
            raise ChannelRefused("There is no message in the outbox to remind of.")
        line, body = reminder(card)
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["send"],
                workspace,
                f"{reference}_{_message_id(idempotency_key)}",
                card.approval_id,
                to.email,
                line,
                body,
                reminder_html(card),
                card.shown,
            )

    async def send_digest(
        self, digest: Digest, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> None:
        """See `Digesting.send_digest`; it is about no approval of its own."""
        async with self._database.workspace(workspace) as connection:
            await connection.execute(
                self._sql["send"],
                workspace,
                _message_id(idempotency_key),
                "",
                to.email,
                digest_subject(digest),
                digest_text(digest),
                digest_html(digest),
                "open",
            )

    async def find(
        self,
        idempotency_key: str,
        *,
        to: Recipient,  # noqa: ARG002 # the key knows whom it is for
        workspace: str,
    ) -> str | None:
        """See `Finder.find`."""
        message_id = _message_id(idempotency_key)
        async with self._database.workspace(workspace) as connection:
            found: str | None = await connection.fetchval(self._sql["find"], workspace, message_id)
        return found

    async def update(
        self,
        reference: str | None,
        card: Card,
        *,
        to: Recipient,  # noqa: ARG002 # the message knows whom it is for
        workspace: str,
    ) -> None:
        """See `Channel.update`."""
        if reference is None:
            return
        async with self._database.workspace(workspace) as connection:
            found = await connection.fetchval(
                self._sql["update"], workspace, reference, *_content(card), card.shown
            )
        if found is None:
            raise ChannelRefused(f"There is no message {reference} in the outbox.")


class Mailbox:
    """What the outbox holds, for a page that shows it; raises `Unavailable`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements("services.channels")

    async def list(
        self, workspace: str, approver: str | None, *, limit: int, cursor: str | None
    ) -> MessagePage:
        """Return messages, newest first, of one approver or all; raises `BadCursor`."""
        before = time_of(cursor) if cursor is not None else (_END_OF_TIME, "")
        async with self._database.workspace(workspace) as connection:
            rows = await connection.fetch(self._sql["list"], workspace, approver, *before, limit)
        messages = tuple(MessageLine(**row) for row in rows)
        full = len(messages) == limit and limit > 0
        last = messages[-1] if full else None
        more = cursor_of_time(last.sent_at, last.message_id) if last else None
        return MessagePage(messages=messages, next_cursor=more)

    async def get(self, workspace: str, message_id: str) -> Message | None:
        """Return one message, or None if there is no such one."""
        async with self._database.workspace(workspace) as connection:
            row = await connection.fetchrow(self._sql["get"], workspace, message_id)
        return Message(**row) if row is not None else None


def _message_id(idempotency_key: str) -> str:
    return hashlib.sha256(idempotency_key.encode()).hexdigest()[:32]


def _content(card: Card) -> tuple[str, str, str]:
    return subject(card), text(card), html(card)
