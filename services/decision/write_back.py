"""Carries an answer to its source: read the record, and write only what is still true.

The saga behind `deciding`. Each step may be repeated after a crash: the effect is written down
before it happens, the source gets an idempotency key, and the core takes the end of it once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from events.approval import WriteBackFailure
from events.commands import (
    Command,
    ConfirmWriteBack,
    FailWriteBack,
    ReviseInWriteBack,
    SettleInWriteBack,
)
from events.decider import content_changed
from events.decider.asking import POLICY
from events.decider.lapsing import NOBODY
from events.digest import NotCanonical
from events.handling import Order, handle
from events.observation import Observation
from events.state import Decided, Deciding, fold
from events.store import EventStore, Unavailable
from services.decision.intake import ask_of, settled_of
from services.directory import Directories, FixedDirectories
from services.effects import Attempt, Effect, Effects
from services.grants.tokens import Tokens
from services.policies import EXPIRES_AFTER, Policies
from services.sources import (
    AlreadySettled,
    Answer,
    RecordChanged,
    Source,
    SourceRefused,
    SourceUnavailable,
)
from services.sources.credentials import Secret

WRITE_BACK = "write_back"
DECISION_NOTE = "decision_note"
DELAYS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
WINDOW = timedelta(minutes=15)
"""How long a source may stay unreachable before the approver is told that it did."""
GRACE = timedelta(seconds=1)
"""How much later than it can be taken back an answer is carried out: clocks differ."""
NOTE_ATTEMPTS = 8
MOST_NAMED = 10
"""How many of those who decided a work note names."""
READS = 3
"""How often a record may change between our reading and our writing within one attempt."""
TOGETHER = 8
"""How many answers are taken up at once, so that a slow source does not hold up the others."""
RUN_EVERY_S = 1.0

Open = Callable[[], Awaitable[list[tuple[str, str]]]]
"""Returns (workspace, approval id) of answers that the read model holds as being written back."""
Sources = Mapping[tuple[str, str], Source]

_NO_PERSON = frozenset({POLICY.email, NOBODY.email})
"""Who answers without an account anywhere: the service account writes that."""

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
        directories: Directories | None = None,
        policies: Policies | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self._store = store
        self._effects = effects
        self._sources = sources
        self._clock = clock
        self._window = window
        self._directories = directories or FixedDirectories()
        self._policies = policies or Policies()
        self._tokens = tokens

    async def carry_out(self, workspace: str, approval_id: str) -> None:
        """Try once to bring a submitted answer to its end; never raises for a source's fault."""
        state = await self._state(workspace, approval_id)
        answered = None
        if isinstance(state, Deciding):
            answered = _write_back_of(workspace, approval_id, state.decision_version)
            await self._write_back(answered, state)
            state = await self._state(workspace, approval_id)
        if isinstance(state, Decided) and state.about.source is not None:
            await self._note(workspace, approval_id, state)
        # Not before the note is written down: until then the open effect leads back here.
        if answered is not None:
            await self._close(answered, state)

    async def run(self, open_answers: Open) -> None:
        """Take up, until cancelled, what is due: what failed before, and what nobody carried."""
        while True:
            try:
                await self.take_up(open_answers)
            except Unavailable as error:
                logger.warning("write-backs wait: %s", error)
            await asyncio.sleep(RUN_EVERY_S)

    async def take_up(self, open_answers: Open) -> None:
        """Try once whatever is due; raises `Unavailable` when the store is away."""
        left: dict[tuple[str, str], list[Effect]] = {}
        for effect in await self._effects.due(WRITE_BACK):
            left.setdefault((effect.workspace, effect.approval_id), []).append(effect)
        for effect in await self._effects.due(DECISION_NOTE):
            left.setdefault((effect.workspace, effect.approval_id), [])
        for answer in await open_answers():
            left.setdefault(answer, [])
        together = asyncio.Semaphore(TOGETHER)
        await asyncio.gather(
            *(self._take_up(together, *key, effects) for key, effects in left.items())
        )

    async def _take_up(
        self,
        together: asyncio.Semaphore,
        workspace: str,
        approval_id: str,
        left: Sequence[Effect],
    ) -> None:
        async with together:
            try:
                await self.carry_out(workspace, approval_id)
                state = await self._state(workspace, approval_id)
                for effect in left:
                    await self._close(effect, state)
            except Unavailable as error:
                logger.warning("%s: the write-back waits: %s", approval_id, error)
            except Exception:
                # Its lease ends, and then it is tried again; the others go on now.
                logger.exception("%s: the write-back failed", approval_id)

    async def _close(self, effect: Effect, state: object) -> None:
        """Note that a write-back has come to its end, if the answer that it carried has."""
        if not isinstance(state, Deciding) or state.decision_version != effect.version:
            await self._effects.done(effect)

    async def _state(self, workspace: str, approval_id: str) -> object:
        stream = (await self._store.read(workspace, [approval_id]))[approval_id]
        return fold(recorded.event for recorded in stream)

    async def _write_back(self, effect: Effect, state: Deciding) -> None:
        attempt = await self._effects.take(effect)
        if attempt is None:
            return
        held = _held_for(state, self._clock())
        if held > 0:
            await self._effects.later(effect, held, "It can still be taken back.")
            return
        record = state.asked.about.source
        source = self._sources.get((effect.workspace, record.name)) if record else None
        try:
            if record is None:
                end: Command = self._confirmed(state)
            else:
                end = await self._tried(source, effect, attempt, state)
        except SourceUnavailable as error:
            if attempt.first_at + self._window > self._clock():
                delay = _delay(attempt.number, error.retry_after)
                logger.info("%s: %s; again in %.0f s", effect.approval_id, error, delay)
                await self._effects.later(effect, delay, str(error))
                return
            end = self._failed(state, "unreachable", f"The source stayed unreachable: {error}")
        key = effect.idempotency_key
        order = Order(approval_id=effect.approval_id, command=end, command_id=key)
        await handle(self._store, effect.workspace, order)

    async def _tried(
        self, source: Source | None, effect: Effect, attempt: Attempt, state: Deciding
    ) -> Command:
        """See `_end`; an error that nobody foresaw counts as an unreachable source."""
        try:
            return await self._end(source, effect, attempt, state)
        except Unavailable:
            raise
        except Exception as error:
            logger.exception("%s: the write-back failed", effect.approval_id)
            raise SourceUnavailable(f"It could not be used ({type(error).__name__}).") from error

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
                return self._failed(state, "refused", str(error))
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
            try:
                token = await self._token(source, answer.by_email)
                await self._effects.sending(effect)
                await self._write(source, replace(answer, token=token))
            except RecordChanged:
                continue
            except AlreadySettled as error:
                if error.how is None or error.how.state == "pending":
                    continue  # the next reading tells how
                return self._found_settled(state, error.how, sent=attempt.sent)
            except SourceRefused as error:
                return self._failed(state, "refused", str(error))
            return self._confirmed(state)
        raise SourceUnavailable("The record changes faster than it can be answered.")

    async def _token(self, source: Source, email: str) -> Secret | None:
        """Return the token by which a person's answer is written; None for the service account."""
        if self._tokens is None or email in _NO_PERSON:
            return None
        return await self._tokens.of(source.workspace, source.name, email)

    async def _write(self, source: Source, answer: Answer) -> None:
        if self._tokens is None:
            await source.decide(answer)
        else:
            await self._tokens.write(source, answer)

    def _found_settled(self, state: Deciding, seen: Observation, *, sent: bool) -> Command:
        """Tell our own write, whose answer was lost, from somebody else's."""
        answer = state.answer
        by = seen.settled_by
        ours = by is None or by.strip().lower() == answer.by.email
        if sent and seen.outcome == answer.outcome and ours:
            return self._confirmed(state)
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
                directory=self._directories.of(seen.workspace),
                policies=self._policies.within(seen.workspace),
            )
        except NotCanonical as error:
            return self._failed(state, "refused", str(error))
        if ask is None or not content_changed(ask, state):
            return None
        return ReviseInWriteBack(decision_version=state.decision_version, ask=ask)

    def _confirmed(self, state: Deciding) -> ConfirmWriteBack:
        return ConfirmWriteBack(decision_version=state.decision_version, now=self._clock())

    def _failed(self, state: Deciding, cause: WriteBackFailure, reason: str) -> FailWriteBack:
        return FailWriteBack(
            decision_version=state.decision_version,
            cause=cause,
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
            f"{state.outcome.capitalize()} by {_who(state)} through Placet "
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


def _held_for(state: Deciding, now: datetime) -> float:
    """Return for how many seconds an answer is left alone."""
    held_until = state.answer.held_until
    return (held_until + GRACE - now).total_seconds() if held_until is not None else 0.0


def _who(state: Decided) -> str:
    """Return everybody whose answers decided it, each once, and for whom they stood in."""
    names: dict[str, str] = {}
    for vote in state.votes:
        if vote.outcome == state.outcome:
            instead = f" for {vote.seat}" if vote.seat != vote.by.email else ""
            names.setdefault(vote.by.email, f"{vote.by.email}{instead}")
    names.setdefault(state.by.email, state.by.email)
    shown = list(names.values())[:MOST_NAMED]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return " and ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else shown[0]


def _write_back_of(workspace: str, approval_id: str, version: int) -> Effect:
    return Effect(workspace=workspace, approval_id=approval_id, version=version, effect=WRITE_BACK)


def _delay(attempt: int, retry_after: float | None) -> float:
    delay = DELAYS_S[min(attempt, len(DELAYS_S)) - 1]
    return min(max(delay, retry_after or 0.0), WINDOW.total_seconds())
