"""Sends one card, once: written down before it leaves, and kept as soon as it is out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.channels import ChannelRefused
from services.channels.card import Card
from services.effects import Attempt, Effect
from services.notifier.cards import Cards, SentCard
from services.notifier.drawing import Drawing
from services.notifier.ledger import Ledger, card_effect, delay, is_over, parts
from services.notifier.outside import Away
from services.notifier.reach import Reach
from services.notifier.standing import Standing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """A card that is out, to be recorded; `effect` is closed then, if it was written down."""

    row: SentCard
    effect: Effect | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """A card that will not go out, to be recorded with its reason."""

    standing: Standing
    effect: Effect
    reason: str


class Sending:
    """Sends cards of pending approvals; raises `Unavailable` when our own store is away."""

    def __init__(
        self,
        cards: Cards,
        reach: Reach,
        ledger: Ledger,
        drawing: Drawing,
        clock: Callable[[], datetime],
    ) -> None:
        self._cards = cards
        self._reach = reach
        self._ledger = ledger
        self._drawing = drawing
        self._clock = clock

    async def send(
        self,
        standing: Standing,
        rows: Sequence[SentCard],
        approver: str,
        channel: str,
        *,
        marked: bool,
    ) -> Out | GivenUp | None:
        """Send an approver's card; None if somebody else did or does, or it is to be tried again.

        `marked`: the source holds our mark that this approver was asked. If nothing of it is
        written down here, then what was written down is lost, and the card was sent.
        """
        effect = card_effect(
            standing.workspace,
            standing.approval_id,
            standing.began,
            channel=channel,
            approver=approver,
        )
        row = _row(standing, rows, approver, channel)
        if not self._reach.leaves(channel):
            # Nothing goes out that could go out twice: the row and the event say all there is.
            if row is None:
                row = await self._keep(standing, effect, None)
                _log(row)
            return Out(row=row, effect=None)
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return None
        if row is not None:
            return Out(row=row, effect=effect)
        if marked and attempt.number == 1:
            logger.warning(
                "%s: the source says that %s was asked about revision %s, and nothing of it is "
                "written down here: recorded, not sent again",
                standing.approval_id,
                approver,
                standing.revision,
            )
            return Out(row=await self._keep(standing, effect, None), effect=effect)
        return await self._send(standing, effect, attempt)

    async def recover(self, standing: Standing, rows: Sequence[SentCard], effect: Effect) -> bool:
        """Close a card that is not missing any more; return True if it has to be edited.

        One that left before the approval moved on may have arrived although we never learned its
        reference: the channel is asked for it. One that never left is not sent any more.
        """
        _, channel, approver = parts(effect)
        revision = standing.revision_begun_at(effect.version)
        known = {(row.approver, row.channel, row.revision) for row in rows}
        if revision is None or (approver, channel, revision) in known:
            await self._ledger.done(effect)
            return False
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return False
        try:
            reference = await self._reach.find(effect)
        except Away as error:
            await self._put_off(effect, attempt, error)
            return False
        except ChannelRefused as error:
            await self._ledger.failed(effect, str(error))
            return False
        if reference is None:
            await self._ledger.failed(
                effect, "The approval moved on; this was not sent, or is lost."
            )
            return False
        await self._keep(standing, effect, reference)
        await self._ledger.done(effect)
        return True

    async def _send(
        self, standing: Standing, effect: Effect, attempt: Attempt
    ) -> Out | GivenUp | None:
        _, _, approver = parts(effect)
        card = self._drawing.card(standing, approver, standing.revision)
        try:
            reference = await self._reach.send(effect, card)
        except Away as error:
            if await self._put_off(effect, attempt, error):
                return None
            reason = f"Given up after a day: {error}"
            return GivenUp(standing=standing, effect=effect, reason=reason)
        except ChannelRefused as error:
            return GivenUp(standing=standing, effect=effect, reason=str(error))
        row = await self._keep(standing, effect, reference, card)
        _log(row)
        return Out(row=row, effect=effect)

    async def _keep(
        self, standing: Standing, effect: Effect, reference: str | None, card: Card | None = None
    ) -> SentCard:
        _, channel, approver = parts(effect)
        revision = standing.revision_begun_at(effect.version) or standing.revision
        shown = card or self._drawing.card(standing, approver, revision)
        row = SentCard(
            workspace=effect.workspace,
            approval_id=effect.approval_id,
            approver=approver,
            channel=channel,
            revision=revision,
            reference=reference,
            digest=shown.digest,
            shown="open",
        )
        await self._cards.remember(row)
        return row

    async def _put_off(self, effect: Effect, attempt: Attempt, away: Away) -> bool:
        """Let it be tried again; False when it was tried for long enough."""
        if is_over(attempt, self._clock()):
            await self._ledger.failed(effect, str(away))
            return False
        wait = delay(attempt.number, away.retry_after)
        logger.info("%s: %s; again in %.0f s", effect.idempotency_key, away, wait)
        await self._ledger.later(effect, wait, str(away))
        return True


def _row(
    standing: Standing, rows: Sequence[SentCard], approver: str, channel: str
) -> SentCard | None:
    wanted = (approver, channel, standing.revision)
    for row in rows:
        if (row.approver, row.channel, row.revision) == wanted:
            return row
    return None


def _log(row: SentCard) -> None:
    logger.info(
        "%s: %s was asked by %s (revision %s)",
        row.approval_id,
        row.approver,
        row.channel,
        row.revision,
    )
