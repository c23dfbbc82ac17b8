"""Makes the channels that are configured, and the surfaces on which their buttons come back."""

import httpx2
from fastapi import APIRouter

from services.bootstrap.links import email_channel
from services.bootstrap.one_way import apprise_channel, teams_channel, webhook_channel
from services.bootstrap.parts import Parts, now
from services.channel_files.apprise import AppriseFile
from services.channel_files.definition import ChannelFile
from services.channel_files.discord import DiscordFile
from services.channel_files.email import EmailFile
from services.channel_files.slack import SlackFile
from services.channel_files.teams import TeamsFile
from services.channel_files.webhook import WebhookFile
from services.channels import Channel
from services.channels.inbox import InboxChannel
from services.channels.outbox import OutboxChannel
from services.decision.answering import Answering
from services.decision.changing import Changing
from services.decision.surfaces.cards import SentCards


def make_channels(parts: Parts) -> list[Channel]:
    """Return what cards go out through."""
    return [_channel(one, parts) for one in parts.config.channels]


def _channel(given: str | ChannelFile, parts: Parts) -> Channel:
    match given:
        case "inbox":
            return InboxChannel()
        case "outbox":
            return OutboxChannel(parts.worker_db)
        case SlackFile():
            return _slack_channel(given, parts)
        case DiscordFile():
            return _discord_channel(given, parts)
        case TeamsFile():
            return teams_channel(given, parts)
        case WebhookFile():
            return webhook_channel(given, parts)
        case AppriseFile():
            return apprise_channel(given, parts)
        case EmailFile():
            return email_channel(given, parts)
        case _:
            raise ValueError(f"There is no channel {given!r}.")


def make_surfaces(parts: Parts, answering: Answering, changing: Changing) -> list[APIRouter]:
    """Return the routes to which channels send what people press."""
    found: list[APIRouter] = []
    for given in parts.config.channels:
        match given:
            case SlackFile():
                found.append(_slack_surface(given, parts, answering, changing))
            case DiscordFile():
                found.append(_discord_surface(given, parts, answering, changing))
            case _:
                continue
    return found


def _slack_channel(file: SlackFile, parts: Parts) -> Channel:
    # What Slack needs costs memory, so only a process that speaks to it imports it.
    from services.channels.slack.api import SlackApi  # noqa: PLC0415 # see above
    from services.channels.slack.channel import SlackChannel  # noqa: PLC0415 # see above
    from services.channels.slack.people import People  # noqa: PLC0415 # see above

    api = SlackApi(file.token.reveal(), file.base_url, share=file.rate_share)
    parts.closers.append(api.close)
    return SlackChannel(file.name, parts.config.types.workspace, api, People(api))


def _slack_surface(
    file: SlackFile, parts: Parts, answering: Answering, changing: Changing
) -> APIRouter:
    from services.channels.slack.api import SlackApi  # noqa: PLC0415 # see above
    from services.channels.slack.people import People  # noqa: PLC0415 # see above
    from services.decision.surfaces.slack import Accounts, SlackSurface  # noqa: PLC0415 # see above

    api = SlackApi(file.token.reveal(), file.base_url, share=file.rate_share)
    parts.closers.append(api.close)
    workspace = parts.config.types.workspace
    return SlackSurface(
        file.name,
        workspace,
        signing_secret=file.signing_secret.reveal(),
        api=api,
        accounts=Accounts(file.name, workspace, api, People(api), parts.directories),
        cards=SentCards(parts.app_db),
        answering=answering,
        changing=changing,
        clock=now,
    ).router()


def _discord_channel(file: DiscordFile, parts: Parts) -> Channel:
    from services.channels.discord.channel import DiscordChannel  # noqa: PLC0415 # as for Slack
    from services.channels.discord.client import DiscordApi  # noqa: PLC0415 # as for Slack

    client = httpx2.AsyncClient()
    parts.closers.append(client.aclose)
    api = DiscordApi(client, file.token.reveal(), api=file.api)
    return DiscordChannel(file.name, parts.config.types.workspace, api)


def _discord_surface(
    file: DiscordFile, parts: Parts, answering: Answering, changing: Changing
) -> APIRouter:
    from services.decision.surfaces.discord import DiscordSurface  # noqa: PLC0415 # as for Slack

    return DiscordSurface(
        file.name,
        public_key=file.public_key,
        application_id=file.application_id,
        workspace=parts.config.types.workspace,
        answering=answering,
        changing=changing,
        directories=parts.directories,
        cards=SentCards(parts.app_db),
        clock=now,
    ).router()
