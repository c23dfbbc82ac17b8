"""An answer on its way to its source: every end that it may come to."""

import asyncio
from datetime import timedelta

import pytest

from events.approval import ApprovalDecided, ApprovalRevised, WriteBackFailed
from events.state import Decided, Deciding, Pending, Withdrawn
from events.store import Unavailable
from events.store.memory import MemoryStore
from services.decision.write_back import (
    DECISION_NOTE,
    DELAYS_S,
    NOTE_ATTEMPTS,
    READS,
    WRITE_BACK,
    Sources,
    WriteBacks,
)
from services.effects import LEASE_S, Effect
from services.sources import RecordChanged, SourceRefused
from tests.services.service_kit import (
    ANN,
    SOURCE,
    WORKSPACE,
    Clock,
    FakeSource,
    MemoryEffects,
    answered,
    away,
    does,
    facts_of,
    mirrored,
    state_of,
    until,
)

WINDOW_S = 600.0


class Saga:
    """One approval that Ann answered, and all that carries her answer."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.effects = MemoryEffects(self.clock)
        self.source = FakeSource(self.clock)
        self.approval_id = ""

    def carriers(self, sources: Sources | None = None) -> WriteBacks:
        known = {(WORKSPACE, SOURCE): self.source} if sources is None else sources
        window = timedelta(seconds=WINDOW_S)
        return WriteBacks(self.store, self.effects, known, self.clock, window=window)  # type: ignore[arg-type]  # a twin

    async def carry(self) -> None:
        await self.carriers().carry_out(WORKSPACE, self.approval_id)

    async def open_answers(self) -> list[tuple[str, str]]:
        state = await state_of(self.store, self.approval_id)
        return [(WORKSPACE, self.approval_id)] if isinstance(state, Deciding) else []

    async def take_up(self) -> None:
        await self.carriers().take_up(self.open_answers)

    async def until_settled(self, seconds: float = WINDOW_S * 2) -> None:
        """Let time pass until nothing is due any more."""
        until = self.clock() + timedelta(seconds=seconds)
        while self.clock() < until and any(
            row.state == "started" for row in self.effects.held.values()
        ):
            self.clock.turn(1)
            await self.take_up()


@pytest.fixture
async def saga() -> Saga:
    made = Saga()
    made.approval_id = await mirrored(made.store, made.clock)
    await answered(made.store, made.clock, made.approval_id)
    return made


def due_in(saga: Saga, name: str) -> float:
    """How many seconds an effect waits until it is tried again."""
    (row,) = (row for effect, row in saga.effects.held.items() if effect.effect == name)
    assert row.state == "started"
    return (row.due_at - saga.clock()).total_seconds()


async def test_an_answer_that_the_source_accepts_is_decided_with_one_note(saga: Saga) -> None:
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Decided)
    assert (state.outcome, state.by.email) == ("approved", ANN.email)
    record = saga.source.records["R-1"]
    assert (record.outcome, record.settled_by, record.writes) == ("approved", ANN.email, 1)
    assert record.notes == [
        f"Approved by ann@example.com through Placet (approval {saga.approval_id}, revision 1)."
    ]
    assert {row.state for row in saga.effects.held.values()} == {"done"}


async def test_carrying_out_again_writes_and_notes_nothing_more(saga: Saga) -> None:
    await saga.carry()
    before = saga.source.calls.copy()
    await saga.carry()
    await saga.until_settled()
    assert saga.source.calls == before
    assert len(saga.source.records["R-1"].notes) == 1


async def test_a_record_that_was_settled_meanwhile_withdraws_the_approval(saga: Saga) -> None:
    saga.source.settle("R-1", "rejected", by="boss@example.com")
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Withdrawn)
    assert (state.cause, state.outcome, state.by) == ("settled", "rejected", "boss@example.com")
    assert saga.source.calls["decide"] == saga.source.calls["note"] == 0


async def test_the_same_answer_given_in_the_source_itself_is_not_taken_for_ours(saga: Saga) -> None:
    saga.source.settle("R-1", "approved", by=ANN.email)
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Withdrawn)


async def test_a_record_that_was_cancelled_withdraws_the_approval(saga: Saga) -> None:
    saga.source.records["R-1"].state = "cancelled"
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Withdrawn)
    assert (state.cause, state.outcome) == ("cancelled", None)


async def test_a_record_that_is_gone_withdraws_the_approval(saga: Saga) -> None:
    saga.source.records.clear()
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Withdrawn)
    assert state.cause == "gone"


async def test_a_record_that_changed_since_it_was_shown_is_asked_anew(saga: Saga) -> None:
    saga.source.change("R-1", amount=900)
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Pending)
    assert (state.asked.about.revision, state.asked.payload) == ("2", {"amount": 900})
    failed, revised = (await facts_of(saga.store, saga.approval_id))[-2:]
    assert isinstance(failed, WriteBackFailed)
    assert failed.cause == "changed"
    assert isinstance(revised, ApprovalRevised)
    assert saga.source.calls["decide"] == 0
    assert saga.source.records["R-1"].state == "pending"


async def test_an_answer_to_the_new_revision_is_carried_out_on_its_own(saga: Saga) -> None:
    saga.source.change("R-1", amount=900)
    await saga.carry()
    await answered(saga.store, saga.clock, saga.approval_id, "rejected")
    await saga.carry()
    assert saga.source.records["R-1"].outcome == "rejected"
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)


async def test_a_change_without_anything_new_to_see_is_no_change(saga: Saga) -> None:
    saga.source.touch("R-1")
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)


async def test_a_payload_that_cannot_be_bound_is_refused_and_not_written(saga: Saga) -> None:
    saga.source.change("R-1", amount=2**60)
    await saga.carry()
    failed = (await facts_of(saga.store, saga.approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert (failed.cause, saga.source.calls["decide"]) == ("refused", 0)
    assert "2^53" in failed.reason


async def test_a_conditional_write_that_is_lost_is_read_and_written_again(saga: Saga) -> None:
    saga.source.before["decide"] = [does(lambda: saga.source.touch("R-1"))]
    await saga.carry()
    assert saga.source.calls["read"] == 2
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)
    assert saga.source.records["R-1"].writes == 1


async def test_a_conditional_write_that_is_lost_to_a_change_is_asked_anew(saga: Saga) -> None:
    saga.source.before["decide"] = [does(lambda: saga.source.change("R-1", amount=900))]
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Pending)
    assert state.asked.payload == {"amount": 900}
    assert saga.source.records["R-1"].state == "pending"


async def test_a_conditional_write_that_is_lost_to_a_decision_withdraws(saga: Saga) -> None:
    saga.source.before["decide"] = [does(lambda: saga.source.settle("R-1", "approved", by="boss"))]
    await saga.carry()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Withdrawn)
    assert state.by == "boss"


async def test_a_record_that_never_stands_still_is_left_for_later(saga: Saga) -> None:
    saga.source.before["decide"] = [RecordChanged() for _ in range(READS)]
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Deciding)
    assert saga.source.calls["decide"] == READS
    await saga.until_settled()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)


@pytest.mark.parametrize("call", ["read", "decide"])
async def test_a_refusal_ends_at_once_and_says_why(saga: Saga, call: str) -> None:
    saga.source.before[call] = [SourceRefused("422: the period is closed")]
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Pending)
    failed = (await facts_of(saga.store, saga.approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert (failed.cause, failed.reason) == ("refused", "422: the period is closed")
    assert (failed.by, failed.outcome) == (ANN, "approved")
    await saga.until_settled()
    assert saga.source.calls["note"] == 0
    assert {row.state for row in saga.effects.held.values()} == {"done"}


async def test_after_a_refusal_the_approver_may_answer_again(saga: Saga) -> None:
    saga.source.before["decide"] = [SourceRefused("no")]
    await saga.carry()
    await answered(saga.store, saga.clock, saga.approval_id)
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)
    assert saga.source.records["R-1"].writes == 1


async def test_an_unreachable_source_is_tried_again_later_and_later(saga: Saga) -> None:
    saga.source.before["read"] = [away() for _ in range(len(DELAYS_S) + 1)]
    waited = []
    for _ in range(len(DELAYS_S) + 1):
        await saga.take_up()
        waited.append(due_in(saga, WRITE_BACK))
        saga.clock.turn(waited[-1])
    assert tuple(waited) == (*DELAYS_S, DELAYS_S[-1])
    await saga.take_up()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)


async def test_it_is_not_asked_before_the_time_that_it_asked_for(saga: Saga) -> None:
    saga.source.before["read"] = [away(retry_after=42.0)]
    await saga.carry()
    assert due_in(saga, WRITE_BACK) == 42
    saga.clock.turn(41)
    await saga.take_up()
    assert saga.source.calls["read"] == 1
    saga.clock.turn(1)
    await saga.take_up()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)


async def test_a_wait_without_end_is_cut_to_the_window(saga: Saga) -> None:
    saga.source.before["read"] = [away(retry_after=1e9)]
    await saga.carry()
    assert due_in(saga, WRITE_BACK) <= 15 * 60


async def test_a_source_that_stays_away_past_the_window_gives_the_question_back(
    saga: Saga,
) -> None:
    saga.source.before["read"] = [away() for _ in range(100)]
    await saga.carry()
    began = saga.clock()
    while isinstance(await state_of(saga.store, saga.approval_id), Deciding):
        saga.clock.turn(1)
        await saga.take_up()
    assert WINDOW_S <= (saga.clock() - began).total_seconds() <= WINDOW_S + DELAYS_S[-1]
    failed = (await facts_of(saga.store, saga.approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert failed.cause == "unreachable"
    assert "503 from erp" in failed.reason
    assert {row.state for row in saga.effects.held.values()} == {"done"}


async def test_an_error_that_nobody_foresaw_counts_as_an_unreachable_source(saga: Saga) -> None:
    saga.source.before["read"] = [KeyError("id")] * 2
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Deciding)
    assert due_in(saga, WRITE_BACK) == DELAYS_S[0]
    saga.clock.turn(WINDOW_S)
    await saga.take_up()
    failed = (await facts_of(saga.store, saga.approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert (failed.cause, "KeyError" in failed.reason) == ("unreachable", True)


async def test_a_source_that_is_not_configured_is_named_when_the_window_is_over(
    saga: Saga,
) -> None:
    carriers = saga.carriers(sources={})
    await carriers.carry_out(WORKSPACE, saga.approval_id)
    assert isinstance(await state_of(saga.store, saga.approval_id), Deciding)
    saga.clock.turn(WINDOW_S)
    await carriers.carry_out(WORKSPACE, saga.approval_id)
    failed = (await facts_of(saga.store, saga.approval_id))[-1]
    assert isinstance(failed, WriteBackFailed)
    assert "'erp' is configured" in failed.reason


@pytest.mark.parametrize("knows_keys", [True, False])
@pytest.mark.parametrize("named", [ANN.email, "Ann@Example.com ", None])
async def test_a_write_whose_answer_was_lost_is_known_again_as_ours(
    saga: Saga, named: str | None, *, knows_keys: bool
) -> None:
    saga.source = FakeSource(saga.clock, knows_keys=knows_keys)
    saga.source.after["decide"] = [away()]
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Deciding)
    saga.source.records["R-1"].settled_by = named
    await saga.until_settled()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Decided)
    record = saga.source.records["R-1"]
    assert (record.writes, len(record.notes), saga.source.calls["decide"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("outcome", "by"), [("rejected", ANN.email), ("approved", "boss@example.com")]
)
async def test_what_another_settled_while_our_answer_was_lost_is_theirs(
    saga: Saga, outcome: str, by: str
) -> None:
    saga.source.before["decide"] = [away()]
    await saga.carry()
    saga.source.settle("R-1", outcome, by=by)  # type: ignore[arg-type]  # one of the outcomes
    await saga.until_settled()
    state = await state_of(saga.store, saga.approval_id)
    assert isinstance(state, Withdrawn)
    assert (state.outcome, state.by) == (outcome, by)
    assert saga.source.records["R-1"].writes == 0


async def test_a_note_that_fails_is_tried_again_and_written_once(saga: Saga) -> None:
    saga.source.before["note"] = [away(retry_after=30), SourceRefused("locked")]
    saga.source.after["note"] = [None, None, away()]
    await saga.carry()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)
    assert due_in(saga, DECISION_NOTE) == 30
    await saga.until_settled()
    assert saga.source.calls["note"] == 4
    assert len(saga.source.records["R-1"].notes) == 1


async def test_a_note_that_never_succeeds_is_given_up_and_the_decision_stands(saga: Saga) -> None:
    saga.source.before["note"] = [SourceRefused("no notes here")] * (NOTE_ATTEMPTS + 5)
    await saga.carry()
    await saga.until_settled()
    assert saga.source.calls["note"] == NOTE_ATTEMPTS
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)
    note = Effect(
        workspace=WORKSPACE, approval_id=saga.approval_id, version=0, effect=DECISION_NOTE
    )
    assert saga.effects.held[note].state == "failed"


async def test_two_replicas_at_once_write_once_and_decide_once(saga: Saga) -> None:
    await asyncio.gather(*(saga.carry() for _ in range(5)))
    await saga.until_settled()
    facts = await facts_of(saga.store, saga.approval_id)
    assert [type(fact) for fact in facts].count(ApprovalDecided) == 1
    assert saga.source.calls == {"read": 1, "decide": 1, "note": 1}


async def test_a_replica_that_hangs_past_its_lease_does_no_harm_when_it_wakes(saga: Saga) -> None:
    wake = asyncio.Event()

    async def hang() -> None:
        await wake.wait()

    saga.source.before["decide"] = [hang]
    hanging = asyncio.create_task(saga.carry())
    await until(lambda: saga.source.calls["decide"] == 1)
    await saga.take_up()
    assert saga.source.calls["decide"] == 1, "the lease keeps others away"
    saga.clock.turn(LEASE_S)
    await saga.take_up()
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)
    wake.set()
    await hanging
    facts = await facts_of(saga.store, saga.approval_id)
    assert [type(fact) for fact in facts].count(ApprovalDecided) == 1
    record = saga.source.records["R-1"]
    assert (record.writes, len(record.notes)) == (1, 1)


async def test_a_slow_source_does_not_hold_up_another_answer(saga: Saga) -> None:
    saga.source.records["R-2"] = type(saga.source.records["R-1"])()
    other = await mirrored(saga.store, saga.clock, "R-2")
    await answered(saga.store, saga.clock, other)
    wake = asyncio.Event()

    async def hang() -> None:
        await wake.wait()

    saga.source.before["read"] = [hang]

    async def both() -> list[tuple[str, str]]:
        return [(WORKSPACE, saga.approval_id), (WORKSPACE, other)]

    taking = asyncio.create_task(saga.carriers().take_up(both))
    for _ in range(100):
        await asyncio.sleep(0)
    assert isinstance(await state_of(saga.store, other), Decided)
    assert isinstance(await state_of(saga.store, saga.approval_id), Deciding)
    wake.set()
    await taking
    assert isinstance(await state_of(saga.store, saga.approval_id), Decided)


async def test_the_loop_goes_on_when_the_store_was_away(
    saga: Saga, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.decision.write_back.RUN_EVERY_S", 0.001)
    carriers = saga.carriers()
    asked = 0

    async def open_answers() -> list[tuple[str, str]]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise Unavailable("Postgres is away")
        return await saga.open_answers()

    running = asyncio.create_task(carriers.run(open_answers))

    async def decided() -> bool:
        return isinstance(await state_of(saga.store, saga.approval_id), Decided)

    await until(decided)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()


async def test_an_unknown_approval_is_carried_nowhere(saga: Saga) -> None:
    unknown = "0" * 27
    await saga.carriers().carry_out(WORKSPACE, unknown)
    assert not saga.effects.held
    assert not saga.source.calls
