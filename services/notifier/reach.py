"""The channels by name, each with the bounds on calls to it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from services.channels import Channel
from services.channels.card import Card, Shown
from services.notifier.outside import Outside


class Reach:
    """What cards can go out through; raises `ValueError` for names that cannot be told apart."""

    def __init__(self, channels: Sequence[Channel], clock: Callable[[], datetime]) -> None:
        self._channels: dict[str, tuple[Channel, Outside]] = {}
        for channel in channels:
            if channel.name in self._channels or ":" in channel.name or not channel.name:
                raise ValueError(f"A channel cannot be called {channel.name!r}, or not once more.")
            self._channels[channel.name] = (channel, Outside(f"channel {channel.name}", clock))

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __contains__(self, name: object) -> bool:
        return name in self._channels

    async def send(
        self,
        name: str,
        card: Card,
        *,
        approval_id: str,
        approver: str,
        workspace: str,
        idempotency_key: str,
    ) -> str | None:
        """Send a card; raises `Away`, `ChannelRefused`."""
        channel, outside = self._channels[name]
        return await outside.call(
            lambda: channel.send(
                card,
                approval_id=approval_id,
                approver=approver,
                workspace=workspace,
                idempotency_key=idempotency_key,
            )
        )

    async def update(
        self, name: str, reference: str | None, card: Card, shown: Shown, *, workspace: str
    ) -> None:
        """Let a card show something else; raises `Away`, `ChannelRefused`."""
        channel, outside = self._channels[name]
        await outside.call(lambda: channel.update(reference, card, shown, workspace=workspace))
