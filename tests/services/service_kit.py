"""Twins of what services stand on: a clock, the effects in memory, a source, and its records."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from events.approval import ApprovalEvent, Outcome, Person
from events.commands import ObservePending, SubmitDecision
from events.handling import Order, handle
from events.kafka.consumer import Delivered
from events.observation import Observation, ObservedContent, RecordState, encode_observation
from events.state import State, fold
from events.store import Claim, EventStore
from services.decision.identifiers import new_approval_id
from services.decision.intake import ask_of
from services.effects import LEASE_S, Attempt, Effect
from services.sources import (
    AlreadySettled,
    Answer,
    Page,
    Reading,
    RecordChanged,
    SourceUnavailable,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WORKSPACE = "acme"
SOURCE = "erp"
RITA = Person(email="rita@example.com", name="Rita")
ANN = Person(email="ann@example.com", name="Ann")


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class HeldEffect:
    """A row of the table `effects`."""

    due_at: datetime
    first_at: datetime
    state: str = "started"
    attempts: int = 1
    sent: bool = False
    last_error: str | None = None


class MemoryEffects:
    """The table `effects` in a dictionary; `test_services_effects` holds it to the real one."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.held: dict[Effect, HeldEffect] = {}
        self.calls = 0
        """How often somebody asked for an effect."""

    async def take(self, effect: Effect, *, lease_s: float = LEASE_S) -> Attempt | None:
        self.calls += 1
        now = self._clock()
        due_at = now + timedelta(seconds=lease_s)
        held = self.held.get(effect)
        if held is None:
            held = self.held[effect] = HeldEffect(due_at=due_at, first_at=now)
        elif held.state == "started" and held.due_at <= now:
            held.due_at = due_at
            held.attempts += 1
        else:
            return None
        return Attempt(number=held.attempts, sent=held.sent, first_at=held.first_at)

    async def sending(self, effect: Effect) -> None:
        if effect in self.held:
            self.held[effect].sent = True

    async def leaving(self, effect: Effect, attempt: Attempt) -> bool:
        held = self.held.get(effect)
        if held is None or held.state != "started" or held.attempts != attempt.number:
            return False
        held.sent = True
        held.due_at = max(held.due_at, self._clock() + timedelta(seconds=LEASE_S))
        return True

    async def done(self, effect: Effect) -> None:
        if effect in self.held:
            self.held[effect].state, self.held[effect].last_error = "done", None

    async def failed(self, effect: Effect, error: str) -> None:
        if effect in self.held:
            self.held[effect].state, self.held[effect].last_error = "failed", error

    async def later(self, effect: Effect, delay_s: float, error: str, *, sent: bool = True) -> None:
        held = self.held.get(effect)
        if held is not None and held.state == "started":
            held.due_at = self._clock() + timedelta(seconds=delay_s)
            held.last_error, held.sent = error, held.sent and sent

    def states(self) -> dict[str, str]:
        """Return what has become of each, by the name of the effect."""
        return {effect.effect: held.state for effect, held in self.held.items()}

    async def due(self, name: str, limit: int = 100) -> Sequence[Effect]:
        now = self._clock()
        waiting = [
            (held.due_at, place, effect)
            for place, (effect, held) in enumerate(self.held.items())
            if effect.effect == name and held.state == "started" and held.due_at <= now
        ]
        return [effect for _, _, effect in sorted(waiting, key=lambda one: one[:2])][:limit]


@dataclass
class Record:
    """A record of a fake source."""

    state: RecordState = "pending"
    version: int = 1
    amount: int = 100
    outcome: Outcome | None = None
    settled_by: str | None = None
    writes: int = 0
    notes: list[str] = field(default_factory=list)


Fault = Callable[[], Awaitable[None]] | Exception


class FakeSource:
    """A system of record that takes conditional writes, each idempotency key once.

    `before` and `after` hold what goes wrong with the next calls of a kind ("read", "decide",
    "note"): raised, or awaited, before the call is carried out, or once it has taken effect.
    """

    name = SOURCE
    workspace = WORKSPACE

    def __init__(self, clock: Callable[[], datetime], *, knows_keys: bool = True) -> None:
        self._clock = clock
        self._knows_keys = knows_keys
        self._keys: set[str] = set()
        self.records: dict[str, Record] = {"R-1": Record()}
        self.calls: Counter[str] = Counter()
        self.before: dict[str, list[Fault | None]] = {}
        self.after: dict[str, list[Fault | None]] = {}

    async def changed(self, cursor: str | None) -> AsyncIterator[Page]:
        raise NotImplementedError(cursor)
        yield

    async def pending(self) -> AsyncIterator[Page]:
        raise NotImplementedError
        yield

    async def read(self, record_id: str) -> Reading:
        async with self._call("read"):
            record = self.records.get(record_id)
            if record is None:
                gone = observation(record_id, state="gone", read_at=self._clock())
                return Reading(observation=gone, precondition=None)
            return Reading(
                observation=self.seen(record_id),
                precondition=str(record.version),
                notes=tuple(record.notes),
            )

    async def decide(self, answer: Answer) -> None:
        async with self._call("decide"):
            record = self.records[answer.record_id]
            if self._knows_keys and answer.idempotency_key in self._keys:
                return
            if record.state != "pending":
                raise AlreadySettled(self.seen(answer.record_id))
            if answer.precondition != str(record.version):
                raise RecordChanged
            self._keys.add(answer.idempotency_key)
            record.writes += 1
            self.settle(answer.record_id, answer.outcome, by=answer.by_email)

    async def note(self, record_id: str, text: str, *, idempotency_key: str) -> None:
        async with self._call("note"):
            if idempotency_key not in self._keys:
                self._keys.add(idempotency_key)
                self.records[record_id].notes.append(text)

    def seen(self, record_id: str) -> Observation:
        record = self.records[record_id]
        return observation(
            record_id,
            revision=str(record.version),
            state=record.state,
            amount=record.amount,
            read_at=self._clock(),
            outcome=record.outcome,
            settled_by=record.settled_by,
        )

    def settle(self, record_id: str, outcome: Outcome, *, by: str | None) -> None:
        record = self.records[record_id]
        record.state, record.outcome, record.settled_by = "settled", outcome, by
        record.version += 1

    def change(self, record_id: str, amount: int) -> None:
        record = self.records[record_id]
        record.amount, record.version = amount, record.version + 1

    def touch(self, record_id: str) -> None:
        """Give a record another version without changing what an approver sees."""
        self.records[record_id].version += 1

    def _call(self, kind: str) -> "_Call":
        self.calls[kind] += 1
        return _Call(_next(self.before, kind), _next(self.after, kind))


@dataclass
class _Call:
    before: Fault | None
    after: Fault | None

    async def __aenter__(self) -> None:
        await _suffer(self.before)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await _suffer(self.after)


async def _suffer(fault: Fault | None) -> None:
    if isinstance(fault, Exception):
        raise fault
    if fault is not None:
        await fault()


def _next(faults: dict[str, list[Fault | None]], kind: str) -> Fault | None:
    waiting = faults.get(kind)
    return waiting.pop(0) if waiting else None


def away(retry_after: float | None = None) -> SourceUnavailable:
    """What a source raises that cannot be reached, or whose answer never came."""
    return SourceUnavailable("503 from erp", retry_after=retry_after, may_have_written=True)


def does(step: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    """Something that happens in the source while we are at it."""

    async def happen() -> None:
        await asyncio.sleep(0)
        step()

    return happen


def observation(
    record_id: str = "R-1",
    *,
    revision: str = "1",
    state: RecordState = "pending",
    amount: Any = 100,
    read_at: datetime = NOW,
    outcome: Outcome | None = None,
    settled_by: str | None = None,
    workspace: str = WORKSPACE,
) -> Observation:
    """A reading of a record, with its content where it is pending."""
    content = ObservedContent(
        type="expense",
        title=f"Expense {record_id}",
        payload={"amount": amount},
        requester=RITA,
        approvers=(ANN,),
    )
    return Observation(
        workspace=workspace,
        source=SOURCE,
        record_id=record_id,
        revision=revision,
        state=state,
        read_at=read_at,
        content=content if state == "pending" else None,
        outcome=outcome,
        settled_by=settled_by,
    )


def delivered(value: bytes | None, *, offset: int = 0, **headers: str) -> Delivered:
    """A message as a consumer gets it."""
    carried = [(name, text.encode()) for name, text in headers.items()]
    return Delivered("topic", 0, offset, b"key", value, carried)


def observed(*observations: Observation) -> list[Delivered]:
    """Messages of `approval.observed`."""
    return [
        delivered(encode_observation(one), offset=offset) for offset, one in enumerate(observations)
    ]


async def mirrored(store: EventStore, clock: Clock, record_id: str = "R-1") -> str:
    """Keep a pending approval for a record of the source, and return its id."""
    seen = observation(record_id, read_at=clock())
    ask = ask_of(seen, round_=1, now=clock(), expires_after=timedelta(days=30))
    assert ask is not None
    order = Order(
        approval_id=new_approval_id(clock()),
        command=ObservePending(ask=ask, read_at=clock()),
        command_id="observed",
        claims=(Claim(kind="record", key=seen.record_key),),
    )
    await handle(store, WORKSPACE, order)
    return order.approval_id


async def answered(
    store: EventStore, clock: Clock, approval_id: str, outcome: Outcome = "approved"
) -> None:
    """Submit Ann's answer, without carrying it anywhere."""
    command = SubmitDecision(
        outcome=outcome,
        by=ANN,
        reason="fine",
        channel="api",
        via=None,
        revision=None,
        now=clock(),
    )
    order = Order(approval_id=approval_id, command=command, command_id=f"answer at {clock()}")
    await handle(store, WORKSPACE, order)


async def facts_of(
    store: EventStore, approval_id: str, workspace: str = WORKSPACE
) -> list[ApprovalEvent]:
    """The facts of an approval, oldest first."""
    return [one.event for one in (await store.read(workspace, [approval_id]))[approval_id]]


async def state_of(store: EventStore, approval_id: str, workspace: str = WORKSPACE) -> State:
    """What an approval is now."""
    return fold(await facts_of(store, approval_id, workspace))


async def until(holds: Callable[[], bool | Awaitable[bool]], seconds: float = 10) -> None:
    """Wait until something holds; raises `TimeoutError` when it does not in time."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.002)


def later_read(one: Observation, seconds: float) -> Observation:
    """The same reading, begun later."""
    return replace(one, read_at=one.read_at + timedelta(seconds=seconds))
