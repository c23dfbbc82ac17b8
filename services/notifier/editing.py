"""Keeps what cards show true, from the first answer to the last; each edit may be repeated."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from events.store import EventStore
from services.channels import ChannelRefused
from services.channels.card import Card
from services.effects import Effect
from services.notifier.cards import Cards, SentCard
from services.notifier.drawing import Drawing
from services.notifier.ledger import EDITS, Ledger, delay, is_over
from services.notifier.outside import Away
from services.notifier.parallel import side_by_side
from services.notifier.reach import Reach
from services.notifier.standing import Standing, standing_of

LOOKS = 3
"""How often a card is drawn again because it was edited by somebody else at the same time."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redraw:
    """A card that shows what is not so any more, and what it is to show instead."""

    row: SentCard
    card: Card


class Editing:
    """Edits cards that were sent."""

    def __init__(
        self,
        store: EventStore,
        cards: Cards,
        reach: Reach,
        ledger: Ledger,
        drawing: Drawing,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._cards = cards
        self._reach = reach
        self._ledger = ledger
        self._drawing = drawing
        self._clock = clock

    def outdated(self, standing: Standing, rows: Sequence[SentCard]) -> list[Redraw]:
        """Return the cards that show what is not so any more, on channels that are there."""
        shown = [row for row in rows if row.channel in self._reach and row.shown == "open"]
        redraws = (self._redraw_of(standing, row) for row in shown)
        return [redraw for redraw in redraws if redraw is not None]

    def _redraw_of(self, standing: Standing, row: SentCard) -> Redraw | None:
        is_open = standing.should_show(row.revision) == "open"
        # What does not leave us is read anew at each look.
        if is_open and not (standing.has_moved and self._reach.leaves(row.channel)):
            return None
        card = self._drawing.card(standing, row.approver, row.revision)
        return None if is_open and card.digest == row.digest else Redraw(row=row, card=card)

    async def bring_up(self, standing: Standing, redraws: Sequence[Redraw]) -> None:
        """Let cards show how the approval stands; what a channel cannot do now is put off.

        Nothing is written down before: that a card is out of date can be read from its row.
        """
        away: list[Away] = []
        await side_by_side(partial(self._edit, redraw, away) for redraw in redraws)
        if away:
            await self.put_off(standing, away[0])

    async def put_off(self, standing: Standing, away: Away) -> None:
        """Write down that cards of this approval are to be edited later."""
        effect = Effect(
            workspace=standing.workspace,
            approval_id=standing.approval_id,
            version=standing.state.version,
            effect=EDITS,
        )
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return
        if is_over(attempt, self._clock()):
            # Sweeps still try it, once each; this only ends the closer watch.
            await self._ledger.failed(effect, str(away))
            return
        await self._ledger.later(effect, delay(attempt.number, away.retry_after), str(away))

    async def _edit(self, redraw: Redraw, away: list[Away]) -> None:
        try:
            await self._show(redraw.row, redraw.card)
        except Away as error:
            away.append(error)

    async def _show(self, row: SentCard, card: Card) -> None:
        for _ in range(LOOKS):
            try:
                await self._reach.update(
                    row.channel, row.reference, card, to=row.approver, workspace=row.workspace
                )
            except ChannelRefused as error:
                logger.warning(
                    "%s: the card of %s on %s cannot be edited: %s",
                    row.approval_id,
                    row.approver,
                    row.channel,
                    error,
                )
            if await self._cards.redrawn(row, shown=card.shown, digest=card.digest):
                return
            # Somebody edited the card at the same time, perhaps before ours arrived: whoever
            # finds that out draws it again from how things stand now.
            again = await self._reread(row)
            if again is None:
                return
            standing, row = again
            card = self._drawing.card(standing, row.approver, row.revision)

    async def _reread(self, row: SentCard) -> tuple[Standing, SentCard] | None:
        key = (row.workspace, row.approval_id)
        stream = (await self._store.read(row.workspace, [row.approval_id]))[row.approval_id]
        standing = standing_of(*key, stream)
        for held in await self._cards.of([key]):
            same = (held.approver, held.channel, held.revision)
            if same == (row.approver, row.channel, row.revision) and standing is not None:
                return standing, held
        return None
