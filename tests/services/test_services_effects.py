"""The effects in memory and on Postgres keep the same promises."""

from typing import Any

import pytest

from events.store.database import Database
from services.effects import Effect, Effects
from tests.services.service_kit import Clock, MemoryEffects

EFFECT = Effect(workspace="acme", approval_id="A" * 27, version=2, effect="write_back")


@pytest.fixture(params=["memory", "postgres"])
def effects(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return MemoryEffects(Clock())
    worker_db: Database = request.getfixturevalue("worker_db")
    return Effects(worker_db)


async def test_an_effect_is_written_down_and_taken_by_one(effects: Any) -> None:
    first = await effects.take(EFFECT)
    assert (first.number, first.sent) == (1, False)
    assert await effects.take(EFFECT) is None
    assert list(await effects.due("write_back")) == []


async def test_whoever_comes_after_the_lease_takes_it_over(effects: Any) -> None:
    first = await effects.take(EFFECT, lease_s=0)
    assert list(await effects.due("write_back")) == [EFFECT]
    second = await effects.take(EFFECT)
    assert (second.number, second.first_at) == (2, first.first_at)
    assert await effects.take(EFFECT) is None


async def test_the_next_attempt_knows_that_something_was_sent(effects: Any) -> None:
    await effects.take(EFFECT, lease_s=0)
    await effects.sending(EFFECT)
    assert (await effects.take(EFFECT)).sent


async def test_only_who_holds_it_may_let_it_leave_and_holds_it_on(effects: Any) -> None:
    first = await effects.take(EFFECT, lease_s=0)
    second = await effects.take(EFFECT, lease_s=0)
    assert not await effects.leaving(EFFECT, first), "somebody else has taken it since then"
    assert await effects.leaving(EFFECT, second)
    assert await effects.take(EFFECT) is None, "its lease begins anew"
    await effects.done(EFFECT)
    assert not await effects.leaving(EFFECT, second)


async def test_what_surely_did_not_arrive_counts_as_never_sent(effects: Any) -> None:
    for sent in (True, False):
        attempt = await effects.take(EFFECT)
        assert await effects.leaving(EFFECT, attempt)
        await effects.later(EFFECT, 0, "refused", sent=sent)
        again = await effects.take(EFFECT)
        assert (again.number, again.sent) == (attempt.number + 1, sent)
        await effects.later(EFFECT, 0, "again")


async def test_what_is_done_or_given_up_is_not_taken_again(effects: Any) -> None:
    given_up = Effect(workspace="acme", approval_id="B" * 27, version=2, effect="write_back")
    for effect in (EFFECT, given_up):
        await effects.take(effect, lease_s=0)
    await effects.done(EFFECT)
    await effects.failed(given_up, "no")
    for effect in (EFFECT, given_up):
        await effects.later(effect, 0, "again")
        assert await effects.take(effect) is None
    assert list(await effects.due("write_back")) == []


async def test_what_is_let_go_is_due_after_its_delay_oldest_first(effects: Any) -> None:
    soon = Effect(workspace="acme", approval_id="B" * 27, version=2, effect="write_back")
    await effects.take(EFFECT, lease_s=-10)
    await effects.take(soon, lease_s=-20)
    assert list(await effects.due("write_back")) == [soon, EFFECT]
    assert list(await effects.due("write_back", limit=1)) == [soon]
    assert list(await effects.due("decision_note")) == []
    await effects.later(EFFECT, 60, "503")
    assert list(await effects.due("write_back")) == [soon]
    assert await effects.take(EFFECT) is None


async def test_each_name_is_an_effect_of_its_own(effects: Any) -> None:
    await effects.take(EFFECT)
    for other in (
        Effect(workspace="other", approval_id="A" * 27, version=2, effect="write_back"),
        Effect(workspace="acme", approval_id="A" * 27, version=3, effect="write_back"),
        Effect(workspace="acme", approval_id="A" * 27, version=2, effect="decision_note"),
    ):
        assert (await effects.take(other)).number == 1
        assert other.idempotency_key != EFFECT.idempotency_key or other.workspace != "acme"
