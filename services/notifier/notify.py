"""The notifier: follows the log of approvals, and finds by itself what no message told it of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NoReturn

from events.approval import (
    AnsweredBack,
    ApprovalDecided,
    ApprovalEscalated,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalReassigned,
    ApprovalReminded,
    ApprovalRequested,
    ApprovalRevised,
    ApprovalWithdrawn,
    AskedBack,
    DecisionSubmitted,
    DecisionUndone,
    WriteBackFailed,
)
from events.codec import Unreadable
from events.kafka.consumer import Delivered, Rejected
from events.kafka.messages import recorded
from events.store import EventStore, Unavailable
from services.channels import Channel
from services.directory import Directories, FixedDirectories
from services.directory.preferences import Defaults
from services.effects import Effect
from services.notifier.attending import Attending
from services.notifier.backlog import FROM_THE_START, Backlog, Stretch
from services.notifier.cards import Cards, Key
from services.notifier.digests import Digests
from services.notifier.drawing import Drawing, Looks
from services.notifier.editing import Editing
from services.notifier.ledger import Ledger
from services.notifier.noting import Sources, WorkNotes
from services.notifier.outcomes import Outcomes
from services.notifier.parallel import side_by_side
from services.notifier.reach import Reach
from services.notifier.recording import Recording
from services.notifier.retrying import Retrying
from services.notifier.sending import Sending
from services.notifier.timing import Timing
from services.policies import Policies

RETRY_EVERY_S = 2.0
RETRY_LIMIT = 200
FAILED_DELAY_S = 60.0
DIGESTS_EVERY_S = 20.0
SWEEP_EVERY_S = 60.0
SWEEP_STRETCH = 500
SWEEP_STRETCHES = 20

ASKS = (
    ApprovalRequested,
    ApprovalRevised,
    ApprovalReminded,
    ApprovalReassigned,
    ApprovalEscalated,
)
"""What sends cards: many at once where a source lists many."""
ANSWERS = (
    DecisionSubmitted,
    DecisionUndone,
    AskedBack,
    AnsweredBack,
    WriteBackFailed,
    ApprovalDecided,
    ApprovalWithdrawn,
    ApprovalExpired,
)
"""What edits cards that are out: it must not wait until many are sent."""
# The others change nothing that a card shows; most of them are the notifier's own.

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
        looks: Looks,
        effects: Ledger,
        public_url: str,
        clock: Callable[[], datetime],
        type_looks: Looks | None = None,
        directories: Directories | None = None,
        policies: Policies | None = None,
        defaults: Defaults | None = None,
    ) -> None:
        self._backlog = backlog
        self._effects = effects
        directories, defaults = directories or FixedDirectories(), defaults or Defaults()
        reach = Reach(channels, clock, directories)
        drawing = Drawing(looks, type_looks or {}, public_url, clock)
        notes = WorkNotes(sources, effects, clock)
        editing = Editing(store, cards, reach, effects, drawing, clock)
        sending = Sending(cards, reach, effects, drawing, clock)
        recording = Recording(store, effects, clock)
        timing = Timing(reach, directories, policies or Policies(), defaults, clock)
        outcomes = Outcomes(reach, effects, drawing, clock)
        self._attending = Attending(
            store, cards, effects, editing, sending, recording, notes, timing, outcomes
        )
        self._retrying = Retrying(self._attending, editing, sending, notes, timing, effects)
        self._digests = Digests(
            backlog,
            self._attending,
            timing,
            reach,
            effects,
            drawing,
            recording,
            directories,
            defaults,
            public_url,
            clock,
        )
        self._unasked = FROM_THE_START
        self._left_open = FROM_THE_START

    async def handle(
        self,
        batch: Sequence[Delivered],
        *,
        touched_by: tuple[type[ApprovalEvent], ...] = (*ASKS, *ANSWERS),
    ) -> Sequence[Rejected]:
        """Attend to each approval that such messages of `approval.log` touch.

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
            if isinstance(event.event, touched_by):
                keys[event.workspace, event.approval_id] = None
        await self._attend(list(keys))
        return rejected

    async def run_retries(self) -> NoReturn:
        """Take up what is due, until cancelled."""
        await _forever(self.retry_due, RETRY_EVERY_S, "retries of cards wait")

    async def run_digests(self) -> NoReturn:
        """Send digests at their times, until cancelled."""
        await _forever(self.send_digests, DIGESTS_EVERY_S, "digests wait")

    async def send_digests(self) -> int:
        """Send the digests that are due, and return how many that were; raises `Unavailable`."""
        return await self._digests.send_due()

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
        jobs = (partial(self._retry, key, effects) for key, effects in due.items())
        await side_by_side(jobs)
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
        if keys:
            await self._attending.attend(await self._attending.look(keys))

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


async def _forever(work: Callable[[], Awaitable[int]], every_s: float, waits: str) -> NoReturn:
    while True:
        try:
            await work()
        except Unavailable as error:
            logger.warning("%s: %s", waits, error)
        except Exception:
            logger.exception("%s", waits)
        await asyncio.sleep(every_s)
