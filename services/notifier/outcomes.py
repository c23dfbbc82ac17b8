"""Tells whoever asked what became of it, once: a card with nothing to press."""

import logging
from collections.abc import Callable
from datetime import datetime

from events.approval import ApprovalDecided, ApprovalExpired, ApprovalWithdrawn
from services.channels import ChannelRefused
from services.effects import Attempt, Effect
from services.notifier.drawing import Drawing
from services.notifier.ledger import OUTCOME, Ledger, delay, is_over
from services.notifier.outside import Away
from services.notifier.reach import First, Reach
from services.notifier.standing import Standing

_FINAL = (ApprovalDecided, ApprovalWithdrawn, ApprovalExpired)

logger = logging.getLogger(__name__)


class Outcomes:
    """Sends outcomes; raises `Unavailable` when our own store is away."""

    def __init__(
        self, reach: Reach, ledger: Ledger, drawing: Drawing, clock: Callable[[], datetime]
    ) -> None:
        self._reach = reach
        self._ledger = ledger
        self._drawing = drawing
        self._clock = clock

    async def tell(self, standing: Standing, channel: str) -> None:
        """Tell the requester on a channel, once on whichever; what is away is tried again."""
        requester = standing.view().requester.email
        effect = outcome_effect(standing, requester)
        attempt = await self._ledger.take(effect)
        if attempt is None:
            return
        card = self._drawing.card(standing, requester, standing.revision)
        try:
            if attempt.sent and await self._may_be_there(channel, effect, requester):
                logger.warning("%s: perhaps sent, not sent again", effect.idempotency_key)
            else:
                first = self._first(channel, effect, attempt)
                await self._reach.tell(channel, effect, card, to=requester, first=first)
        except _Overtaken:
            return
        except Away as error:
            if is_over(attempt, self._clock()):
                await self._ledger.failed(effect, str(error))
            else:
                wait = delay(attempt.number, error.retry_after)
                sent = attempt.sent or error.perhaps_done
                await self._ledger.later(effect, wait, str(error), sent=sent)
        except ChannelRefused as error:
            logger.warning(
                "%s: %s cannot be told of the outcome by %s: %s",
                standing.approval_id,
                requester,
                channel,
                error,
            )
            await self._ledger.failed(effect, str(error))
        else:
            await self._ledger.done(effect)

    async def _may_be_there(self, channel: str, effect: Effect, requester: str) -> bool:
        """Tell whether an attempt that left has arrived, or nobody can tell."""
        if self._reach.repeats(channel):
            return False
        if not self._reach.finds(channel):
            return True
        return await self._reach.find_told(channel, effect, to=requester) is not None

    def _first(self, channel: str, effect: Effect, attempt: Attempt) -> First | None:
        if self._reach.repeats(channel):
            return None

        async def leaves() -> None:
            if not await self._ledger.leaving(effect, attempt):
                raise _Overtaken

        return leaves


class _Overtaken(Exception):
    """Somebody else sends it now."""


def outcome_effect(standing: Standing, requester: str) -> Effect:
    """Name the one message that tells the outcome, on whichever channel it goes out."""
    ended = next(
        version
        for version, recorded in enumerate(standing.stream, start=1)
        if isinstance(recorded.event, _FINAL)
    )
    return Effect(
        workspace=standing.workspace,
        approval_id=standing.approval_id,
        version=ended,
        effect=f"{OUTCOME}:{requester}",
    )
