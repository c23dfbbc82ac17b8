"""A process that dies while an answer is on its way: whoever goes on ends it once."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from events.approval import ApprovalDecided, ApprovalExpired, ApprovalWithdrawn
from events.decider import is_final
from events.state import Decided, Deciding, Withdrawn
from events.store.memory import MemoryStore
from services.decision.write_back import WriteBacks
from tests.services.service_kit import (
    SOURCE,
    WORKSPACE,
    Clock,
    FakeSource,
    MemoryEffects,
    answered,
    away,
    facts_of,
    mirrored,
    state_of,
)

FINAL = (ApprovalDecided, ApprovalWithdrawn, ApprovalExpired)
STEPS = 12
"""More than a write-back has: the test holds that the last of them are never reached."""


class Killed(BaseException):
    """The process is gone: nothing after this runs, no handler of errors either."""


class Death:
    """Strikes at one await of all that a process makes, before or after it took effect."""

    def __init__(self, step: int, *, after: bool, kind: type[BaseException]) -> None:
        self._step = step
        self._after = after
        self._kind = kind
        self.awaits: list[str] = []

    def between(self, thing: Any) -> Any:
        return _Struck(thing, self)

    async def at(self, name: str, call: Callable[[], Any]) -> Any:
        self.awaits.append(name)
        now = len(self.awaits) == self._step
        if now and not self._after:
            raise self._kind
        result = await call()
        if now:
            raise self._kind
        return result


class _Struck:
    def __init__(self, thing: Any, death: Death) -> None:
        self._thing = thing
        self._death = death

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._thing, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            return await self._death.at(name, lambda: method(*arguments, **named))

        return call


class World:
    """What outlives a process: the store, the effects and the source."""

    def __init__(self, *, knows_keys: bool) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.effects = MemoryEffects(self.clock)
        self.source = FakeSource(self.clock, knows_keys=knows_keys)
        self.approval_id = ""

    async def prepare(self) -> None:
        self.approval_id = await mirrored(self.store, self.clock)
        await answered(self.store, self.clock, self.approval_id)

    def process(self, death: Death | None = None) -> WriteBacks:
        store, effects, source = self.store, self.effects, self.source
        if death is not None:
            store, effects, source = map(death.between, (store, effects, source))
        return WriteBacks(
            store,
            effects,  # type: ignore[arg-type]  # a twin
            {(WORKSPACE, SOURCE): source},
            self.clock,
            window=timedelta(minutes=15),
        )

    async def open_answers(self) -> list[tuple[str, str]]:
        state = await state_of(self.store, self.approval_id)
        return [(WORKSPACE, self.approval_id)] if isinstance(state, Deciding) else []

    async def go_on(self, death: Death | None = None) -> None:
        """A new process takes up what is due, long enough for every lease to end."""
        for _ in range(20):
            self.clock.turn(20)
            await self.process(death).take_up(self.open_answers)

    async def check(self) -> None:
        """Hold it to one end, one write, one note, and nothing left to be done for ever."""
        facts = await facts_of(self.store, self.approval_id)
        assert sum(isinstance(fact, FINAL) for fact in facts) == 1
        state = await state_of(self.store, self.approval_id)
        assert is_final(state)
        record = self.source.records["R-1"]
        assert record.writes == (1 if isinstance(state, Decided) else 0)
        if self.knows_keys:
            assert len(record.notes) == record.writes
        assert {row.state for row in self.effects.held.values()} <= {"done"}
        idle = self.source.calls.copy()
        await self.go_on()
        assert self.source.calls == idle

    @property
    def knows_keys(self) -> bool:
        return self.source._knows_keys


async def dies(world: World, death: Death) -> bool:
    """Carry the answer out in a process that dies; False if it came to its end before that."""
    try:
        await world.process(death).carry_out(WORKSPACE, world.approval_id)
    except (Killed, asyncio.CancelledError, RuntimeError):
        return True
    return False


@pytest.mark.parametrize("knows_keys", [True, False], ids=["keys", "no-keys"])
@pytest.mark.parametrize("kind", [Killed, asyncio.CancelledError, RuntimeError])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_a_process_that_dies_at_any_step_is_gone_on_from(
    step: int,
    kind: type[BaseException],
    *,
    after: bool,
    knows_keys: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL, "services")
    world = World(knows_keys=knows_keys)
    await world.prepare()
    await dies(world, Death(step, after=after, kind=kind))
    await world.go_on()
    await world.check()
    assert isinstance(await state_of(world.store, world.approval_id), Decided)


async def test_every_step_of_a_write_back_is_among_those_that_were_struck() -> None:
    world = World(knows_keys=True)
    await world.prepare()
    whole = Death(0, after=False, kind=Killed)
    assert not await dies(world, whole)
    assert whole.awaits == [
        "read", "take", "read", "sending", "decide", "read", "append",
        "read", "take", "note", "done", "done",
    ]  # fmt: skip
    assert len(whole.awaits) == STEPS


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("second", range(1, 9))
@pytest.mark.parametrize("first", range(1, STEPS + 1))
async def test_dying_twice_in_a_row_is_gone_on_from(
    first: int, second: int, *, after: bool
) -> None:
    world = World(knows_keys=True)
    await world.prepare()
    await dies(world, Death(first, after=after, kind=Killed))
    world.clock.turn(61)
    await dies(world, Death(second, after=not after, kind=Killed))
    await world.go_on()
    await world.check()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(1, 10))
async def test_dying_while_another_settles_the_record_ends_as_theirs(
    step: int, *, after: bool
) -> None:
    world = World(knows_keys=True)
    await world.prepare()
    world.source.settle("R-1", "rejected", by="boss@example.com")
    await dies(world, Death(step, after=after, kind=Killed))
    await world.go_on()
    await world.check()
    assert isinstance(await state_of(world.store, world.approval_id), Withdrawn)


@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_dying_after_the_answer_to_a_write_was_lost_still_writes_once(step: int) -> None:
    world = World(knows_keys=False)
    await world.prepare()
    world.source.after["decide"] = [away()]
    await world.process().carry_out(WORKSPACE, world.approval_id)
    world.clock.turn(61)
    await dies(world, Death(step, after=True, kind=Killed))
    await world.go_on()
    await world.check()
    assert isinstance(await state_of(world.store, world.approval_id), Decided)
