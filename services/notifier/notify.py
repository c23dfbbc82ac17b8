"""The notifier: follows the log of approvals, and finds by itself what no message told it of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NoReturn

from events.approval import (
    ApprovalDecided,
    ApprovalExpired,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    WriteBackFailed,
)
from events.codec import Unreadable
from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import recorded
from events.store import EventStore, Unavailable
from services.channels import Channel
from services.effects import Effect
from services.notifier.attending import Attending
from services.notifier.backlog import FROM_THE_START, Backlog, Stretch
from services.notifier.cards import Cards, Key, SentCard
from services.notifier.drawing import Drawing, Templates
from services.notifier.editing import Editing
from services.notifier.ledger import CHECK, Ledger
from services.notifier.noting import Sources, WorkNotes
from services.notifier.reach import Reach
from services.notifier.retrying import Retrying
from services.notifier.sending import Sending
from services.notifier.standing import Standing, standing_of

PARALLEL = 8
"""How many approvals are attended to at the same time."""
BUDGET_S = 60.0
"""After which time what is left of a batch is put off: a consumer that takes minutes over a batch
is taken for dead, and its partitions are given to another that would begin the batch anew."""
RETRY_EVERY_S = 2.0
RETRY_LIMIT = 200
FAILED_DELAY_S = 60.0
SWEEP_EVERY_S = 60.0
SWEEP_STRETCH = 500
SWEEP_STRETCHES = 20

# The others change nothing that a card shows; most of them are the notifier's own.
_TOUCHING = (
    ApprovalRequested,
    ApprovalRevised,
    WriteBackFailed,
    ApprovalDecided,
    ApprovalWithdrawn,
    ApprovalExpired,
)

logger = logging.getLogger(__name__)

Look = Callable[[Key, int], Awaitable[Stretch]]


class Notifier:
    """Sends each approver one card per channel and revision, and keeps the cards true.

    Everything may be repeated, and any number of notifiers may run at the same time.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        cards: Cards,
        backlog: Backlog,
        channels: Sequence[Channel],
        sources: Sources,
        templates: Templates,
        effects: Ledger,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._cards = cards
        self._backlog = backlog
        self._effects = effects
        reach = Reach(channels, clock)
        drawing = Drawing(templates, public_url, clock)
        notes = WorkNotes(sources, effects, clock)
        editing = Editing(store, cards, reach, effects, drawing, clock)
        sending = Sending(store, cards, reach, effects, drawing, clock)
        self._attending = Attending(store, cards, reach, editing, sending, notes)
        self._retrying = Retrying(self._attending, editing, sending, notes, reach, effects)
        self._unasked = FROM_THE_START
        self._left_open = FROM_THE_START

    async def handle(self, batch: Sequence[Delivered]) -> Sequence[Rejected]:
        """Attend to each approval that messages of `approval.log` touch.

        Returns what cannot be read. Raises `Unavailable` when our own store is away; a channel or
        a source that is away holds up nothing.
        """
        rejected: list[Rejected] = []
        keys: dict[Key, None] = {}
        for message in batch:
            try:
                event = recorded(message.headers, message.value)
            except Unreadable as error:
                rejected.append(Rejected(message, str(error)))
                continue
            if isinstance(event.event, _TOUCHING):
                keys[event.workspace, event.approval_id] = None
        await self._attend(list(keys))
        return rejected

    async def run_retries(self) -> NoReturn:
        """Take up what is due, until cancelled."""
        await _forever(self.retry_due, RETRY_EVERY_S, "retries of cards wait")

    async def run_sweeps(self) -> NoReturn:
        """Sweep, until cancelled."""
        await _forever(self.sweep, SWEEP_EVERY_S, "the sweep of cards waits")

    async def retry_due(self) -> int:
        """Try once what is due again, and return how many approvals that was.

        Raises `Unavailable` when our own store is away.
        """
        due: dict[Key, list[Effect]] = {}
        for effect in await self._backlog.due(RETRY_LIMIT):
            due.setdefault((effect.workspace, effect.approval_id), []).append(effect)
        await _side_by_side(partial(self._retry, key, effects) for key, effects in due.items())
        return len(due)

    async def sweep(self) -> int:
        """Find approvals that no message told us of, and return how many were attended to.

        A sweep looks through a bounded number of them; the next one goes on from there.
        Raises `Unavailable` when our own store is away.
        """
        self._unasked, unasked = await self._sweep(self._backlog.unasked, self._unasked)
        self._left_open, left_open = await self._sweep(self._backlog.left_open, self._left_open)
        return unasked + left_open

    async def _sweep(self, look: Look, after: Key) -> tuple[Key, int]:
        found = 0
        for _ in range(SWEEP_STRETCHES):
            stretch = await look(after, SWEEP_STRETCH)
            await self._heal(stretch.astray)
            found += len(stretch.astray)
            if stretch.end is None:
                return FROM_THE_START, found
            after = stretch.end
        return after, found

    async def _heal(self, keys: Sequence[Key]) -> None:
        try:
            await self._attend(keys)
        except Unavailable:
            raise
        except Exception:
            logger.exception("a sweep of %d approvals failed: one by one", len(keys))
            for key in keys:
                try:
                    await self._attend([key])
                except Unavailable:
                    raise
                except Exception:
                    # The sweep goes on from here: one approval must not end it each time.
                    logger.exception("%s: the sweep passes it by", key[1])

    async def _attend(self, keys: Sequence[Key]) -> None:
        """Attend to approvals side by side, from one reading of the store for all of them."""
        if not keys:
            return
        standings = await self._standings(keys)
        rows: dict[Key, list[SentCard]] = {}
        for row in await self._cards.of(list(standings)):
            rows.setdefault((row.workspace, row.approval_id), []).append(row)
        until = asyncio.get_running_loop().time() + BUDGET_S
        await _side_by_side(
            partial(self._attend_or_put_off, standing, rows.get(key, []), until)
            for key, standing in standings.items()
            if not self._attending.needs_nothing(standing, rows.get(key, []))
        )

    async def _standings(self, keys: Sequence[Key]) -> Mapping[Key, Standing]:
        by_workspace: dict[str, list[str]] = {}
        for workspace, approval_id in keys:
            by_workspace.setdefault(workspace, []).append(approval_id)
        standings: dict[Key, Standing] = {}
        for workspace, approval_ids in by_workspace.items():
            streams = await self._store.read(workspace, approval_ids)
            for approval_id, stream in streams.items():
                standing = standing_of(workspace, approval_id, stream)
                if standing is not None:
                    standings[workspace, approval_id] = standing
        return standings

    async def _attend_or_put_off(
        self, standing: Standing, rows: Sequence[SentCard], until: float
    ) -> None:
        if asyncio.get_running_loop().time() < until:
            await self._attending.attend(standing, rows)
            return
        effect = Effect(
            workspace=standing.workspace,
            approval_id=standing.approval_id,
            version=standing.state.version,
            effect=CHECK,
        )
        if await self._effects.take(effect) is not None:
            await self._effects.later(effect, 0.0, "The batch took too long.")

    async def _retry(self, key: Key, due: Sequence[Effect]) -> None:
        try:
            await self._retrying.retry(key, due)
        except Unavailable:
            raise
        except Exception as error:
            # One approval that fails for a reason of its own must not stand before the others.
            logger.exception("%s: what is due could not be done", key[1])
            for effect in due:
                await self._effects.later(effect, FAILED_DELAY_S, f"{type(error).__name__}")


async def _side_by_side(jobs: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Do all jobs, a few at a time, and only then raise what one of them raised, if any did."""
    places = asyncio.Semaphore(PARALLEL)

    async def do(job: Callable[[], Awaitable[None]]) -> None:
        async with places:
            await job()

    outcomes = await asyncio.gather(*(do(job) for job in jobs), return_exceptions=True)
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    # A store that is away explains the others, and is the one that is worth another try.
    failures.sort(key=lambda failure: not isinstance(failure, Unavailable))
    if failures:
        raise failures[0]


async def _forever(work: Callable[[], Awaitable[int]], every_s: float, waits: str) -> NoReturn:
    while True:
        try:
            await work()
        except Unavailable as error:
            logger.warning("%s: %s", waits, error)
        except Exception:
            logger.exception("%s", waits)
        await asyncio.sleep(every_s)
