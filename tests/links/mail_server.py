"""A real SMTP server that keeps what it takes, and can be told to refuse, wait or hang up."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session

Reply = Callable[[str], str | None]
"""What to answer to an address, None for taking it."""


@dataclass
class MailServer:
    """What arrived, and how the next mail is met."""

    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers_recipient: Reply = lambda _: None
    answers_data: Reply = lambda _: None
    hangs_up_after_data: bool = False

    @property
    def mails(self) -> list[EmailMessage]:
        """What arrived, as the standard parser reads it."""
        return [message_from_bytes(one, policy=default) for one in self.raw]

    def to(self, address: str) -> list[EmailMessage]:
        """What arrived for somebody."""
        return [mail for mail, to in zip(self.mails, self.recipients, strict=True) if to == address]

    def kind_again(self) -> None:
        """Take everything from now on."""
        self.answers_recipient = self.answers_data = lambda _: None
        self.hangs_up_after_data = False

    # What aiosmtpd calls, by these names and with these arguments.

    async def handle_RCPT(  # noqa: N802 # see above
        self,
        server: SMTP,  # noqa: ARG002 # see above
        session: Session,  # noqa: ARG002 # see above
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002 # see above
    ) -> str:
        refusal = self.answers_recipient(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(  # noqa: N802 # see above
        self,
        server: SMTP,
        session: Session,  # noqa: ARG002 # see above
        envelope: Envelope,
    ) -> str:
        [to] = envelope.rcpt_tos
        refusal = self.answers_data(to)
        if refusal is None:
            assert isinstance(envelope.content, bytes)
            self.raw.append(envelope.content)
            self.recipients.append(to)
        if self.hangs_up_after_data:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            await asyncio.sleep(0)
        return refusal or "250 taken"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """A server on a free port of this machine."""
    handler = MailServer()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: SMTP(handler, loop=loop), host="127.0.0.1", port=0)
    )
    handler.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield handler

    async def close() -> None:
        server.close()
        left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for one in left:
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()
