"""Listings: what changed since a cursor, less the lookback, and everything that is pending."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from services.sources import SourceRefused, SourceUnavailable
from tests.sources.source_kit import NOW, answers, changed, connect, define, pages_of, row

TIME = {"type": "time", "field": "at", "param": "since", "lookback": "2m"}
CURSOR = "2026-03-01T11:00:00+00:00"


def timed(**cursor: Any) -> Any:
    return define(changed({"list.cursor": {**TIME, **cursor}, "list.query": {"n": 5}}))


def one_page(*rows: Any, date: str | None = None) -> httpx2.Response:
    headers = {} if date is None else {"Date": date}
    return httpx2.Response(200, json={"records": list(rows)}, headers=headers)


async def cursor_after(definition: Any, response: Any, cursor: str | None = CURSOR) -> str | None:
    handler, _ = answers(response)
    return (await pages_of(connect(handler, definition).changed(cursor)))[-1].cursor


@pytest.mark.parametrize(
    ("form", "since"),
    [
        ("rfc3339", "2026-03-01T10:58:00Z"),
        ("%Y-%m-%d %H:%M:%S", "2026-03-01 10:58:00"),
        ("epoch", "1772362680"),
        ("epoch_ms", "1772362680000"),
    ],
)
async def test_a_poll_asks_from_the_cursor_less_the_lookback(form: str, since: str) -> None:
    handler, asked = answers(one_page())
    await pages_of(connect(handler, timed(format=form)).changed(CURSOR))
    assert dict(asked[0].url.params) == {"n": "5", "since": since}


async def test_the_time_may_stand_inside_a_query_of_its_own() -> None:
    cursor = {"param": None, "query": {"q": "state=open^at>={{cursor.from}}"}}
    definition = define(
        changed({"list.cursor": {k: v for k, v in {**TIME, **cursor}.items() if v is not None}})
    )
    handler, asked = answers(one_page())
    await pages_of(connect(handler, definition).changed(CURSOR))
    assert asked[0].url.params["q"] == "state=open^at>=2026-03-01T10:58:00Z"


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("rfc3339", "2026-03-01T11:30:00Z"),
        ("rfc3339", "2026-03-01T12:30:00.5+01:00"),
        ("%Y-%m-%d %H:%M:%S", "2026-03-01 11:30:00"),
        ("epoch", 1772364600),
        ("epoch_ms", "1772364600000"),
    ],
)
async def test_the_cursor_moves_to_the_newest_row(form: str, value: Any) -> None:
    page = one_page(row("r1", at=value), row("r2", at=None), row("r3"), {"at": value})
    moved = await cursor_after(timed(format=form), page)
    assert moved is not None
    assert datetime.fromisoformat(moved).replace(microsecond=0) == datetime(
        2026, 3, 1, 11, 30, tzinfo=UTC
    )


async def test_the_cursor_never_moves_back_nor_beyond_the_start_of_the_listing() -> None:
    assert await cursor_after(timed(), one_page(row(at="2026-03-01T09:00:00Z"))) == CURSOR
    assert await cursor_after(timed(), one_page()) == CURSOR
    assert await cursor_after(timed(), one_page(row(at="nonsense"))) == CURSOR
    # A row from the future would make every later poll blind.
    assert await cursor_after(timed(), one_page(row(at="2099-01-01T00:00:00Z"))) == (
        NOW.isoformat()
    )


async def test_the_start_of_a_listing_is_told_by_the_clock_of_the_source() -> None:
    page = one_page(row(at="2026-03-01T11:59:00Z"), date="Sun, 01 Mar 2026 11:50:00 GMT")
    assert await cursor_after(timed(), page) == "2026-03-01T11:50:00+00:00"


async def test_what_changes_between_two_pages_is_asked_for_again() -> None:
    paginate = {"type": "cursor", "param": "after", "next": "next"}
    definition = define(changed({"list.cursor": TIME, "list.paginate": paginate}))
    handler, _ = answers(
        httpx2.Response(
            200,
            json={"records": [row("r1", at="2026-03-01T11:01:00Z")], "next": 2},
            headers={"Date": "Sun, 01 Mar 2026 11:30:00 GMT"},
        ),
        httpx2.Response(
            200,
            # Changed after the first page was read, as other records of that page may have.
            json={"records": [row("r2", at="2026-03-01T11:40:00Z")], "next": None},
            headers={"Date": "Sun, 01 Mar 2026 11:45:00 GMT"},
        ),
    )
    pages = await pages_of(connect(handler, definition).changed(CURSOR))
    assert pages[-1].cursor == "2026-03-01T11:30:00+00:00"


async def test_a_sweep_asks_for_what_is_pending_and_tells_where_polls_begin() -> None:
    definition = define(changed({"list.cursor": TIME, "list.sweep": {"query": {"status": "open"}}}))
    handler, asked = answers(one_page(row(at="2026-03-01T11:59:00Z")))
    (page,) = await pages_of(connect(handler, definition).pending())
    assert dict(asked[0].url.params) == {"status": "open"}
    assert page.cursor == NOW.isoformat()
    dated = one_page(date="Sun, 01 Mar 2026 11:50:00 GMT")
    handler, _ = answers(dated)
    (page,) = await pages_of(connect(handler, definition).pending())
    assert page.cursor == "2026-03-01T11:50:00+00:00"


async def test_an_opaque_cursor_is_passed_on_as_it_came() -> None:
    definition = define(
        changed({"list.cursor": {"type": "opaque", "field": "sync", "param": "token"}})
    )
    handler, asked = answers({"records": [], "sync": "t2"}, {"records": []})
    source = connect(handler, definition)
    (page,) = await pages_of(source.changed(None))
    assert (dict(asked[0].url.params), page.cursor) == ({}, "t2")
    (page,) = await pages_of(source.changed("t2"))
    assert (dict(asked[1].url.params), page.cursor) == ({"token": "t2"}, "t2")


async def test_a_malformed_row_stops_no_other() -> None:
    handler, _ = answers({"records": [row("r1"), None, row("r2", owner="?"), row("r3")]})
    (page,) = await pages_of(connect(handler).pending())
    assert [one.record_id for one in page.observations] == ["r1", "r3"]
    assert [one.record_id for one in page.malformed] == [None, "r2"]


@pytest.mark.parametrize("body", [{}, {"records": None}, {"records": {"a": 1}}, [], 3])
async def test_an_answer_without_a_list_is_refused_and_not_taken_for_empty(body: Any) -> None:
    handler, _ = answers(httpx2.Response(200, json=body))
    with pytest.raises(SourceRefused, match=r"without a list at `records`"):
        await pages_of(connect(handler).pending())


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b"\xff\xfe", b'{"records": ['])
async def test_an_answer_that_is_no_json_is_tried_again_later(body: bytes) -> None:
    handler, _ = answers(httpx2.Response(200, content=body, headers={"Content-Type": "text/html"}))
    with pytest.raises(SourceUnavailable, match="text/html that is not JSON"):
        await pages_of(connect(handler).pending())


async def test_the_observations_carry_the_time_before_their_page_was_asked_for() -> None:
    handler, _ = answers({"records": [row()]})
    (page,) = await pages_of(connect(handler).pending())
    assert page.observations[0].read_at == NOW
