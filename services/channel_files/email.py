"""What the file of an e-mail channel says: the server that takes mail, and who it is from."""

from email.headerregistry import Address
from email.utils import getaddresses
from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from services.channel_files.definition import ChannelFile
from services.channels.email.message import address
from services.channels.email.smtp import Server, Tls
from services.sources.credentials import Secret
from services.sources.fields import OptionalEnvSecret, TextOrEnv, fault

PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _sender(value: object) -> Address:
    if not isinstance(value, str):
        raise fault("must be a text such as Placet <placet@example.com>")
    try:
        [(name, found)] = getaddresses([value])
        return address(found, name)
    except ValueError:
        raise fault("must be one address such as Placet <placet@example.com>") from None


class EmailFile(ChannelFile):
    """One SMTP server; secrets come from the environment."""

    type: Literal["email"]
    host: TextOrEnv
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    tls: Tls = "starttls"
    username: OptionalEnvSecret = None
    password: OptionalEnvSecret = None
    sender: Annotated[Address, BeforeValidator(_sender)] = Field(alias="from")

    @model_validator(mode="after")
    def _is_safe(self) -> "EmailFile":
        if self.tls == "none" and not _is_loopback(self.host):
            raise fault(
                "none is for a server on this machine only: mail holds links that people decide "
                "by, and the password is sent with it",
                ("tls",),
            )
        if (self.username is None) != (self.password is None):
            missing = "username" if self.username is None else "password"
            raise fault("is missing: a name goes with a password", (missing,))
        return self

    @property
    def server(self) -> Server:
        """The server, with what opens it."""
        return Server(
            host=self.host,
            port=self.port or PORTS[self.tls],
            tls=self.tls,
            username=_revealed(self.username),
            password=_revealed(self.password),
        )


def _revealed(secret: Secret | None) -> str | None:
    return secret.reveal() if secret is not None else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
