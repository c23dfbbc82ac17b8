"""The channels by name, each with the bounds on calls to it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from services.channels import Channel, ChannelRefused, Finder, Reminding
from services.channels.card import Card, Shown
from services.channels.inbox import InboxChannel
from services.effects import Effect
from services.notifier.ledger import parts
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

    def leaves(self, name: str) -> bool:
        """Tell whether a card on this channel leaves us, so that sending it twice would show."""
        return not isinstance(self._channels[name][0], InboxChannel)

    async def send(self, effect: Effect, card: Card) -> str | None:
        """Send the card that an effect names; raises `Away`, `ChannelRefused`."""
        _, name, approver = parts(effect)
        channel, outside = self._channels[name]
        return await outside.call(
            lambda: channel.send(
                card,
                approval_id=effect.approval_id,
                approver=approver,
                workspace=effect.workspace,
                idempotency_key=effect.idempotency_key,
            )
        )

    def reminds(self, name: str) -> bool:
        """Tell whether somebody can be reminded on this channel."""
        return isinstance(self._channels[name][0], Reminding)

    async def remind(self, effect: Effect, reference: str | None, card: Card) -> None:
        """Send the reminder that an effect names; raises `Away`, `ChannelRefused`."""
        _, name, approver = parts(effect)
        channel, outside = self._channels[name]
        if not isinstance(channel, Reminding):
            raise ChannelRefused(f"The channel {name} cannot remind.")
        await outside.call(
            lambda: channel.remind(
                reference,
                card,
                approval_id=effect.approval_id,
                approver=approver,
                workspace=effect.workspace,
                idempotency_key=effect.idempotency_key,
            )
        )

    async def find(self, effect: Effect) -> str | None:
        """Return where the card that an effect names is, if that can be told; raises `Away`."""
        _, name, _ = parts(effect)
        channel, outside = self._channels.get(name, (None, None))
        if outside is None or not isinstance(channel, Finder):
            return None
        return await outside.call(
            lambda: channel.find(effect.idempotency_key, workspace=effect.workspace)
        )

    async def update(
        self, name: str, reference: str | None, card: Card, shown: Shown, *, workspace: str
    ) -> None:
        """Let a card show something else; raises `Away`, `ChannelRefused`."""
        channel, outside = self._channels[name]
        await outside.call(lambda: channel.update(reference, card, shown, workspace=workspace))
