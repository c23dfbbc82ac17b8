"""Attends to approvals: edits the cards that are out, sends those that are missing, records."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from events.store import EventStore
from services.effects import Effect
from services.notifier.cards import Cards, Key, SentCard
from services.notifier.editing import Editing
from services.notifier.ledger import CHECK, Ledger
from services.notifier.noting import WorkNotes, check_effect
from services.notifier.outcomes import Outcomes
from services.notifier.parallel import side_by_side
from services.notifier.recording import Recording
from services.notifier.sending import GivenUp, Out, Sending
from services.notifier.standing import Card, Standing, standing_of
from services.notifier.timing import Timing

BUDGET_S = 60.0
"""After which time what is left is put off: a consumer that takes minutes over a batch is taken
for dead, and its partitions are given to another that would begin the batch anew."""
ROUNDS = 3
"""How often an approval is attended to again at once because it moved on in the meantime."""

Case = tuple[Standing, Sequence[SentCard]]


@dataclass(slots=True)
class _Work:
    """What has come of attending so far, whatever happens next."""

    outcomes: list[Out | GivenUp] = field(default_factory=list)
    questions: list[Key] = field(default_factory=list)
    closes: list[Effect] = field(default_factory=list)


class Attending:
    """Does what approvals need just now; doing it again does nothing more."""

    def __init__(
        self,
        store: EventStore,
        cards: Cards,
        ledger: Ledger,
        editing: Editing,
        sending: Sending,
        recording: Recording,
        notes: WorkNotes,
        timing: Timing,
        outcomes: Outcomes,
    ) -> None:
        self._store = store
        self._cards = cards
        self._ledger = ledger
        self._editing = editing
        self._sending = sending
        self._recording = recording
        self._notes = notes
        self._timing = timing
        self._outcomes = outcomes

    async def look(self, keys: Sequence[Key]) -> list[Case]:
        """Return how approvals stand and which cards are out; unknown ones are left out.

        One reading of the store and one of the cards, however many there are.
        """
        by_workspace: dict[str, list[str]] = {}
        for workspace, approval_id in keys:
            by_workspace.setdefault(workspace, []).append(approval_id)
        standings: list[Standing] = []
        for workspace, approval_ids in by_workspace.items():
            for approval_id, stream in (await self._store.read(workspace, approval_ids)).items():
                standing = standing_of(workspace, approval_id, stream)
                if standing is not None:
                    standings.append(standing)
        rows: dict[Key, list[SentCard]] = {standing.key: [] for standing in standings}
        for row in await self._cards.of(list(rows)):
            rows[row.workspace, row.approval_id].append(row)
        return [(standing, rows[standing.key]) for standing in standings]

    async def attend(self, cases: Sequence[Case], *, check: bool = True) -> None:
        """Edit what is out of date, send what is missing, remind, and record what is out.

        `check` asks the source before the first card of a revision; a retry of a single card
        comes after that. Raises `Unavailable` when our own store is away, once all had their turn.
        """
        until = asyncio.get_running_loop().time() + BUDGET_S
        for _ in range(ROUNDS):
            work = _Work()
            try:
                await side_by_side(
                    partial(self._attend_or_put_off, case, work, until, check=check)
                    for case in cases
                )
            finally:
                moved = await self._recording.record(work.outcomes)
                for effect in work.closes:
                    await self._ledger.done(effect)
            again = list(dict.fromkeys((*moved, *work.questions)))
            if not again:
                return
            # Settled or changed while a card was on its way: edit that card now, since no further
            # message may come to make us do so. After the last round, the sweep does.
            cases = await self.look(again)

    async def _attend_or_put_off(
        self, case: Case, work: _Work, until: float, *, check: bool
    ) -> None:
        standing, rows = case
        redraws = self._editing.outdated(standing, rows)
        ahead = self._timing.ahead(standing)
        if not (standing.has_moved or redraws or ahead):
            return  # the rule on a replay, and nobody was asked
        if asyncio.get_running_loop().time() < until:
            await self._editing.bring_up(standing, redraws)
            await self._ask_requester(standing, rows, work, ahead.questions)
            await self._send_missing(standing, rows, work, ahead.cards, check=check)
            for due in ahead.reminders:
                await self._sending.remind(standing, rows, due)
            if ahead.outcome is not None:
                await self._outcomes.tell(standing, ahead.outcome)
            await self._timing.wait(self._ledger, standing, ahead)
            return
        effect = Effect(
            workspace=standing.workspace,
            approval_id=standing.approval_id,
            version=standing.state.version,
            effect=CHECK,
        )
        if await self._ledger.take(effect) is not None:
            await self._ledger.later(effect, 0.0, "The batch took too long.")

    async def _ask_requester(
        self,
        standing: Standing,
        rows: Sequence[SentCard],
        work: _Work,
        channels: Sequence[str],
    ) -> None:
        asked_at = standing.asked_back_at
        if asked_at is None:
            return
        for channel in channels:
            if await self._sending.ask_requester(standing, rows, asked_at, channel):
                work.questions.append(standing.key)

    async def _send_missing(
        self,
        standing: Standing,
        rows: Sequence[SentCard],
        work: _Work,
        missing: Sequence[Card],
        *,
        check: bool,
    ) -> None:
        if not missing:
            return
        marked = await self._notes.already_asked(standing, rows) if check else ()
        if marked is None:
            return
        for approver in dict.fromkeys(approver for approver, _ in missing):
            noting = await self._notes.begin(standing, approver)
            asked = standing.was_told(approver)
            for channel in (channel for one, channel in missing if one == approver):
                outcome = await self._sending.send(
                    standing, rows, approver, channel, marked=approver in marked
                )
                if outcome is not None:
                    work.outcomes.append(outcome)
                    asked |= isinstance(outcome, Out)
            if noting is not None:
                await self._notes.leave(
                    standing, approver, noting, asked=asked, marked=approver in marked
                )
        if self._notes.mirrors(standing):
            # Only once the cards are recorded: until then, a crash has to lead back here.
            work.closes.append(check_effect(standing))
