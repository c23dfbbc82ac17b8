"""What a file may say about a channel that leaves Placet: one kind a module."""

from collections.abc import Mapping
from pathlib import Path

from services.channel_files.apprise import AppriseFile
from services.channel_files.definition import ChannelFile
from services.channel_files.discord import DiscordFile
from services.channel_files.email import EmailFile
from services.channel_files.slack import SlackFile
from services.channel_files.teams import TeamsFile
from services.channel_files.webhook import WebhookFile
from services.yaml_files.faults import FileInvalid, parse, read_text

KINDS: Mapping[str, type[ChannelFile]] = {
    "slack": SlackFile,
    "discord": DiscordFile,
    "teams": TeamsFile,
    "webhook": WebhookFile,
    "apprise": AppriseFile,
    "email": EmailFile,
}
"""By what stands as `type` in the file."""


def load_channel(path: Path, environ: Mapping[str, str]) -> ChannelFile:
    """Return what a file says; raises `FileInvalid` with every fault at once."""
    text = read_text(path)
    kind = _kind(text, str(path), environ)
    return parse(text, str(path), KINDS[kind], environ)[0]


def _kind(text: str, name: str, environ: Mapping[str, str]) -> str:
    header, numbered = parse(text, name, _Header, environ)
    if header.type not in KINDS:
        known = ", ".join(KINDS)
        line = numbered.line(("type",))
        raise FileInvalid([f"{name}:{line}: type: {header.type!r} is none of {known}"])
    return header.type


class _Header(ChannelFile, extra="ignore"):
    """What tells which kind of file it is."""
