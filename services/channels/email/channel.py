"""E-mail as a channel: sends cards and reminders, and says once when one of them is over."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address

from events.approval import Outcome
from services.channels import ChannelRefused, ChannelUnavailable, Recipient
from services.channels.card import Card
from services.channels.digest import Digest, digest_subject, digest_text
from services.channels.email.message import Headers, NoAddress, address, composed, message_id
from services.channels.email.notices import Notices
from services.channels.email.rendering import AGENT, Body, Button, card_body, short_body, subject
from services.channels.email.smtp import Server, deliver
from services.channels.email.stopping import Stops
from services.channels.email.tokens import Opens, Tokens
from services.channels.html import digest_html
from services.channels.text import subject as settled_subject

_WANTED: tuple[tuple[Outcome, str], ...] = (("approved", "Approve"), ("rejected", "Deny"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail before it has headers; `answers` is the id of the one that it follows."""

    to: Address
    key: str
    subject: str
    body: Body
    answers: str | None


class EmailChannel:
    """Sends from one address through one server.

    A card that is sent again after a crash has the id that it had: mail programs show it once.
    """

    def __init__(
        self,
        name: str,
        *,
        server: Server,
        sender: Address,
        tokens: Tokens,
        notices: Notices,
        public_url: str,
        clock: Callable[[], datetime],
        stops: Stops | None = None,
    ) -> None:
        self.name = name
        self._stops = stops
        self._server = server
        self._sender = sender
        self._tokens = tokens
        self._notices = notices
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def reaches(self, to: Recipient) -> bool:
        """See `Channel.reaches`: whoever has an address that mail can be sent to."""
        try:
            _address(to)
        except ChannelRefused:
            return False
        return True

    async def send(
        self, card: Card, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> str | None:
        """See `Channel.send`; the reference is the Message-ID."""
        recipient = _address(to)
        now = self._clock()
        sent_as = self._id(idempotency_key)
        buttons: list[Button] = []
        if card.asks == "decision" and card.answer_by is not None:
            opens = Opens(
                workspace=workspace,
                approval_id=card.approval_id,
                approver=to.email,
                revision=card.revision,
                channel=self.name,
                message_id=sent_as,
                expires_at=card.answer_by,
            )
            made = await self._tokens.make(opens, [wanted for wanted, _ in _WANTED], now)
            thing = " Action" if card.title.startswith(AGENT) else ""
            buttons = [
                Button(f"{verb}{thing}", f"{self._public_url}/l/{token}")
                for (_, verb), token in zip(_WANTED, made, strict=True)
            ]
        over = card.shown == "settled"  # its requester reads the outcome
        mail = Mail(
            to=recipient,
            key=idempotency_key,
            subject=settled_subject(card) if over else subject(card.title),
            body=short_body(card, card.status) if over else card_body(card, buttons, now),
            answers=None,
        )
        await self._deliver(mail, card, to, workspace)
        return sent_as

    async def send_digest(
        self, digest: Digest, *, to: Recipient, workspace: str, idempotency_key: str
    ) -> None:
        """See `Digesting.send_digest`; a mail program can end such mails by one click."""
        recipient, now = _address(to), self._clock()
        stop = None
        if self._stops is not None:
            stop = await self._stops.link(workspace, to.email, self.name, now)
        headers = Headers(
            sender=self._sender,
            to=recipient,
            subject=digest_subject(digest),
            message_id=self._id(idempotency_key),
            thread=self._id(f"{workspace} digests {to.email}"),
            answers=None,
            at=now,
            stop=stop,
        )
        body = Body(text=digest_text(digest), html=digest_html(digest))
        await deliver(
            self._server,
            sender=self._sender.addr_spec,
            to=recipient.addr_spec,
            message=composed(headers, body),
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
        """See `Reminding.remind`: a short mail in the same thread."""
        until = f" Answer by {card.deadline}." if card.deadline else ""
        said = f"This still waits for you.{until} The links are in the mail before this one."
        await self._follow(reference, card, said, to, workspace, idempotency_key)

    async def update(
        self, reference: str | None, card: Card, *, to: Recipient, workspace: str
    ) -> None:
        """See `Channel.update`: says once that it is over, to whoever did not end it themselves.

        A mail cannot be edited, and not every step on the way is worth another one: the page that
        its links open shows how things stand.
        """
        if reference is None or card.shown == "open" or card.settled_by == to.email:
            return
        key = f"{reference} {card.shown}"
        notice = self._id(key)
        ours = await self._notices.take(workspace, notice)
        if ours is None:
            raise ChannelUnavailable("The mail is being sent by somebody else just now.")
        if not ours:
            return
        said = f"{card.status}\nNothing is left to do here: the links in the mail before are over."
        try:
            await self._follow(reference, card, said, to, workspace, key)
        except (ChannelRefused, ChannelUnavailable):
            await self._notices.not_sent(workspace, notice)
            raise
        await self._notices.sent(workspace, notice)

    async def _follow(
        self,
        reference: str | None,
        card: Card,
        said: str,
        to: Recipient,
        workspace: str,
        key: str,
    ) -> None:
        mail = Mail(
            to=_address(to),
            key=key,
            subject=f"Re: {subject(card.title)}",
            body=short_body(card, said),
            answers=reference,
        )
        await self._deliver(mail, card, to, workspace)

    async def _deliver(self, mail: Mail, card: Card, to: Recipient, workspace: str) -> None:
        headers = Headers(
            sender=self._sender,
            to=mail.to,
            subject=mail.subject,
            message_id=self._id(mail.key),
            thread=self._id(f"{workspace} {card.approval_id} {to.email}"),
            answers=mail.answers,
            at=self._clock(),
        )
        await deliver(
            self._server,
            sender=self._sender.addr_spec,
            to=mail.to.addr_spec,
            message=composed(headers, mail.body),
        )

    def _id(self, key: str) -> str:
        return message_id(f"{self.name} {key}", self._sender.domain)


def _address(to: Recipient) -> Address:
    try:
        return address(to.address or to.email, to.name)
    except NoAddress as error:
        raise ChannelRefused(str(error)) from error
