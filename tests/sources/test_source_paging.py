"""Every way of paging reads every row once, ends, and never runs in a circle."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from services.sources import SourceRefused
from tests.sources.source_kit import answers, changed, connect, define, pages_of, row

ROWS = [row(f"r{number}") for number in range(1, 8)]


def named(paginate: dict[str, Any], **more: Any) -> Any:
    return define(changed({"list.paginate": paginate, **more}))


async def listed(
    handler: Callable[[httpx2.Request], httpx2.Response], definition: Any
) -> list[str]:
    pages = await pages_of(connect(handler, definition).pending())
    return [one.record_id for page in pages for one in page.observations]


async def test_without_pages_one_answer_holds_everything() -> None:
    handler, asked = answers({"records": ROWS})
    assert len(await listed(handler, named({"type": "none"}))) == 7
    assert len(asked) == 1


@pytest.mark.parametrize("end", [None, "", False])
async def test_a_mark_in_the_body_leads_to_the_next_page(end: Any) -> None:
    handler, asked = answers(
        {"records": ROWS[:3], "next": "a b&c"},
        {"records": ROWS[3:6], "next": 17},
        {"records": ROWS[6:], "next": end},
    )
    definition = named(
        {"type": "cursor", "param": "after", "next": "next"}, **{"list.query": {"n": 3}}
    )
    assert len(await listed(handler, definition)) == 7
    assert [dict(one.url.params) for one in asked] == [
        {"n": "3"},
        {"n": "3", "after": "a b&c"},
        {"n": "3", "after": "17"},
    ]


async def test_a_mark_that_leads_to_itself_is_refused() -> None:
    handler, asked = answers({"records": ROWS, "next": "x"})
    with pytest.raises(SourceRefused, match="it would never end"):
        await listed(handler, named({"type": "cursor", "param": "after", "next": "next"}))
    assert len(asked) == 2


@pytest.mark.parametrize("mark", [{"a": 1}, [1], "x" * 5000])
async def test_a_strange_mark_is_refused(mark: Any) -> None:
    handler, _ = answers({"records": [], "next": mark})
    with pytest.raises(SourceRefused, match=r"list\.paginate\.next picks"):
        await listed(handler, named({"type": "cursor", "param": "after", "next": "next"}))


async def test_more_pages_than_allowed_are_refused_and_not_taken_for_all() -> None:
    count = 0

    def endless(request: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        return httpx2.Response(200, json={"records": [], "next": count})

    definition = named(
        {"type": "cursor", "param": "after", "next": "next"}, **{"list.max_pages": 4}
    )
    with pytest.raises(SourceRefused, match=r"more than 4 pages .* raise list\.max_pages"):
        await listed(endless, definition)
    assert count == 4


def slices(size: int, start: int, **more: Any) -> Callable[[httpx2.Request], httpx2.Response]:
    """A system that counts pages from `start`, or rows for the parameter `offset`."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        params = request.url.params
        begin = (
            int(params["offset"]) if "offset" in params else (int(params["page"]) - start) * size
        )
        some = ROWS[begin : begin + size]
        body: dict[str, Any] = {"records": some, "last": begin + size >= len(ROWS)}
        return httpx2.Response(200, json=body | more, headers={"X-Total-Count": "7"})

    return handle


@pytest.mark.parametrize("start", [0, 1])
async def test_counted_pages_end_with_an_empty_one(start: int) -> None:
    definition = named({"type": "page", "param": "page", "start": start})
    assert len(await listed(slices(3, start), definition)) == 7


@pytest.mark.parametrize(
    "end", [{"more": "!last"}, {"total": "total"}, {"total_header": "X-Total-Count"}, {}]
)
async def test_offsets_end_where_the_source_says(end: dict[str, str]) -> None:
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return slices(3, 0, total=7)(request)

    paginate = {"type": "offset", "param": "offset", "size_param": "limit", "size": 3, **end}
    assert await listed(handle, named(paginate)) == [one["id"] for one in ROWS]
    assert [one.url.params["offset"] for one in asked] == ["0", "3", "6", "9"][: 3 if end else 4]
    assert {one.url.params["limit"] for one in asked} == {"3"}


async def test_rows_hidden_from_us_do_not_end_the_listing() -> None:
    # The limit counts rows that we may not see: pages come short, and still others follow.
    def handle(request: httpx2.Request) -> httpx2.Response:
        begin = int(request.url.params["offset"])
        seen = [one for one in ROWS[begin : begin + 3] if one["id"] not in {"r1", "r2", "r3", "r5"}]
        return httpx2.Response(200, json={"records": seen, "total": 7})

    paginate = {"type": "offset", "param": "offset", "size": 3, "total": "total"}
    assert await listed(handle, named(paginate)) == ["r4", "r6", "r7"]


async def test_a_total_that_is_no_number_is_refused() -> None:
    handler, _ = answers({"records": ROWS, "total": "many"})
    paginate = {"type": "offset", "param": "offset", "size": 3, "total": "total"}
    with pytest.raises(SourceRefused, match="the total number of rows is not a number"):
        await listed(handler, named(paginate))


async def test_links_are_followed_with_their_own_query() -> None:
    first = httpx2.Response(
        200,
        json={"records": ROWS[:4]},
        headers={
            "Link": '<http://acme.test/api/items?page=1>; rel="first", '
            '</api/items?page=2&x=a%20b>; title="a"; rel="next"'
        },
    )
    last = httpx2.Response(200, json={"records": ROWS[4:]}, headers={"Link": '<x>; rel="first"'})
    handler, asked = answers(first, last)
    definition = named({"type": "link_header"}, **{"list.query": {"state": "open"}})
    assert len(await listed(handler, definition)) == 7
    assert str(asked[0].url) == "http://acme.test/api/items?state=open"
    assert str(asked[1].url) == "http://acme.test/api/items?page=2&x=a%20b"


@pytest.mark.parametrize(
    "link", ["http://evil.test/api/items", "https://acme.test/api/items", "//evil.test/x"]
)
async def test_a_link_to_another_server_is_not_followed(link: str) -> None:
    page = httpx2.Response(200, json={"records": ROWS}, headers={"Link": f'<{link}>; rel="next"'})
    handler, asked = answers(page)
    with pytest.raises(SourceRefused, match="on another server"):
        await listed(handler, named({"type": "link_header"}))
    assert len(asked) == 1
