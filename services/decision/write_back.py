"""Carries an answer to its source: read the record, and write only what is still true.

The saga behind `deciding`. Each step may be repeated after a crash: the effect is written down
before it happens, the source gets an idempotency key, and the core takes the end of it once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from events.commands import (
    Command,
    ConfirmWriteBack,
    FailWriteBack,
    ReviseInWriteBack,
    SettleInWriteBack,
)
from events.decider import content_changed
from events.digest import NotCanonical
from events.handling import Order, handle
from events.observation import Observation
from events.state import Decided, Deciding, fold
from events.store import EventStore, Unavailable
from services.decision.asking import EXPIRES_AFTER
from services.decision.intake import ask_of, settled_of
from services.effects import Attempt, Effect, Effects
from services.sources import (
    AlreadySettled,
    Answer,
    RecordChanged,
    Source,
    SourceRefused,
    SourceUnavailable,
)

WRITE_BACK = "write_back"
DECISION_NOTE = "decision_note"
DELAYS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
WINDOW = timedelta(minutes=15)
"""How long a source may stay unreachable before the approver is told that it did."""
NOTE_ATTEMPTS = 8
READS = 3
"""How often a record may change between our reading and our writing within one attempt."""
RUN_EVERY_S = 1.0

Open = Callable[[], Awaitable[list[tuple[str, str]]]]
"""Returns (workspace, approval id) of answers that the read model holds as being written back."""
Sources = Mapping[tuple[str, str], Source]

logger = logging.getLogger(__name__)


class WriteBacks:
    """Carries answers to sources, at once and again until each has come to an end."""

    def __init__(
        self,
        store: EventStore,
        effects: Effects,
        sources: Sources,
        clock: Callable[[], datetime],
        *,
        window: timedelta = WINDOW,
    ) -> None:
        self._store = store
        self._effects = effects
        self._sources = sources
        self._clock = clock
        self._window = window

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        """Try once to bring a submitted answer to its end; never raises for a source's fault."""
        state = await self._state(workspace, approval_id)
        if isinstance(state, Deciding):
            await self._write_back(workspace, approval_id, state)
            state = await self._state(workspace, approval_id)
        if isinstance(state, Decided) and state.about.source is not None:
            await self._note(workspace, approval_id, state)

    async def run(self, open_answers: Open) -> None:
        """Take up, until cancelled, what is due: what failed before, and what nobody carried."""
        while True:
            try:
                due = [
                    (effect.workspace, effect.approval_id)
                    for name in (WRITE_BACK, DECISION_NOTE)
                    for effect in await self._effects.due(name)
                ]
                for workspace, approval_id in dict.fromkeys([*due, *await open_answers()]):
                    await self.carry_out(workspace, approval_id)
            except Unavailable as error:
                logger.warning("write-backs wait: %s", error)
            await asyncio.sleep(RUN_EVERY_S)

    async def _state(self, workspace: str, approval_id: str) -> object:
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        return fold(recorded.event for recorded in stream)

    async def _write_back(self, workspace: str, approval_id: str, state: Deciding) -> None:
        effect = Effect(
            workspace=workspace,
            approval_id=approval_id,
            version=state.decision_version,
            effect=WRITE_BACK,
        )
        attempt = await self._effects.take(effect)
        if attempt is None:
            return
        record = state.asked.about.source
        source = self._sources.get((workspace, record.name)) if record else None
        try:
            end = await self._end(source, effect, attempt, state)
        except SourceUnavailable as error:
            if attempt.first_at + self._window > self._clock():
                delay = _delay(attempt.number, error.retry_after)
                logger.info("%s: %s; again in %.0f s", approval_id, error, delay)
                await self._effects.later(effect, delay, str(error))
                return
            end = FailWriteBack(
                decision_version=state.decision_version,
                cause="unreachable",
                reason=f"The source stayed unreachable: {error}",
                now=self._clock(),
            )
        order = Order(approval_id=approval_id, command=end, command_id=effect.idempotency_key)
        await handle(self._store, workspace, order)
        await self._effects.done(effect)

    async def _end(
        self, source: Source | None, effect: Effect, attempt: Attempt, state: Deciding
    ) -> Command:
        """Return the command that ends the saga; raises `SourceUnavailable` when it cannot end."""
        record = state.asked.about.source
        if source is None or record is None:
            name = record.name if record else "?"
            raise SourceUnavailable(f"No source {name!r} is configured. Restore its file.")
        for _ in range(READS):
            try:
                reading = await source.read(record.record_id)
            except SourceRefused as error:
                return self._failed(state, str(error))
            seen = reading.observation
            if seen.state != "pending":
                return self._found_settled(state, seen, sent=attempt.sent)
            revised = self._revised(state, seen)
            if revised is not None:
                return revised
            answer = Answer(
                record_id=record.record_id,
                approval_id=effect.approval_id,
                outcome=state.answer.outcome,
                by_email=state.answer.by.email,
                by_name=state.answer.by.name,
                reason=state.answer.reason,
                precondition=reading.precondition,
                idempotency_key=effect.idempotency_key,
            )
            await self._effects.sending(effect)
            try:
                await source.decide(answer)
            except RecordChanged:
                continue
            except AlreadySettled as error:
                if error.how is None or error.how.state == "pending":
                    continue  # the next reading tells how
                return self._found_settled(state, error.how, sent=attempt.sent)
            except SourceRefused as error:
                return self._failed(state, str(error))
            return ConfirmWriteBack(decision_version=state.decision_version, now=self._clock())
        raise SourceUnavailable("The record changes faster than it can be answered.")

    def _found_settled(self, state: Deciding, seen: Observation, *, sent: bool) -> Command:
        """Tell our own write, whose answer was lost, from somebody else's."""
        answer = state.answer
        ours = seen.settled_by is None or seen.settled_by == answer.by.email
        if sent and seen.outcome == answer.outcome and ours:
            return ConfirmWriteBack(decision_version=state.decision_version, now=self._clock())
        settled = settled_of(seen, self._clock())
        return SettleInWriteBack(
            decision_version=state.decision_version,
            cause=settled.cause,
            by=settled.by,
            outcome=settled.outcome,
            now=settled.now,
        )

    def _revised(self, state: Deciding, seen: Observation) -> Command | None:
        try:
            ask = ask_of(
                seen,
                round_=state.asked.about.round,
                now=self._clock(),
                expires_after=EXPIRES_AFTER,
            )
        except NotCanonical as error:
            return self._failed(state, str(error))
        if ask is None or not content_changed(ask, state):
            return None
        return ReviseInWriteBack(decision_version=state.decision_version, ask=ask)

    def _failed(self, state: Deciding, reason: str) -> FailWriteBack:
        return FailWriteBack(
            decision_version=state.decision_version,
            cause="refused",
            reason=reason,
            now=self._clock(),
        )

    async def _note(self, workspace: str, approval_id: str, state: Decided) -> None:
        """Leave the work note that says who decided, and through what; given up after a while."""
        effect = Effect(
            workspace=workspace, approval_id=approval_id, version=0, effect=DECISION_NOTE
        )
        record = state.about.source
        source = self._sources.get((workspace, record.name)) if record else None
        if source is None or record is None:
            return
        attempt = await self._effects.take(effect)
        if attempt is None:
            return
        text = (
            f"{state.outcome.capitalize()} by {state.by.email} through Placet "
            f"(approval {approval_id}, revision {state.about.revision})."
        )
        try:
            await source.note(record.record_id, text, idempotency_key=effect.idempotency_key)
        except (SourceUnavailable, SourceRefused) as error:
            if attempt.number >= NOTE_ATTEMPTS:
                logger.warning("%s: the work note is given up: %s", approval_id, error)
                await self._effects.failed(effect, str(error))
                return
            retry_after = error.retry_after if isinstance(error, SourceUnavailable) else None
            await self._effects.later(effect, _delay(attempt.number, retry_after), str(error))
        else:
            await self._effects.done(effect)


def _delay(attempt: int, retry_after: float | None) -> float:
    delay = DELAYS_S[min(attempt, len(DELAYS_S)) - 1]
    return min(max(delay, retry_after or 0.0), WINDOW.total_seconds())
