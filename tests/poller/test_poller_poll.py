"""What a poll publishes, what it leaves, and when its cursor moves."""

import pytest

from events.digest import payload_digest
from events.store import Unavailable
from services.poller.intake import Tally
from services.poller.poll import poll
from services.sources import SourceRefused, SourceUnavailable
from tests.poller.poller_kit import Desk, malformed


async def polled(desk: Desk, cursor: str | None = "c0") -> str | None:
    return await poll(desk.intake, cursor, Tally())


async def test_new_records_are_published_page_by_page_and_the_cursor_moves(desk: Desk) -> None:
    for number in range(5):
        desk.source.put(f"r{number}")
    assert await polled(desk) == "c1"
    assert desk.queue.take() == [(f"r{number}", "pending") for number in range(5)]
    assert desk.source.lists == [("changed", "c0")]


async def test_the_cursor_stays_when_publishing_fails(desk: Desk) -> None:
    desk.source.put("r1")
    desk.queue.error = Unavailable("the broker is away")
    with pytest.raises(Unavailable):
        await polled(desk)
    desk.queue.error = None
    assert await polled(desk) == "c1"
    # What was not published is not taken for published.
    assert desk.queue.take() == [("r1", "pending")]


async def test_the_cursor_stays_when_a_later_page_fails(desk: Desk) -> None:
    for number in range(3):
        desk.source.put(f"r{number}")
    desk.source.breaks["page 1"] = SourceUnavailable("cut")
    with pytest.raises(SourceUnavailable):
        await polled(desk)
    assert len(desk.queue.take()) == 2


async def test_what_the_queue_knows_with_the_same_revision_is_not_published(desk: Desk) -> None:
    desk.source.put("r1")
    desk.source.put("r2")
    desk.queue.knows("r1")
    desk.queue.knows("r2", "deciding")
    await polled(desk)
    assert desk.queue.take() == []


async def test_a_new_revision_is_published(desk: Desk) -> None:
    desk.source.put("r1", revision="2")
    desk.queue.knows("r1")
    await polled(desk)
    assert desk.queue.take() == [("r1", "pending")]


async def test_other_content_under_the_same_revision_is_published(desk: Desk) -> None:
    desk.source.put("r1")
    desk.queue.knows("r1", payload_digest=payload_digest({"id": "r1"}))
    await polled(desk)
    assert desk.queue.take() == []
    desk.queue.knows("r1", payload_digest=payload_digest({"id": "other"}))
    await polled(desk)
    assert desk.queue.take() == [("r1", "pending")]


async def test_what_was_just_published_is_not_published_again_while_the_queue_lags(
    desk: Desk,
) -> None:
    desk.source.put("r1")
    for _ in range(5):
        await polled(desk)
        desk.clock.advance(30)
    assert desk.queue.take() == [("r1", "pending")]
    desk.clock.advance(300)
    await polled(desk)
    assert desk.queue.take() == [("r1", "pending")]


async def test_a_revision_that_comes_back_is_published_again(desk: Desk) -> None:
    for revision in ("1", "2", "1"):
        desk.source.put("r1", revision=revision)
        await polled(desk)
        assert desk.queue.take() == [("r1", "pending")]
        desk.queue.knows("r1", revision=revision)


async def test_a_settled_row_is_published_if_the_queue_holds_it_as_pending(desk: Desk) -> None:
    for name in ("r1", "r2", "r3", "r4"):
        desk.source.put(name, "settled")
    desk.queue.knows("r1")
    desk.queue.knows("r2", "deciding")
    desk.queue.knows("r3", "approved")
    await polled(desk)
    await polled(desk)
    assert desk.queue.take() == [("r1", "settled")]
    assert desk.source.reads == []


async def test_a_row_that_is_older_than_the_answer_is_left(desk: Desk) -> None:
    desk.queue.knows("r1", "approved")
    desk.clock.advance(5)
    desk.source.put("r1")
    await polled(desk)
    assert desk.queue.take() == []
    assert desk.source.reads == []


async def test_a_listing_that_is_stale_does_not_ask_twice(desk: Desk) -> None:
    desk.queue.knows("r1", "approved")
    desk.source.put("r1", "settled")
    desk.clock.advance(60)
    desk.source.listing = [desk.source.observation("r1", "pending")]
    await polled(desk)
    assert desk.source.reads == ["r1"]
    assert desk.queue.take() == []


async def test_a_record_that_is_pending_again_starts_a_new_round_once(desk: Desk) -> None:
    desk.source.put("r1")
    await polled(desk)
    assert desk.queue.take() == [("r1", "pending")]
    desk.clock.advance(10)
    desk.queue.knows("r1", "approved")
    desk.clock.advance(20)
    # The same revision as in the first round, which was published half a minute ago.
    await polled(desk)
    assert desk.queue.take() == [("r1", "pending")]
    desk.clock.advance(10)
    await polled(desk)
    assert desk.queue.take() == []
    assert desk.source.reads == ["r1"]


async def test_the_reading_that_is_published_is_the_record_s_own(desk: Desk) -> None:
    desk.queue.knows("r1", "withdrawn")
    desk.clock.advance(60)
    desk.source.put("r1", revision="9")
    desk.source.listing = [desk.source.observation("r1", revision="8")]
    await polled(desk)
    assert [one.revision for one in desk.queue.published] == ["9"]


async def test_of_a_record_that_stands_in_a_page_twice_the_later_row_counts(desk: Desk) -> None:
    desk.source.listing = [
        desk.source.observation("r1", revision="1"),
        desk.source.observation("r1", revision="2"),
    ]
    await polled(desk)
    assert [one.revision for one in desk.queue.published] == ["2"]


async def test_malformed_rows_are_parked_and_resolved_when_they_can_be_mapped(desk: Desk) -> None:
    desk.source.put("r1")
    desk.source.bad = [malformed("r2"), malformed(None, b"null")]
    await polled(desk)
    assert {row.record_id for row in desk.parking.open.values()} == {"r2", None}
    assert desk.queue.take() == [("r1", "pending")]
    desk.source.bad = []
    desk.source.put("r2")
    await polled(desk)
    assert {row.record_id for row in desk.parking.open.values()} == {None}


async def test_a_record_that_cannot_be_read_is_parked(desk: Desk) -> None:
    desk.queue.knows("r1", "approved")
    desk.clock.advance(60)
    desk.source.put("r1")
    desk.source.breaks["r1"] = SourceRefused("acme answered 403 to GET /items/r1")
    await polled(desk)
    (row,) = desk.parking.open.values()
    assert row.reason == "acme answered 403 to GET /items/r1"
