"""The channels by name, each with the bounds on calls to it."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime

from services.channels import (
    Channel,
    ChannelRefused,
    Digesting,
    Finder,
    Recipient,
    Reminding,
    Repeatable,
)
from services.channels.card import Card
from services.channels.digest import Digest
from services.channels.inbox import InboxChannel
from services.directory import Directories, FixedDirectories
from services.effects import Effect
from services.notifier.ledger import parts
from services.notifier.outside import Outside

First = Callable[[], Awaitable[None]]
"""What is done of our own right before something leaves."""
_SEND, _UPDATE, _FIND = "send", "update", "find"
"""What rests by itself: what is posted, what is edited, what is looked for."""


class Reach:
    """What cards can go out through; raises `ValueError` for names that cannot be told apart."""

    def __init__(
        self,
        channels: Sequence[Channel],
        clock: Callable[[], datetime],
        directories: Directories | None = None,
    ) -> None:
        self._directories = directories or FixedDirectories()
        self._channels: dict[str, tuple[Channel, Outside]] = {}
        self._digesting: set[str] = set()
        for channel in channels:
            if channel.name in self._channels or ":" in channel.name or not channel.name:
                raise ValueError(f"A channel cannot be called {channel.name!r}, or not once more.")
            if isinstance(channel, Digesting):
                self._digesting.add(channel.name)
            self._channels[channel.name] = (channel, Outside(f"channel {channel.name}", clock))

    def __iter__(self) -> Iterator[str]:
        return iter(self._channels)

    def __contains__(self, name: object) -> bool:
        return name in self._channels

    def leaves(self, name: str) -> bool:
        """Tell whether a card on this channel leaves us, so that sending it twice would show."""
        return not isinstance(self._channels[name][0], InboxChannel)

    def reaches(self, name: str, workspace: str, email: str) -> bool:
        """Tell whether there is a way to somebody on a channel, as far as can be told."""
        return self._channels[name][0].reaches(self._recipient(name, workspace, email))

    def _recipient(self, name: str, workspace: str, email: str) -> Recipient:
        member = self._directories.of(workspace).find(email)
        if member is None:
            return Recipient(email=email)
        return Recipient(email=email, name=member.name, address=member.channels.get(name))

    def repeats(self, name: str) -> bool:
        """Tell whether sending again shows nothing twice on this channel."""
        return isinstance(self._channels[name][0], Repeatable)

    def finds(self, name: str) -> bool:
        """Tell whether this channel can be asked what has become of a card."""
        return isinstance(self._channels[name][0], Finder)

    async def send(self, effect: Effect, card: Card, first: First | None = None) -> str | None:
        """Send the card that an effect names; raises `Away`, `ChannelRefused`."""
        _, name, approver = parts(effect)
        return await self.tell(name, effect, card, to=approver, first=first)

    async def tell(
        self, name: str, effect: Effect, card: Card, *, to: str, first: First | None = None
    ) -> str | None:
        """Send a card to somebody, as an effect names it; raises `Away`, `ChannelRefused`."""
        channel, outside = self._channels[name]
        return await outside.call(
            lambda: channel.send(
                card,
                to=self._recipient(name, effect.workspace, to),
                workspace=effect.workspace,
                idempotency_key=effect.idempotency_key,
            ),
            method=_SEND,
            first=first,
        )

    async def find_told(self, name: str, effect: Effect, *, to: str) -> str | None:
        """Return where somebody's card is, if that can be told; raises `Away`."""
        channel, outside = self._channels.get(name, (None, None))
        if outside is None or not isinstance(channel, Finder):
            return None
        recipient = self._recipient(name, effect.workspace, to)
        return await outside.call(
            lambda: channel.find(effect.idempotency_key, to=recipient, workspace=effect.workspace),
            method=_FIND,
        )

    def digests(self, name: str) -> bool:
        """Tell whether this channel can list what waits in one message."""
        return name in self._digesting

    async def send_digest(
        self, name: str, effect: Effect, digest: Digest, *, to: str, first: First | None = None
    ) -> None:
        """Send the digest that an effect names; raises `Away`, `ChannelRefused`."""
        channel, outside = self._channels[name]
        if not isinstance(channel, Digesting):
            raise ChannelRefused(f"The channel {name} cannot list what waits.")
        await outside.call(
            lambda: channel.send_digest(
                digest,
                to=self._recipient(name, effect.workspace, to),
                workspace=effect.workspace,
                idempotency_key=effect.idempotency_key,
            ),
            method=_SEND,
            first=first,
        )

    def reminds(self, name: str) -> bool:
        """Tell whether somebody can be reminded on this channel."""
        return isinstance(self._channels[name][0], Reminding)

    async def remind(
        self, effect: Effect, reference: str | None, card: Card, first: First | None = None
    ) -> None:
        """Send the reminder that an effect names; raises `Away`, `ChannelRefused`."""
        _, name, approver = parts(effect)
        channel, outside = self._channels[name]
        if not isinstance(channel, Reminding):
            raise ChannelRefused(f"The channel {name} cannot remind.")
        await outside.call(
            lambda: channel.remind(
                reference,
                card,
                to=self._recipient(name, effect.workspace, approver),
                workspace=effect.workspace,
                idempotency_key=effect.idempotency_key,
            ),
            method=_SEND,
            first=first,
        )

    async def find(self, effect: Effect) -> str | None:
        """Return where the card that an effect names is, if that can be told; raises `Away`."""
        _, name, approver = parts(effect)
        return await self.find_told(name, effect, to=approver)

    async def update(
        self, name: str, reference: str | None, card: Card, *, to: str, workspace: str
    ) -> None:
        """Let a card show something else; raises `Away`, `ChannelRefused`."""
        channel, outside = self._channels[name]
        recipient = self._recipient(name, workspace, to)
        await outside.call(
            lambda: channel.update(reference, card, to=recipient, workspace=workspace),
            method=_UPDATE,
        )
