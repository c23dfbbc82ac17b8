"""Hands a message to an SMTP server, and tells what may be tried again from what may not."""

import ssl
from dataclasses import dataclass
from typing import Literal

from services.channels import ChannelRefused, ChannelUnavailable

Tls = Literal["starttls", "tls", "none"]
"""Encrypted after a greeting in the clear, from the start, or not at all."""
TIMEOUT_S = 15.0
"""For each step of the conversation; the notifier bounds it as a whole."""
_TEMPORARY = range(400, 500)
_MOST_SAID = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mail is handed over, and as whom."""

    host: str
    port: int
    tls: Tls
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        """Name what can be shown to anybody."""
        return f"Server(host={self.host!r}, port={self.port}, tls={self.tls!r})"


async def deliver(server: Server, *, sender: str, to: str, message: bytes) -> None:
    """Hand over one message to one recipient.

    Raises `ChannelRefused` when the server definitely does not take this message or this
    recipient, and `ChannelUnavailable` for all that may be better next time: also for a connection
    that broke while the message was sent, after which nobody knows whether it arrived.
    """
    # What it needs is loaded where mail is sent, and nowhere else.
    import aiosmtplib  # noqa: PLC0415 # see above

    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls == "tls",
        # Demanded, not tried: nobody in between may take the encryption away.
        start_tls=server.tls == "starttls",
        tls_context=ssl.create_default_context() if server.tls != "none" else None,
        username=server.username,
        password=server.password,
        timeout=TIMEOUT_S,
    )
    try:
        async with client:
            await client.sendmail(sender, [to], message)
    except aiosmtplib.SMTPRecipientsRefused as error:
        refused = error.recipients[0]
        raise _answered(refused.code, refused.message, to) from error
    except aiosmtplib.SMTPDataError as error:
        raise _answered(error.code, error.message, to) from error
    except aiosmtplib.SMTPResponseException as error:
        # Its greeting, our name and password, our sender: none of it is about this message.
        raise ChannelUnavailable(
            f"The mail server {server.host} does not take mail from us: "
            f"{error.code} {_shown(error.message)}"
        ) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise ChannelUnavailable(
            f"The mail server {server.host} cannot be used: {type(error).__name__}: "
            f"{_shown(str(error))}"
        ) from error


def _answered(code: int, said: str, to: str) -> Exception:
    message = f"The mail server does not take mail for {to}: {code} {_shown(said)}"
    return ChannelUnavailable(message) if code in _TEMPORARY else ChannelRefused(message)


def _shown(text: str) -> str:
    return " ".join(text.split())[:_MOST_SAID]
