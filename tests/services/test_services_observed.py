"""What pollers saw becomes approvals: once each, in order, and nothing poisonous gets in."""

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from events.approval import ApprovalRequested, ApprovalRevised, ApprovalWithdrawn, Person
from events.commands import ExpireApproval
from events.decider import CLOCK_TOLERANCE
from events.handling import Order, handle
from events.observation import Observation, encode_observation
from events.state import Deciding, Expired, Pending, Withdrawn
from events.store import Append, ClaimTaken, EventStore, Unavailable, VersionConflict
from events.store.database import Database
from events.store.memory import MemoryStore
from events.store.postgres import PostgresStore
from services.decision.intake import ROUNDS, Intake
from tests.services.service_kit import (
    ANN,
    NOW,
    SOURCE,
    WORKSPACE,
    Clock,
    answered,
    delivered,
    facts_of,
    later_read,
    observation,
    observed,
    state_of,
)


async def approval_of(store: EventStore, record_id: str = "R-1", workspace: str = WORKSPACE) -> str:
    """The id of the latest approval for a record."""
    key = f"{SOURCE}/{record_id}"
    return (await store.claimed(workspace, "record", [key]))[key].approval_id


async def round_of(store: EventStore, record_id: str = "R-1") -> int:
    key = f"{SOURCE}/{record_id}"
    return (await store.claimed(WORKSPACE, "record", [key]))[key].round


async def test_a_pending_record_is_asked_once_however_often_it_is_seen(store: EventStore) -> None:
    intake = Intake(store, Clock())
    for _ in range(3):
        assert await intake.observed(observed(*[observation()] * 4)) == []
    (asked,) = await facts_of(store, await approval_of(store))
    assert isinstance(asked, ApprovalRequested)
    assert (asked.approvers, asked.payload) == ((ANN,), {"amount": 100})
    assert asked.about.source is not None
    assert asked.about.source.record_id == "R-1"
    assert asked.expires_at == NOW + timedelta(days=30)


async def test_one_batch_takes_many_records_of_many_workspaces(store: EventStore) -> None:
    seen = [
        observation(f"R-{number}", workspace=workspace)
        for number in range(20)
        for workspace in ("one", "two")
    ]
    assert await Intake(store, Clock()).observed(observed(*seen)) == []
    ids = {
        await approval_of(store, f"R-{number}", workspace)
        for number in range(20)
        for workspace in ("one", "two")
    }
    assert len(ids) == 40


async def test_the_readings_of_one_record_in_a_batch_are_taken_in_order(store: EventStore) -> None:
    seen = [
        observation(revision="1", amount=100),
        observation("R-2"),
        observation(revision="2", amount=200),
        observation(revision="3", amount=300),
        observation("R-2", state="settled", outcome="rejected", settled_by="boss@example.com"),
    ]
    assert await Intake(store, Clock()).observed(observed(*seen)) == []
    facts = await facts_of(store, await approval_of(store))
    assert [type(fact) for fact in facts] == [ApprovalRequested, ApprovalRevised, ApprovalRevised]
    state = await state_of(store, await approval_of(store))
    assert isinstance(state, Pending)
    assert (state.asked.about.revision, state.asked.payload) == ("3", {"amount": 300})
    other = await state_of(store, await approval_of(store, "R-2"))
    assert isinstance(other, Withdrawn)
    assert (other.outcome, other.by) == ("rejected", "boss@example.com")


async def test_a_record_that_is_settled_and_unknown_makes_no_approval(store: EventStore) -> None:
    seen = observation(state="settled", outcome="approved")
    assert await Intake(store, Clock()).observed(observed(seen, seen)) == []
    assert await store.claimed(WORKSPACE, "record", [seen.record_key]) == {}


@pytest.mark.parametrize("how", ["settled", "cancelled", "gone"])
async def test_a_record_that_is_settled_withdraws_its_approval(store: EventStore, how: Any) -> None:
    intake = Intake(store, Clock())
    await intake.observed(observed(observation()))
    await intake.observed(observed(*[observation(state=how)] * 2))
    state = await state_of(store, await approval_of(store))
    assert isinstance(state, Withdrawn)
    assert state.cause == how


async def test_a_record_that_is_pending_again_begins_a_new_round(store: EventStore) -> None:
    clock = Clock()
    intake = Intake(store, clock)
    await intake.observed(observed(observation()))
    first = await approval_of(store)
    await intake.observed(observed(observation(state="cancelled")))
    clock.turn(60)
    again = later_read(observation(revision="2"), 60)
    await intake.observed(observed(again, again))
    await intake.observed(observed(again))
    second = await approval_of(store)
    assert second != first
    assert await round_of(store) == 2
    assert isinstance(await state_of(store, first), Withdrawn)
    state = await state_of(store, second)
    assert isinstance(state, Pending)
    assert state.asked.about.round == 2
    assert len(await facts_of(store, second)) == 1


async def test_a_round_may_begin_and_end_and_begin_within_one_batch(store: EventStore) -> None:
    intake = Intake(store, Clock(NOW + timedelta(seconds=30)))
    seen = [
        observation(),
        observation(state="cancelled"),
        later_read(observation(revision="2"), 90),
        later_read(observation(revision="2", state="settled", outcome="approved"), 120),
    ]
    await intake.observed(observed(*seen))
    assert await round_of(store) == 2
    state = await state_of(store, await approval_of(store))
    assert isinstance(state, Withdrawn)
    assert (state.about.round, state.outcome) == (2, "approved")


@pytest.mark.parametrize("seconds", [-30.0, 0.0, CLOCK_TOLERANCE.total_seconds()])
async def test_a_listing_that_began_before_it_was_settled_begins_no_round(
    store: EventStore, seconds: float
) -> None:
    intake = Intake(store, Clock())
    await intake.observed(observed(observation()))
    first = await approval_of(store)
    await intake.observed(observed(observation(state="settled", outcome="approved")))
    await intake.observed(observed(later_read(observation(), seconds)))
    assert await approval_of(store) == first
    await intake.observed(
        observed(later_read(observation(), CLOCK_TOLERANCE.total_seconds() + 0.001))
    )
    assert await round_of(store) == 2


async def test_a_record_that_is_still_pending_after_it_expired_is_asked_anew(
    store: EventStore,
) -> None:
    clock = Clock()
    intake = Intake(store, clock, expires_after=timedelta(hours=1))
    await intake.observed(observed(observation()))
    first = await approval_of(store)
    clock.turn(3600)
    command = ExpireApproval(now=clock())
    order = Order(approval_id=first, command=command, command_id="timer")
    assert isinstance((await handle(store, WORKSPACE, order)).state, Expired)
    await intake.observed(observed(later_read(observation(), 3700)))
    assert await round_of(store) == 2


async def test_while_an_answer_is_on_its_way_readings_change_nothing(store: EventStore) -> None:
    clock = Clock()
    intake = Intake(store, clock)
    await intake.observed(observed(observation()))
    approval_id = await approval_of(store)
    await answered(store, clock, approval_id)
    before = await facts_of(store, approval_id)
    changes = [observation(revision="2", amount=5), observation(state="cancelled")]
    await intake.observed(observed(*changes))
    assert await facts_of(store, approval_id) == before
    assert isinstance(await state_of(store, approval_id), Deciding)


class Busy:
    """A store in which somebody else is always a moment faster, for a while."""

    def __init__(self, store: EventStore, *conflicts: Exception) -> None:
        self._store = store
        self.conflicts = list(conflicts)
        self.appended: list[int] = []

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        self.appended.append(len(appends))
        if self.conflicts:
            raise self.conflicts.pop(0)
        await self._store.append(workspace, appends)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_batch_that_meets_a_conflict_goes_one_by_one() -> None:
    store = MemoryStore()
    busy = Busy(store, VersionConflict("R-2"))
    seen = observed(observation("R-1"), observation("R-2"), observation("R-3"))
    assert await Intake(busy, Clock()).observed(seen) == []
    assert busy.appended == [3, 1, 1, 1]
    for record in ("R-1", "R-2", "R-3"):
        assert isinstance(await state_of(store, await approval_of(store, record)), Pending)


async def test_a_record_that_another_placed_first_goes_to_theirs() -> None:
    store = MemoryStore()
    busy = Busy(store, ClaimTaken("erp/R-1"))
    await Intake(store, Clock()).observed(observed(observation()))

    async def nothing_yet(*_: Any) -> dict[str, Any]:
        busy.__dict__.pop("claimed")
        return {}

    busy.__dict__["claimed"] = nothing_yet
    await Intake(busy, Clock()).observed(observed(observation(revision="2", amount=7)))
    state = await state_of(store, await approval_of(store))
    assert isinstance(state, Pending)
    assert (state.asked.about.round, state.asked.payload) == (1, {"amount": 7})


async def test_a_record_that_is_always_placed_by_another_waits_and_is_not_lost() -> None:
    busy = Busy(MemoryStore(), *[ClaimTaken("erp/R-1") for _ in range(ROUNDS + 1)])
    with pytest.raises(Unavailable, match="Try again"):
        await Intake(busy, Clock()).observed(observed(observation()))


async def test_many_intakes_at_once_make_one_approval_for_each_record(app_db: Database) -> None:
    store = PostgresStore(app_db)
    seen = observed(*(observation(f"R-{number}") for number in range(8)))
    results = await asyncio.gather(
        *(Intake(store, Clock()).observed(seen[place:] + seen[:place]) for place in range(6)),
        return_exceptions=True,
    )
    assert results == [[]] * 6
    async with app_db.workspace(WORKSPACE) as connection:
        assert await connection.fetchval("SELECT count(*) FROM events") == 8
        assert await connection.fetchval("SELECT count(*) FROM claims") == 8


async def test_many_intakes_at_once_begin_one_new_round(app_db: Database) -> None:
    store = PostgresStore(app_db)
    await Intake(store, Clock()).observed(observed(observation(), observation(state="gone")))
    again = observed(later_read(observation(), 60))
    await asyncio.gather(*(Intake(store, Clock()).observed(again) for _ in range(6)))
    assert await round_of(store) == 2
    assert len(await facts_of(store, await approval_of(store))) == 1


def changed(**members: Any) -> bytes:
    """An observation with some members of its JSON set to something else."""
    body = json.loads(encode_observation(observation(f"R-{secrets.token_hex(4)}")))
    for name, value in members.items():
        *path, last = name.split("__")
        part = body
        for step in path:
            part = part[step]
        part[last] = value
    return json.dumps(body).encode()


POISON = {
    "nothing": (None, "not an observation"),
    "no-json": (b"{", "not an observation"),
    "a-list": (b"[]", "not an observation"),
    "no-utf-8": (b'{"workspace": "\xff"}', "not an observation"),
    "half-a-pair": (changed().replace(b"Expense", b"\\ud800"), "not an observation"),
    "too-deep": (b'{"payload":' + b"[" * 5000, "nested deeper"),
    "no-content": (changed(content=None), "without `content`"),
    "another-state": (changed(state="lost"), "state"),
    "a-number-for-a-text": (changed(record_id=5), "record_id"),
    "no-time": (changed(read_at="yesterday"), "read_at"),
    "no-record": (changed(record_id=""), "record_id"),
    "a-record-with-nul": (changed(record_id="R\0"), "record_id"),
    "a-long-record": (changed(record_id="R" * 5000), "record_id"),
    "a-workspace-with-nul": (changed(workspace="a\0"), "workspace"),
    "a-source-with-nul": (changed(source="e\0"), "source"),
    "a-source-with-a-slash": (changed(source="a/b"), "source"),
    "a-revision-with-nul": (changed(revision="\0"), "revision"),
    "a-settler-with-nul": (changed(settled_by="\0"), "settled_by"),
    "a-long-type": (changed(content__type="t" * 5000), "type"),
    "no-type": (changed(content__type=""), "type"),
    "a-type-with-nul": (changed(content__type="\0"), "type"),
    "no-title": (changed(content__title=""), "title"),
    "a-long-reason": (changed(content__reason="r" * 20_000), "reason"),
    "nobody": (changed(content__approvers=[]), "approvers"),
    "no-address": (changed(content__approvers=[{"email": "ann"}]), "'ann'"),
    "an-address-with-nul": (changed(content__requester={"email": "a\0@b"}), "address"),
    "a-script": (changed(content__url="javascript:alert(1)"), "url"),
    "another-urgency": (changed(content__urgency="now"), "urgency"),
    "a-large-number": (changed(content__payload={"n": 2**60}), "2^53"),
}


@pytest.mark.parametrize(("value", "why"), POISON.values(), ids=POISON)
async def test_poison_is_set_aside_with_its_reason_and_the_rest_goes_on(
    value: bytes | None, why: str
) -> None:
    store = MemoryStore()
    batch = [*observed(observation("R-1")), delivered(value, offset=1)]
    batch += [replace(observed(observation("R-2"))[0], offset=2)]
    (rejected,) = await Intake(store, Clock()).observed(batch)
    assert rejected.message is batch[1]
    assert why in rejected.reason
    for record in ("R-1", "R-2"):
        assert isinstance(await state_of(store, await approval_of(store, record)), Pending)


async def test_addresses_are_kept_in_lower_case_and_each_approver_once(store: EventStore) -> None:
    seen = observation()
    assert seen.content is not None
    mixed = (Person(email=" Ann@Example.COM", name="A"), Person(email="ann@example.com", name="B"))
    content = replace(seen.content, approvers=mixed, requester=Person(email="Rita@Example.com"))
    await Intake(store, Clock()).observed(observed(replace(seen, content=content)))
    (asked,) = await facts_of(store, await approval_of(store))
    assert isinstance(asked, ApprovalRequested)
    assert asked.approvers == (Person(email="ann@example.com", name="A"),)
    assert asked.about.requester.email == "rita@example.com"


async def test_a_withdrawal_says_who_settled_it_and_how(store: EventStore) -> None:
    intake = Intake(store, Clock())
    await intake.observed(observed(observation()))
    settled: Observation = observation(state="settled", outcome="approved", settled_by="eve")
    await intake.observed(observed(settled))
    fact = (await facts_of(store, await approval_of(store)))[-1]
    assert isinstance(fact, ApprovalWithdrawn)
    assert fact.reason == "Approved in the source by eve."
