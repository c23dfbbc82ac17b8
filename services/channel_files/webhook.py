"""What a file says about a program that is sent each card."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from services.channel_files.addresses import http_or_https
from services.channel_files.definition import ChannelFile
from services.outgoing.signing import BadSecret, check_secret
from services.sources.credentials import Secret
from services.sources.fields import EnvSecret, fault


def _signs(secret: Secret) -> Secret:
    try:
        check_secret(secret.reveal())
    except BadSecret:
        raise fault(
            "the variable must hold whsec_ and the base64 of 24 to 64 random bytes"
        ) from None
    return secret


class WebhookFile(ChannelFile):
    """Where cards are posted, and what they are signed with."""

    type: Literal["webhook"]
    url: Annotated[EnvSecret, AfterValidator(http_or_https)]
    secret: Annotated[EnvSecret, AfterValidator(_signs)]
