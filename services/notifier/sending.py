"""Sends one card, once: written down before it leaves, recorded as an event when it is out."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from events.commands import Command, RecordNotification, RecordNotificationFailure
from events.handling import Handled, Order, handle
from events.state import Deciding, Pending
from events.store import EventStore
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


class Sending:
    """Sends cards of pending approvals."""

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

    async def send(
        self,
        standing: Standing,
        rows: Sequence[SentCard],
        approver: str,
        channel: str,
        *,
        marked: bool,
    ) -> bool:
        """Send an approver's card; return False when the approval has moved on meanwhile.

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
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return True
        row = _row(standing, rows, approver, channel)
        if row is None:
            row = await self._row_of_new_card(standing, effect, attempt, marked=marked)
        if row is None:
            return True
        command = RecordNotification(
            approver=approver,
            channel=channel,
            revision=row.revision,
            reference=row.reference,
            card_digest=row.digest,
            now=self._clock(),
        )
        handled = await self._record(standing, "card", row.revision, command)
        await self._ledger.done(effect)
        return _still_asks(handled, row.revision)

    async def recover(self, standing: Standing, rows: Sequence[SentCard], effect: Effect) -> bool:
        """Close a card that is not missing any more; return True if it came out only now.

        One that left before the approval moved on may have arrived, although we do not know under
        which reference: it is sent again with the same key, so that it can be edited. One that
        never left is not sent any more.
        """
        _, channel, approver = parts(effect)
        revision = standing.revision_begun_at(effect.version)
        known = {(row.approver, row.channel, row.revision) for row in rows}
        if revision is None or (approver, channel, revision) in known:
            await self._ledger.done(effect)
            return False
        if (approver, channel, revision) in standing.given_up:
            await self._ledger.failed(effect, "Given up; the history says why.")
            return False
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return False
        if not attempt.sent or channel not in self._reach:
            await self._ledger.failed(effect, "The approval moved on before this was sent.")
            return False
        card = self._drawing.card(standing, approver, revision)
        try:
            reference = await self._call(effect, card)
        except Away as error:
            await self._put_off(effect, attempt, error)
            return False
        except ChannelRefused as error:
            await self._ledger.failed(effect, str(error))
            return False
        await self._cards.remember(_sent(effect, revision, reference, card))
        await self._ledger.done(effect)
        return True

    async def _row_of_new_card(
        self, standing: Standing, effect: Effect, attempt: Attempt, *, marked: bool
    ) -> SentCard | None:
        """Send the card and return what is kept of it; None when it is not out."""
        _, channel, approver = parts(effect)
        card = self._drawing.card(standing, approver, standing.revision)
        if marked and attempt.number == 1:
            logger.warning(
                "%s: the source says that %s was asked about revision %s, and nothing of it is "
                "written down here: recorded, not sent again",
                standing.approval_id,
                approver,
                standing.revision,
            )
            row = _sent(effect, standing.revision, None, card)
            await self._cards.remember(row)
            return row
        await self._ledger.sending(effect)
        try:
            reference = await self._call(effect, card)
        except Away as error:
            if not await self._put_off(effect, attempt, error):
                await self._give_up(standing, effect, f"Given up after a day: {error}")
            return None
        except ChannelRefused as error:
            await self._give_up(standing, effect, str(error))
            return None
        row = _sent(effect, standing.revision, reference, card)
        await self._cards.remember(row)
        logger.info(
            "%s: %s was asked by %s (revision %s)",
            standing.approval_id,
            approver,
            channel,
            standing.revision,
        )
        return row

    async def _call(self, effect: Effect, card: Card) -> str | None:
        _, channel, approver = parts(effect)
        return await self._reach.send(
            channel,
            card,
            approval_id=effect.approval_id,
            approver=approver,
            workspace=effect.workspace,
            idempotency_key=effect.idempotency_key,
        )

    async def _put_off(self, effect: Effect, attempt: Attempt, away: Away) -> bool:
        """Let it be tried again; False when it was tried for long enough."""
        if is_over(attempt, self._clock()):
            await self._ledger.failed(effect, str(away))
            return False
        wait = delay(attempt.number, away.retry_after)
        logger.info("%s: %s; again in %.0f s", effect.idempotency_key, away, wait)
        await self._ledger.later(effect, wait, str(away))
        return True

    async def _give_up(self, standing: Standing, effect: Effect, reason: str) -> None:
        _, channel, approver = parts(effect)
        logger.warning(
            "%s: %s cannot be asked by %s: %s", standing.approval_id, approver, channel, reason
        )
        command = RecordNotificationFailure(
            approver=approver,
            channel=channel,
            revision=standing.revision,
            reason=reason,
            now=self._clock(),
        )
        await self._record(standing, "card_failed", standing.revision, command)
        await self._ledger.failed(effect, reason)

    async def _record(
        self,
        standing: Standing,
        kind: str,
        revision: str,
        command: RecordNotification | RecordNotificationFailure,
    ) -> Handled:
        about: Command = command
        order = Order(
            approval_id=standing.approval_id,
            command=about,
            command_id=f"{kind}.{command.approver}.{command.channel}.{revision}",
        )
        return await handle(self._store, standing.workspace, order)


def _row(
    standing: Standing, rows: Sequence[SentCard], approver: str, channel: str
) -> SentCard | None:
    wanted = (approver, channel, standing.revision)
    for row in rows:
        if (row.approver, row.channel, row.revision) == wanted:
            return row
    return None


def _sent(effect: Effect, revision: str, reference: str | None, card: Card) -> SentCard:
    _, channel, approver = parts(effect)
    return SentCard(
        workspace=effect.workspace,
        approval_id=effect.approval_id,
        approver=approver,
        channel=channel,
        revision=revision,
        reference=reference,
        digest=card.digest,
        shown="open",
    )


def _still_asks(handled: Handled, revision: str) -> bool:
    match handled.state:
        case Pending() | Deciding() as state:
            return state.asked.about.revision == revision
        case _:
            return False
