"""What a file says about Discord."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from services.channel_files.definition import ChannelFile
from services.sources.fields import BaseUrl, EnvSecret, TextOrEnv, fault

KEY_BYTES = 32
MOST_DIGITS = 20


def _public_key(text: str) -> str:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != KEY_BYTES:
        raise fault("must be the 64 hexadecimal digits that Discord shows as the public key")
    return text


def _application_id(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise fault("must be the digits that Discord shows as the application id, in quotes")
    return text


class DiscordFile(ChannelFile):
    """A bot that writes to people, and the application whose buttons it shows."""

    type: Literal["discord"]
    application_id: Annotated[TextOrEnv, AfterValidator(_application_id)]
    public_key: Annotated[TextOrEnv, AfterValidator(_public_key)]
    token: EnvSecret
    api: BaseUrl = "https://discord.com/api/v10"
