"""Keeps a channel to the workspace whose file it stands in."""

from services.channels import ChannelRefused


def refuse_others(channel: str, own: str, workspace: str) -> None:
    """Raise `ChannelRefused` for another workspace: nothing of it goes where this one reads."""
    if workspace != own:
        raise ChannelRefused(f"{channel} is a channel of another workspace.")
