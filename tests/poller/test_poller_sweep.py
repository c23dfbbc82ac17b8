"""A sweep finds what was settled elsewhere, and never takes a failed listing for an empty one."""

from collections.abc import AsyncIterator

import pytest

from services.poller.intake import Tally
from services.poller.poll import poll
from services.poller.sweep import Doubtful, Swept, sweep
from services.sources import Page, SourceRefused, SourceUnavailable
from tests.poller.poller_kit import Desk, malformed


async def swept(desk: Desk) -> Swept:
    return await sweep(desk.intake, Tally())


async def test_what_is_pending_is_published_and_the_sweep_is_dated_from_its_start(
    desk: Desk,
) -> None:
    desk.source.put("r1")
    desk.source.put("r2", "settled")
    done = await swept(desk)
    assert desk.queue.take() == [("r1", "pending")]
    assert (done.began, done.cursor, done.verified) == (desk.clock.now, "c1", True)
    assert desk.source.reads == []


@pytest.mark.parametrize("state", ["settled", "cancelled", "gone"])
async def test_what_is_not_listed_any_more_is_read_and_published(desk: Desk, state: str) -> None:
    desk.queue.knows("r1")
    desk.queue.knows("r2")
    desk.source.put("r2")
    if state != "gone":
        desk.source.put("r1", state)  # type: ignore[arg-type]  # one of the states
    await swept(desk)
    assert desk.source.reads == ["r1"]
    assert desk.queue.take() == [("r1", state)]


async def test_what_is_not_listed_but_still_pending_stays(desk: Desk) -> None:
    desk.queue.knows("r1")
    desk.source.put("r1")
    desk.source.put("r2")
    desk.source.listing = [desk.source.observation("r2")]
    await swept(desk)
    assert desk.source.reads == ["r1"]
    assert desk.queue.take() == [("r2", "pending")]


async def test_what_is_not_listed_and_changed_is_published_as_it_is(desk: Desk) -> None:
    desk.queue.knows("r1")
    desk.source.put("r1", revision="2")
    desk.source.put("r2")
    desk.source.listing = [desk.source.observation("r2")]
    await swept(desk)
    assert ("r1", "pending") in desk.queue.take()


async def test_a_failed_page_makes_nothing_look_settled(desk: Desk) -> None:
    for number in range(5):
        desk.queue.knows(f"r{number}")
        desk.source.put(f"r{number}")
    desk.source.breaks["page 1"] = SourceUnavailable("cut")
    with pytest.raises(SourceUnavailable):
        await swept(desk)
    assert desk.source.reads == []
    assert desk.queue.take() == []


async def test_a_record_that_the_queue_learned_of_during_the_sweep_is_left(desk: Desk) -> None:
    desk.source.put("r1")
    original = desk.source.pending

    async def pending() -> AsyncIterator[Page]:
        async for page in original():
            desk.queue.knows("new")
            yield page

    desk.source.pending = pending  # type: ignore[method-assign]
    await swept(desk)
    assert desk.source.reads == []


async def test_what_is_being_decided_is_left_to_the_write_back(desk: Desk) -> None:
    desk.queue.knows("r1", "deciding")
    desk.source.put("r1", "settled")
    await swept(desk)
    assert desk.source.reads == []
    assert desk.queue.take() == []


async def test_a_malformed_row_still_counts_as_listed(desk: Desk) -> None:
    desk.queue.knows("r1")
    desk.source.put("r2")
    desk.source.bad = [malformed("r1")]
    await swept(desk)
    assert desk.source.reads == []
    assert len(desk.parking.open) == 1


async def test_a_sweep_publishes_again_what_the_queue_never_learned_of(desk: Desk) -> None:
    desk.source.put("r1")
    await poll(desk.intake, "c0", Tally())
    assert len(desk.queue.take()) == 1
    desk.clock.advance(20)
    await swept(desk)
    assert desk.queue.take() == []  # it may still be on its way
    desk.clock.advance(20)
    await swept(desk)
    assert desk.queue.take() == [("r1", "pending")]  # the broker lost it


async def test_a_sweep_repeats_a_settlement_that_the_queue_never_learned_of(desk: Desk) -> None:
    desk.queue.knows("r1")
    desk.source.put("r2")
    desk.queue.knows("r2")
    await swept(desk)
    assert desk.queue.take() == [("r1", "gone")]
    desk.clock.advance(10)
    await swept(desk)
    assert desk.queue.take() == []
    desk.clock.advance(60)
    await swept(desk)
    assert desk.queue.take() == [("r1", "gone")]


async def test_an_empty_listing_against_a_full_queue_is_doubted(desk: Desk) -> None:
    for number in range(50):
        desk.queue.knows(f"r{number}")
        desk.source.put(f"r{number}")
    desk.source.listing = []
    with pytest.raises(Doubtful, match=r"lists nothing as pending, but r0 is: 50 records stay"):
        await swept(desk)
    assert len(desk.source.reads) == 3
    assert desk.queue.take() == []


async def test_an_empty_listing_is_believed_when_the_records_say_so_too(desk: Desk) -> None:
    for number in range(120):
        desk.queue.knows(f"r{number}")
        desk.source.put(f"r{number}", "settled")
    done = await swept(desk)
    assert done.verified
    assert sorted(desk.source.reads) == sorted(f"r{number}" for number in range(120))
    assert len(desk.queue.take()) == 120


async def test_a_short_queue_needs_no_doubt(desk: Desk) -> None:
    for number in range(10):
        desk.queue.knows(f"r{number}")
        desk.source.put(f"r{number}")
    desk.source.listing = []
    assert (await swept(desk)).verified
    assert len(desk.source.reads) == 10
    assert desk.queue.take() == []


async def test_a_record_that_cannot_be_read_keeps_the_sweep_from_being_complete(
    desk: Desk,
) -> None:
    desk.queue.knows("r1")
    desk.queue.knows("r2")
    desk.source.put("r3")
    desk.source.breaks["r1"] = SourceRefused("acme answered 403 to GET /items/r1")
    tally = Tally()
    done = await sweep(desk.intake, tally)
    assert not done.verified
    assert tally.unreadable == ["acme answered 403 to GET /items/r1"]
    assert desk.queue.take() == [("r3", "pending"), ("r2", "gone")]
    assert [row.record_id for row in desk.parking.open.values()] == ["r1"]


async def test_a_source_that_fails_while_records_are_read_stops_the_sweep(desk: Desk) -> None:
    for number in range(3):
        desk.queue.knows(f"r{number}")
    desk.source.put("x")
    desk.source.breaks["r1"] = SourceUnavailable("429", retry_after=7)
    with pytest.raises(SourceUnavailable) as caught:
        await swept(desk)
    assert caught.value.retry_after == 7


async def test_a_complete_sweep_resolves_what_it_did_not_come_across_again(desk: Desk) -> None:
    desk.source.bad = [malformed("r1"), malformed(None, b"null")]
    await swept(desk)
    assert len(desk.parking.open) == 2
    desk.source.bad = [malformed(None, b"null")]
    desk.source.breaks["page 0"] = SourceUnavailable("cut")
    with pytest.raises(SourceUnavailable):
        await swept(desk)
    assert len(desk.parking.open) == 2
    desk.source.breaks.clear()
    await swept(desk)
    assert [row.record_id for row in desk.parking.open.values()] == [None]
