"""Lets a card or a reminder leave once, also when an attempt before left without an answer.

That it leaves is written down just before. Whoever finds that written, and no answer, asks the
channel what has become of it; where the channel cannot tell, it leaves again, since none at all
would be worse than two, and the history says so.
"""

import logging
from dataclasses import dataclass

from services.channels import ChannelRefused
from services.channels.card import Card
from services.effects import Attempt, Effect
from services.notifier.ledger import Ledger, parts
from services.notifier.reach import First, Reach

PERHAPS = " It may have arrived all the same: the channel cannot tell."

logger = logging.getLogger(__name__)


class Overtaken(Exception):
    """The lease was over before anything left, and somebody else sends it now."""


@dataclass(frozen=True, slots=True)
class There:
    """A card that is out; `perhaps_twice`: an earlier attempt may have arrived as well."""

    reference: str | None
    perhaps_twice: bool


@dataclass(frozen=True, slots=True)
class _Before:
    """What an earlier attempt has left on the channel; `is_sure` tells if the channel knows."""

    reference: str | None
    is_sure: bool


class Leaving:
    """Every call raises `Away`, `ChannelRefused`, and `Unavailable` when our own store is away."""

    def __init__(self, reach: Reach, ledger: Ledger) -> None:
        self._reach = reach
        self._ledger = ledger

    async def card(self, effect: Effect, attempt: Attempt, card: Card) -> There:
        """Send the card that an effect names, unless it is there; raises `Overtaken`."""
        before = await self._before(effect, attempt)
        if before.reference is None:
            reference = await self._reach.send(effect, card, self._first(effect, attempt))
            return There(reference, perhaps_twice=not before.is_sure)
        _, channel, approver = parts(effect)
        try:
            # It shows what was so when it left.
            await self._reach.update(
                channel, before.reference, card, to=approver, workspace=effect.workspace
            )
        except ChannelRefused as error:
            logger.warning("%s: found, and cannot be edited: %s", effect.idempotency_key, error)
        return There(before.reference, perhaps_twice=False)

    async def reminder(
        self, effect: Effect, attempt: Attempt, reference: str | None, card: Card
    ) -> None:
        """Send the reminder that an effect names, unless it is there; raises `Overtaken`."""
        before = await self._before(effect, attempt)
        if before.reference is not None:
            return
        await self._reach.remind(effect, reference, card, self._first(effect, attempt))
        if not before.is_sure:
            logger.warning("%s: perhaps reminded twice", effect.idempotency_key)

    async def find(self, effect: Effect, attempt: Attempt) -> str | None:
        """Return where the card is that an effect names; None if it is not there, or lost."""
        _, channel, _ = parts(effect)
        if not (attempt.sent or self._reach.repeats(channel)):
            return None
        return await self._reach.find(effect)

    def is_lost(self, effect: Effect, attempt: Attempt) -> bool:
        """Tell whether a card left of which nobody will ever know if it arrived."""
        _, channel, _ = parts(effect)
        return attempt.sent and not self._reach.finds(channel)

    async def _before(self, effect: Effect, attempt: Attempt) -> _Before:
        if not attempt.sent:
            return _Before(None, is_sure=True)
        if self.is_lost(effect, attempt):
            return _Before(None, is_sure=False)
        try:
            return _Before(await self._reach.find(effect), is_sure=True)
        except ChannelRefused as error:
            logger.warning("%s: cannot be looked for: %s", effect.idempotency_key, error)
            return _Before(None, is_sure=False)

    def _first(self, effect: Effect, attempt: Attempt) -> First | None:
        """Return what writes down that an attempt leaves: from then on it may have arrived."""
        _, channel, _ = parts(effect)
        if self._reach.repeats(channel):
            return None

        async def leaves() -> None:
            if not await self._ledger.leaving(effect, attempt):
                raise Overtaken

        return leaves
