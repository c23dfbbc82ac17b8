"""Makes the channels by which cards go out and no answer comes back: Teams, programs, Apprise."""

from services.bootstrap.parts import Parts, now
from services.channel_files.apprise import AppriseFile
from services.channel_files.teams import TeamsFile
from services.channel_files.webhook import WebhookFile
from services.channels import Channel
from services.outgoing.guard import parse_allowed
from services.settings import HalfConfigured

# What each needs costs memory, so only the process that sends by it imports it.


def teams_channel(file: TeamsFile, parts: Parts) -> Channel:
    """Return a channel to Teams; raises `HalfConfigured` for an allow list that cannot be read."""
    from services.channels.posting import Posting, allowing  # noqa: PLC0415 # see above
    from services.channels.teams.channel import TeamsChannel  # noqa: PLC0415 # see above

    try:
        allowed = parse_allowed(parts.settings.webhook_allow)
    except ValueError as error:
        raise HalfConfigured([f"PLACET_WEBHOOK_ALLOW: {error}"]) from error
    url = file.url.reveal() if file.url is not None else None
    posting = Posting(allowed if url is None else allowing(url, allowed))
    parts.closers.append(posting.close)
    workspace = parts.config.types.workspace
    return TeamsChannel(file.name, workspace, url=url, allowed=allowed, posting=posting)


def webhook_channel(file: WebhookFile, parts: Parts) -> Channel:
    """Return a channel to a program."""
    from services.channels.posting import Posting, allowing  # noqa: PLC0415 # see above
    from services.channels.webhook.channel import WebhookChannel  # noqa: PLC0415 # see above

    url, secret = file.url.reveal(), file.secret.reveal()
    posting = Posting(allowing(url))
    parts.closers.append(posting.close)
    workspace = parts.config.types.workspace
    return WebhookChannel(file.name, workspace, url=url, secret=secret, posting=posting, clock=now)


def apprise_channel(file: AppriseFile, parts: Parts) -> Channel:
    """Return a channel by Apprise; raises `HalfConfigured` for a URL that it cannot use."""
    from services.channels.apprise import AppriseChannel, is_usable  # noqa: PLC0415 # see above

    url = file.url.reveal()
    if not is_usable(url):
        raise HalfConfigured(
            [f"channel {file.name}: the variable of its url holds none that Apprise can use"]
        )
    channel = AppriseChannel(file.name, parts.config.types.workspace, url=url)
    parts.closers.append(channel.close)
    return channel
