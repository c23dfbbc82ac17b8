"""Sends a card, or a reminder, once: written down before it leaves, kept as soon as it is out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.channels import ChannelRefused
from services.effects import Attempt, Effect
from services.notifier.cards import Cards, SentCard
from services.notifier.drawing import Drawing
from services.notifier.leaving import PERHAPS, Leaving, Overtaken
from services.notifier.ledger import (
    CARD,
    QUESTION,
    REMINDER,
    Ledger,
    delay,
    is_over,
    parts,
    sending,
)
from services.notifier.outside import Away
from services.notifier.reach import Reach
from services.notifier.standing import Due, Standing

UNKNOWN = ""
"""Stands as the digest of a card of which nobody can tell any more what it shows."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """A card that is out, to be recorded; `effect` is closed then, if it was written down."""

    standing: Standing
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
        self._leaving = Leaving(reach, ledger)

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
        effect = sending(CARD, *standing.key, standing.began, channel=channel, to=approver)
        row = _row(standing, rows, approver, channel)
        if not self._reach.leaves(channel):
            # Nothing goes out that could go out twice: the row and the event say all there is.
            if row is None:
                row = await self._keep(standing, effect, None)
                _log(row)
            return Out(standing=standing, row=row, effect=None)
        if row is not None:
            return Out(standing=standing, row=row, effect=effect)
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return None
        if marked and attempt.number == 1:
            logger.warning(
                "%s: the source says that %s was asked about revision %s, and nothing of it is "
                "written down here: recorded, not sent again",
                standing.approval_id,
                approver,
                standing.revision,
            )
            return Out(
                standing=standing, row=await self._keep(standing, effect, None), effect=effect
            )
        return await self._send(standing, effect, attempt)

    async def ask_requester(
        self, standing: Standing, rows: Sequence[SentCard], asked_at: int, channel: str
    ) -> bool:
        """Show the requester the question of a version, once; return whether it went out now."""
        requester = standing.view().requester.email
        revision = standing.began_at(asked_at)
        if any((row.channel, row.revision) == (channel, revision) for row in rows):
            return False
        effect = sending(QUESTION, *standing.key, asked_at, channel=channel, to=requester)
        if not self._reach.leaves(channel):
            await self._keep(standing, effect, None)
            return True
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return False
        outcome = await self._send(standing, effect, attempt)
        if isinstance(outcome, Out):
            await self._ledger.done(effect)
        elif isinstance(outcome, GivenUp):
            logger.warning(
                "%s: %s cannot be told of the question by %s: %s",
                standing.approval_id,
                requester,
                channel,
                outcome.reason,
            )
            await self._ledger.failed(effect, outcome.reason)
        return isinstance(outcome, Out)

    async def remind(self, standing: Standing, rows: Sequence[SentCard], due: Due) -> None:
        """Remind somebody of the card that they have, once."""
        row = _row(standing, rows, due.approver, due.channel)
        if row is None or not self._reach.reminds(due.channel):
            return
        effect = reminder_effect(standing, due)
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return
        card = self._drawing.card(standing, due.approver, standing.revision)
        try:
            await self._leaving.reminder(effect, attempt, row.reference, card)
        except Overtaken:
            return
        except Away as error:
            await self._put_off(effect, attempt, error)
        except ChannelRefused as error:
            logger.warning("%s: %s", effect.idempotency_key, error)
            await self._ledger.failed(effect, str(error))
        else:
            await self._ledger.done(effect)

    async def recover(self, standing: Standing, rows: Sequence[SentCard], effect: Effect) -> bool:
        """Close a card that is not missing any more; return True if it has to be edited.

        One that left before the approval moved on may have arrived although we never learned its
        reference: the channel is asked for it. One that never left is not sent any more.
        """
        _, channel, approver = parts(effect)
        revision = standing.began_at(effect.version)
        known = {(row.approver, row.channel, row.revision) for row in rows}
        if revision is None or (approver, channel, revision) in known:
            await self._ledger.done(effect)
            return False
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return False
        try:
            reference = await self._leaving.find(effect, attempt)
        except Away as error:
            await self._put_off(effect, attempt, error)
            return False
        except ChannelRefused as error:
            await self._ledger.failed(effect, str(error))
            return False
        if reference is None and standing.may_send_again(effect.version):
            # Whoever it was for may be asked again: when an answer comes back, or a place does.
            wait = delay(attempt.number, None)
            await self._ledger.later(effect, wait, "It waits for somebody else.")
            return False
        if reference is None:
            perhaps = PERHAPS if self._leaving.is_lost(effect, attempt) else ""
            if perhaps:
                logger.warning("%s: the approval moved on.%s", effect.idempotency_key, perhaps)
            await self._ledger.failed(effect, f"The approval moved on.{perhaps}")
            return False
        await self._keep(standing, effect, reference, digest=UNKNOWN)
        await self._ledger.done(effect)
        return True

    async def _send(
        self, standing: Standing, effect: Effect, attempt: Attempt
    ) -> Out | GivenUp | None:
        _, _, approver = parts(effect)
        card = self._drawing.card(standing, approver, _revision(standing, effect))
        try:
            there = await self._leaving.card(effect, attempt, card)
        except Overtaken:
            return None
        except Away as error:
            if await self._put_off(effect, attempt, error):
                return None
            perhaps = PERHAPS if attempt.sent or error.perhaps_done else ""
            reason = f"Given up after a day: {_ended(error)}{perhaps}"
            return GivenUp(standing=standing, effect=effect, reason=reason)
        except ChannelRefused as error:
            reason = f"{_ended(error)}{PERHAPS}" if attempt.sent else str(error)
            return GivenUp(standing=standing, effect=effect, reason=reason)
        row = await self._keep(
            standing,
            effect,
            there.reference,
            digest=card.digest,
            perhaps_twice=there.perhaps_twice,
        )
        _log(row)
        return Out(standing=standing, row=row, effect=effect)

    async def _keep(
        self,
        standing: Standing,
        effect: Effect,
        reference: str | None,
        *,
        digest: str | None = None,
        perhaps_twice: bool = False,
    ) -> SentCard:
        _, channel, approver = parts(effect)
        revision = _revision(standing, effect)
        if digest is None:
            digest = self._drawing.card(standing, approver, revision).digest
        row = SentCard(
            workspace=effect.workspace,
            approval_id=effect.approval_id,
            approver=approver,
            channel=channel,
            revision=revision,
            reference=reference,
            digest=digest,
            shown="open",
            perhaps_twice=perhaps_twice,
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
        sent = attempt.sent or away.perhaps_done
        await self._ledger.later(effect, wait, str(away), sent=sent)
        return True


def reminder_effect(standing: Standing, due: Due) -> Effect:
    """Name one reminder to somebody on a channel."""
    return sending(REMINDER, *standing.key, due.version, channel=due.channel, to=due.approver)


def _ended(error: Exception) -> str:
    """Return what an error says, as a sentence that another can follow."""
    said = str(error)
    return said if said.endswith(".") else f"{said}."


def _revision(standing: Standing, effect: Effect) -> str:
    return standing.began_at(effect.version) or standing.revision


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
