"""The rate limit of a source, in memory and shared through Postgres: the same promises."""

# ruff: noqa: ARG002 - a fake takes what the real one takes

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from events.store import Unavailable
from events.store.database import Database
from services.sources import SourceUnavailable
from services.sources.budget import Allowance, Bucket, Budget, MemoryBucket, PostgresBucket

SLOW = Allowance(limit=5, per=3600)


class Broken:
    """A bucket whose database is away."""

    async def take(self, allowance: Allowance, reserve: int) -> float:
        raise Unavailable("Postgres cannot be reached: refused")

    async def block(self, seconds: float) -> None:
        raise Unavailable("Postgres cannot be reached: refused")


@pytest.fixture(params=["memory", "postgres"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    if request.param == "memory":
        return MemoryBucket()
    return PostgresBucket(request.getfixturevalue("app_db"), "w1", "source:acme")


async def test_a_bucket_gives_what_it_holds_and_then_says_how_long_to_wait(bucket: Bucket) -> None:
    assert [await bucket.take(SLOW, 0) for _ in range(5)] == [0] * 5
    wait = await bucket.take(SLOW, 0)
    assert 700 < wait <= 720  # one of five tokens an hour
    again = await bucket.take(SLOW, 0)
    assert wait - 5 < again <= wait  # to be refused costs nothing


async def test_a_bucket_refills_with_time_but_holds_no_more_than_its_limit(bucket: Bucket) -> None:
    quick = Allowance(limit=4, per=0.4)
    for _ in range(2):
        taken = 0
        while await bucket.take(quick, 0) == 0:
            taken += 1
        assert 4 <= taken <= 6
        await asyncio.sleep(0.6)


async def test_a_listing_leaves_tokens_for_answers(bucket: Bucket) -> None:
    ten = Allowance(limit=10, per=3600)
    assert ten.reserve == 2
    taken = 0
    while await bucket.take(ten, ten.reserve) == 0:
        taken += 1
    assert taken == 8
    assert [await bucket.take(ten, 0) for _ in range(2)] == [0, 0]
    assert await bucket.take(ten, 0) > 0


async def test_a_blocked_bucket_gives_nothing_and_the_longer_block_counts(bucket: Bucket) -> None:
    fast = Allowance(limit=1000, per=1)
    await bucket.block(60)
    await bucket.block(30)
    assert 55 < await bucket.take(fast, 0) <= 60


async def test_a_block_ends(bucket: Bucket) -> None:
    fast = Allowance(limit=1000, per=1)
    assert await bucket.take(fast, 0) == 0
    await bucket.block(0.2)
    assert 0 < await bucket.take(fast, 0) <= 0.2
    await asyncio.sleep(0.25)
    assert await bucket.take(fast, 0) == 0


async def test_many_processes_together_take_no_more_than_the_limit(app_db: Database) -> None:
    buckets = [PostgresBucket(app_db, "w1", "source:shared") for _ in range(4)]
    waits = await asyncio.gather(*(buckets[n % 4].take(SLOW, 0) for n in range(40)))
    assert sum(wait == 0 for wait in waits) == 5


async def test_workspaces_and_sources_have_buckets_of_their_own(app_db: Database) -> None:
    one = Allowance(limit=1, per=3600)
    names = [("w1", "source:a"), ("w1", "source:b"), ("w2", "source:a")]
    assert [await PostgresBucket(app_db, *name).take(one, 0) for name in names] == [0, 0, 0]
    assert await PostgresBucket(app_db, "w2", "source:a").take(one, 0) > 0


async def leave(budget: Budget) -> None:
    async with budget.request():
        pass


async def test_a_budget_waits_for_a_token() -> None:
    budget = Budget(MemoryBucket(), Allowance(limit=1, per=0.1), 4)
    began = time.monotonic()
    for _ in range(3):
        await leave(budget)
    assert 0.15 < time.monotonic() - began < 1


async def test_a_budget_says_when_to_come_back_instead_of_waiting_long() -> None:
    budget = Budget(MemoryBucket(), SLOW, 4, longest_wait=0.1)
    for _ in range(5):
        await leave(budget)
    began = time.monotonic()
    with pytest.raises(SourceUnavailable) as caught:
        await leave(budget)
    assert caught.value.retry_after == pytest.approx(720, abs=10)
    assert time.monotonic() - began < 0.1
    # The place was given back: the next one hears the same, and not that the places are taken.
    with pytest.raises(SourceUnavailable, match="may be asked again in"):
        await leave(budget)


async def test_a_place_is_waited_for_with_a_bound() -> None:
    budget = Budget(MemoryBucket(), Allowance(limit=1000, per=1), 1, longest_wait=0.05)
    async with budget.request():
        with pytest.raises(SourceUnavailable, match="too many requests"):
            await leave(budget)
    await leave(budget)


async def test_a_bucket_that_cannot_be_read_makes_the_source_unavailable() -> None:
    budget = Budget(Broken(), SLOW, 4)
    with pytest.raises(SourceUnavailable, match="the rate limit cannot be read"):
        await leave(budget)
    await budget.block(10)


@pytest.mark.parametrize("seconds", [-3.0, 1e9])
async def test_a_block_is_bounded(seconds: float) -> None:
    blocked: list[float] = []

    class Noting(MemoryBucket):
        async def block(self, seconds: float) -> None:
            blocked.append(seconds)

    budget = Budget(Noting(), SLOW, 4)
    act: Callable[[float], Awaitable[None]] = budget.block
    await act(seconds)
    assert blocked == [0.0 if seconds < 0 else 3600.0]
