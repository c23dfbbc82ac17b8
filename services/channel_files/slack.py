"""What a file says about Slack: the app's token, its signing secret, and how fast to be."""

from typing import Annotated, Literal

from pydantic import Field

from services.channel_files.definition import ChannelFile
from services.sources.fields import BaseUrl, EnvSecret


class SlackFile(ChannelFile):
    """An app in one Slack workspace.

    `rate_share` is the part of what Slack allows that one process may use: with two replicas of
    the notifier, a half.
    """

    type: Literal["slack"]
    token: EnvSecret
    signing_secret: EnvSecret
    base_url: BaseUrl = "https://slack.com/api"
    rate_share: Annotated[float, Field(gt=0, le=1)] = 1.0
