"""Carries out what the system itself has to do for many approvals at once.

A few at a time become one transaction. Where that fails, its parts go one by one, so that none of
them stops the others. After each it rests: whoever asks for something comes first.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from events.approval import ApprovalEvent
from events.handling import Order, handle_batch_made, handle_made
from events.state import Pending, State
from events.store import EventStore, Unavailable

TOGETHER = 50
"""The most chores of one transaction: their facts are read and written in one go, while nothing
else of this process goes on."""
REST = 2.0
"""How long to rest after a transaction, as a multiple of what it took."""

Outcome = Literal["done", "nothing", "failed"]
"""There are new facts; there was nothing to do; it may be tried again."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to do for an approval that is pending: `order` says what, or None for nothing."""

    approval_id: str
    order: Callable[[Pending], Order | None]


async def carry_out(
    store: EventStore, workspace: str, chores: Sequence[Chore]
) -> Sequence[Outcome]:
    """Carry out chores and return what became of each, in their order.

    What fails is logged. Raises `Unavailable` when the store is away: then some may be done.
    """
    outcomes: dict[int, Outcome] = {}
    for wave in _waves(chores):
        begun = time.monotonic()
        outcomes.update(await _wave(store, workspace, {place: chores[place] for place in wave}))
        await asyncio.sleep((time.monotonic() - begun) * REST)
    return [outcomes[place] for place in range(len(chores))]


def _waves(chores: Sequence[Chore]) -> list[list[int]]:
    """Split places into rounds of a few in which each approval stands once, in their order."""
    rounds: list[list[int]] = []
    placed: Counter[str] = Counter()
    for place, chore in enumerate(chores):
        number = placed[chore.approval_id]
        placed[chore.approval_id] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(place)
    return [
        places[first : first + TOGETHER]
        for places in rounds
        for first in range(0, len(places), TOGETHER)
    ]


async def _wave(store: EventStore, workspace: str, wave: dict[int, Chore]) -> dict[int, Outcome]:
    try:
        return await _together(store, workspace, wave)
    except Unavailable:
        raise
    except Exception as error:  # noqa: BLE001 # whatever one of them met, the others go on
        logger.info("%d chores go one by one: %s", len(wave), error)
    outcomes: dict[int, Outcome] = {}
    for place, chore in wave.items():
        try:
            outcomes.update(await _together(store, workspace, {place: chore}))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 # as above
            logger.warning("%s: a chore is tried again later: %r", chore.approval_id, error)
            outcomes[place] = "failed"
    return outcomes


async def _together(
    store: EventStore, workspace: str, wave: dict[int, Chore]
) -> dict[int, Outcome]:
    if len(wave) == 1:
        (chore,) = wave.values()

        async def made(state: State, _facts: Sequence[ApprovalEvent]) -> Order | None:
            return _order(chore, state)

        handled = {chore.approval_id: await handle_made(store, workspace, chore.approval_id, made)}
    else:
        orders = {chore.approval_id: partial(_order, chore) for chore in wave.values()}
        handled = await handle_batch_made(store, workspace, orders)
    return {
        place: "done" if handled[chore.approval_id].added else "nothing"
        for place, chore in wave.items()
    }


def _order(chore: Chore, state: State) -> Order | None:
    return chore.order(state) if isinstance(state, Pending) else None
