"""Records as events which cards are out and which were given up, many approvals at a time."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from events.commands import RecordNotification, RecordNotificationFailure
from events.handling import Handled, Order, handle, handle_batch
from events.state import Deciding, Pending
from events.store import EventStore, VersionConflict
from services.effects import Effect
from services.notifier.cards import Key
from services.notifier.ledger import Ledger, parts
from services.notifier.parallel import side_by_side
from services.notifier.sending import GivenUp, Out
from services.notifier.standing import Standing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry:
    workspace: str
    order: Order
    standing: Standing
    effect: Effect | None
    given_up: str | None


class Recording:
    """Appends to the streams of approvals; raises `Unavailable`."""

    def __init__(self, store: EventStore, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock

    async def record(self, outcomes: Sequence[Out | GivenUp]) -> list[Key]:
        """Record each, then close its effect; return the approvals that moved on meanwhile.

        A card of such an approval shows what is not so any more, and no message may come for it.
        """
        moved: dict[Key, None] = {}
        for workspace, wave in _waves([self._entry(outcome) for outcome in outcomes]):
            handled = await self._handle(workspace, wave)
            for entry in wave:
                key = (workspace, entry.order.approval_id)
                if not _is_as_before(handled[entry.order.approval_id], entry.standing):
                    moved[key] = None
            await side_by_side(partial(self._close, entry) for entry in wave)
        return list(moved)

    async def _close(self, entry: _Entry) -> None:
        if entry.effect is None:
            return
        if entry.given_up is None:
            await self._ledger.done(entry.effect)
        else:
            await self._ledger.failed(entry.effect, entry.given_up)

    async def _handle(self, workspace: str, wave: Sequence[_Entry]) -> dict[str, Handled]:
        orders = [entry.order for entry in wave]
        if len(orders) > 1:
            try:
                return await handle_batch(self._store, workspace, orders)
            except VersionConflict:
                logger.debug("somebody else wrote to one of %d approvals: one by one", len(orders))
        return {order.approval_id: await handle(self._store, workspace, order) for order in orders}

    def _entry(self, outcome: Out | GivenUp) -> _Entry:
        match outcome:
            case Out(standing=standing, row=row, effect=effect):
                order = Order(
                    approval_id=row.approval_id,
                    command=RecordNotification(
                        approver=row.approver,
                        channel=row.channel,
                        revision=row.revision,
                        reference=row.reference,
                        card_digest=row.digest,
                        now=self._clock(),
                        perhaps_twice=row.perhaps_twice,
                    ),
                    command_id=f"card.{row.approver}.{row.channel}.{row.revision}",
                )
                return _Entry(row.workspace, order, standing, effect, None)
            case GivenUp(standing=standing, effect=effect, reason=reason):
                _, channel, approver = parts(effect)
                logger.warning(
                    "%s: %s cannot be asked by %s: %s",
                    standing.approval_id,
                    approver,
                    channel,
                    reason,
                )
                order = Order(
                    approval_id=standing.approval_id,
                    command=RecordNotificationFailure(
                        approver=approver,
                        channel=channel,
                        revision=standing.revision,
                        reason=reason,
                        now=self._clock(),
                    ),
                    command_id=f"card_failed.{approver}.{channel}.{standing.revision}",
                )
                return _Entry(standing.workspace, order, standing, effect, reason)


def _waves(entries: Sequence[_Entry]) -> list[tuple[str, list[_Entry]]]:
    """Split into waves of one workspace in which each approval stands once, in order."""
    waves: dict[tuple[int, str], list[_Entry]] = {}
    placed: dict[Key, int] = {}
    for entry in entries:
        key = (entry.workspace, entry.order.approval_id)
        number = placed.get(key, 0)
        placed[key] = number + 1
        waves.setdefault((number, entry.workspace), []).append(entry)
    return [(workspace, waves[number, workspace]) for number, workspace in sorted(waves)]


def _is_as_before(handled: Handled, standing: Standing) -> bool:
    before = standing.state
    match handled.state:
        # An answer that is held, or on its way, takes the buttons away.
        case Pending() | Deciding() as state if isinstance(before, type(state)):
            same_revision = state.asked.about.revision == standing.revision
            return same_revision and state.asked.course == before.asked.course
        case _:
            return False
