"""What a file says about Microsoft Teams."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from services.channel_files.addresses import https_only
from services.channel_files.definition import ChannelFile
from services.sources.fields import OptionalEnvSecret


class TeamsFile(ChannelFile):
    """Where cards go that have no address of their own; without `url`, only those go."""

    type: Literal["teams"]
    url: Annotated[OptionalEnvSecret, AfterValidator(https_only)] = None
