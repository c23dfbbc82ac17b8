"""A mail as it goes over the wire: nothing of a user's can add a header, and threads hold."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from services.channels.email.rendering import Body
from services.channels.plain import line

MOST_ADDRESS = 254
_MOST_NAME = 80
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>()\[\]\\,;:\"]|@.*@")


class NoAddress(ValueError):
    """The text is no address to which mail can be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """What stands before a mail's body.

    `thread` is the id of a message that was never sent: all mails to one person about one approval
    name it, and so stand together. `answers` is the one that this one follows. `stop` is where a
    mail program ends such mails by one click, as RFC 8058 has it.
    """

    sender: Address
    to: Address
    subject: str
    message_id: str
    thread: str
    answers: str | None
    at: datetime
    stop: str | None = None


def composed(headers: Headers, body: Body) -> bytes:
    """Return the whole message."""
    message = EmailMessage(policy=SMTP)
    message["From"] = headers.sender
    message["To"] = headers.to
    message["Subject"] = inert(headers.subject)
    message["Date"] = format_datetime(headers.at)
    message["Message-ID"] = headers.message_id
    if headers.answers is not None:
        message["In-Reply-To"] = headers.answers
    message["References"] = " ".join(filter(None, (headers.thread, headers.answers)))
    if headers.stop is not None:
        message["List-Unsubscribe"] = f"<{headers.stop}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    # What the mail servers of Exchange go by, so that nobody's absence answers us.
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(body.text, cte="quoted-printable")
    message.add_alternative(body.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def address(text: str, name: str | None = None) -> Address:
    """Return an address, with the name of whose it is; raises `NoAddress`."""
    local, _, domain = text.rpartition("@")
    if not local or not domain or len(text) > MOST_ADDRESS or _UNSAFE.search(text):
        raise NoAddress(f"{line(text, MOST_ADDRESS)!r} is no e-mail address.")
    try:
        host = domain.encode("idna").decode("ascii")
        found = Address(
            display_name=inert(line(name or "", _MOST_NAME)), username=local, domain=host
        )
        found.addr_spec.encode("ascii")
    except (MessageError, ValueError) as error:
        raise NoAddress(f"{line(text, MOST_ADDRESS)!r} cannot be mailed to.") from error
    return found


def message_id(key: str, domain: str) -> str:
    """Return the id of the message that has a key: always the same."""
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:40]}@{domain}>"


def inert(text: str) -> str:
    """Return a text for a header in which nothing is an encoded word.

    The parser of the standard library reads a header that it is given: a line break that was
    written as an encoded word would become one, and what follows it a header of its own.
    """
    return text.replace("=?", "= ?")
