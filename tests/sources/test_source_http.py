"""What a source answers, or fails to answer, and what is made of it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from services.outgoing.waiting import asked_to_wait
from services.sources import SourceRefused, SourceUnavailable
from services.sources.budget import Allowance, Budget, MemoryBucket
from services.sources.exchange import MAX_BODY_BYTES
from tests.sources.source_kit import (
    FILE,
    NOW,
    Handler,
    answer,
    answers,
    changed,
    connect,
    define,
    pages_of,
    row,
)

BASIC = "Basic dTpzM2NyM3Q="


def failing(error: Exception) -> Handler:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise error

    return handle


async def listing_error(handler: Handler, **kind: Any) -> SourceUnavailable:
    with pytest.raises(SourceUnavailable) as caught:
        await pages_of(connect(handler, **kind).pending())
    return caught.value


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "999999"}, 3600),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        # The source's clock is an hour behind ours: only its own Date makes sense of its times.
        (
            {
                "Date": "Sun, 01 Mar 2026 11:00:00 GMT",
                "Retry-After": "Sun, 01 Mar 2026 11:00:30 GMT",
            },
            30,
        ),
        ({"X-Reset": "1772366445"}, 45),
        ({"X-Reset": "1772366445000"}, 45),
        ({"X-Reset": "12"}, 12),
        ({"Retry-After": "soon", "X-Reset": "12"}, 12),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_from_every_kind_of_header(
    headers: dict[str, str], seconds: float | None
) -> None:
    named = {name.lower(): value for name, value in headers.items()}
    assert asked_to_wait(named, ["retry-after", "x-reset"], NOW) == seconds


@pytest.mark.parametrize("status", [429, 503, 403])
async def test_retry_after_is_passed_on_and_blocks_every_request(status: int) -> None:
    definition = define(changed({"http.rate": {"wait_headers": ["X-Wait"]}}))
    handler, asked = answers(httpx2.Response(status, headers={"X-Wait": "600"}))
    now = 0.0
    bucket = MemoryBucket(lambda: now)
    budget = Budget(bucket, Allowance(limit=100, per=1), 4)
    error = await listing_error(handler, definition=definition, budget=budget)
    assert error.retry_after == 600
    # Another source object that shares the bucket, as another process would, does not ask at all.
    other = Budget(bucket, Allowance(limit=100, per=1), 4)
    error = await listing_error(handler, definition=definition, budget=other)
    assert error.retry_after == 600
    assert len(asked) == 1
    now = 601.0
    await listing_error(handler, definition=definition, budget=other)
    assert len(asked) == 2


async def test_the_name_of_a_wait_header_may_be_written_in_any_case() -> None:
    handler, _ = answers(httpx2.Response(429, headers={"retry-after": "9"}))
    definition = define(changed({"http.rate": {"wait_headers": ["RETRY-AFTER"]}}))
    assert (await listing_error(handler, definition=definition)).retry_after == 9


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
async def test_a_failing_source_is_asked_again_later(status: int) -> None:
    handler, _ = answers(httpx2.Response(status, json={"message": "overloaded"}))
    error = await listing_error(handler)
    assert str(error) == f"acme answered {status} to GET /items: overloaded"
    assert not error.may_have_written


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx2.ConnectError("refused"), False),
        (httpx2.ConnectTimeout("slow"), False),
        (httpx2.PoolTimeout("full"), False),
        (httpx2.ReadTimeout("slow"), True),
        (httpx2.WriteError("cut"), True),
        (httpx2.ReadError("cut"), True),
        (httpx2.RemoteProtocolError("cut"), True),
    ],
)
async def test_a_write_without_an_answer_may_have_been_taken(
    error: Exception, *, sent: bool
) -> None:
    with pytest.raises(SourceUnavailable) as caught:
        await connect(failing(error)).decide(answer())
    assert caught.value.may_have_written is sent
    with pytest.raises(SourceUnavailable) as caught:
        await connect(failing(error)).read("r1")
    assert not caught.value.may_have_written


@pytest.mark.parametrize(
    ("status", "sent"),
    [(500, True), (502, True), (504, True), (503, True), (408, True), (429, False)],
)
async def test_a_write_that_fails_on_their_side_may_have_been_taken(
    status: int, *, sent: bool
) -> None:
    handler, _ = answers(httpx2.Response(status))
    with pytest.raises(SourceUnavailable) as caught:
        await connect(handler).decide(answer())
    assert caught.value.may_have_written is sent


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx2.Response(400, json={"detail": "Bad  query."}), ": Bad query."),
        (httpx2.Response(401, json={"error": {"message": "Who are you?"}}), ": Who are you?"),
        (httpx2.Response(403, json={"errors": [{"detail": "Not yours"}]}), ": Not yours"),
        (httpx2.Response(404, text="nothing here"), ": nothing here"),
        (httpx2.Response(404, html="<h1>404</h1>"), ""),
        (httpx2.Response(418, json={"message": "x" * 900}), f": {'x' * 300}"),
    ],
)
async def test_a_refusal_is_told_in_the_words_of_the_source(
    response: httpx2.Response, words: str
) -> None:
    handler, _ = answers(response)
    with pytest.raises(SourceRefused) as caught:
        await pages_of(connect(handler).pending())
    assert str(caught.value) == f"acme answered {response.status_code} to GET /items{words}"
    assert caught.value.status == response.status_code


async def test_an_answer_that_drips_is_cut_off_in_time() -> None:
    async def drip() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.02)

    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=drip())

    began = time.monotonic()
    error = await listing_error(handle, definition=define(changed({"http.timeout": "200ms"})))
    assert "gave no answer within 0.2 s" in str(error)
    assert time.monotonic() - began < 1


async def test_an_answer_is_read_up_to_eight_mebibytes() -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1024 * 1024
            yield b" " * (1024 * 1024)

    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=flood())

    with pytest.raises(SourceRefused, match="more than 8 MiB"):
        await pages_of(connect(handle).pending())
    assert sent <= MAX_BODY_BYTES + 2 * 1024 * 1024
    # The code of a write has said it already.
    await connect(handle).decide(answer())


async def test_a_cut_body_does_not_undo_a_write_that_was_taken() -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"{"
        raise httpx2.ReadError("cut")

    def handle(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=cut())

    await connect(handle).decide(answer())
    with pytest.raises(SourceUnavailable):
        await connect(handle).read("r1")


async def test_a_redirect_is_followed_on_the_same_server_only() -> None:
    handler, asked = answers(
        httpx2.Response(301, headers={"Location": "/v2/items"}), {"records": [row()]}
    )
    (page,) = await pages_of(connect(handler).pending())
    assert len(page.observations) == 1
    assert str(asked[1].url) == "http://acme.test/v2/items"


@pytest.mark.parametrize(
    "location", ["http://evil.test/items", "https://acme.test/api/items", "http://acme.test:81/"]
)
async def test_a_redirect_to_another_server_is_not_followed(location: str) -> None:
    handler, asked = answers(httpx2.Response(302, headers={"Location": location}))
    with pytest.raises(SourceRefused, match="which is not followed"):
        await pages_of(connect(handler).pending())
    assert len(asked) == 1


async def test_redirects_end() -> None:
    handler, asked = answers(httpx2.Response(302, headers={"Location": "/api/items"}))
    with pytest.raises(SourceRefused, match="from place to place"):
        await pages_of(connect(handler).pending())
    assert len(asked) == 4


async def test_a_write_is_never_sent_on() -> None:
    handler, asked = answers(httpx2.Response(307, headers={"Location": "/login"}))
    with pytest.raises(SourceRefused, match="see whether a login is asked for"):
        await connect(handler).decide(answer())
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("auth", "check"),
    [
        (
            {"type": "basic", "username": "u"},
            lambda r: r.headers["authorization"] == BASIC,
        ),
        ({"type": "bearer"}, lambda r: r.headers["authorization"] == "Bearer s3cr3t"),
        ({"type": "api_key", "header": "X-Key"}, lambda r: r.headers["x-key"] == "s3cr3t"),
        ({"type": "api_key", "query": "key"}, lambda r: r.url.params["key"] == "s3cr3t"),
    ],
)
async def test_credentials_are_sent_and_kept_out_of_errors_and_logs(
    auth: dict[str, str],
    check: Callable[[httpx2.Request], bool],
    caplog: pytest.LogCaptureFixture,
) -> None:
    place = {"basic": "password", "bearer": "token", "api_key": "key"}[auth["type"]]
    text = changed({"http.auth": {**auth, place: {"env": "S"}}}, FILE)
    echo = httpx2.Response(401, json={"detail": f"s3cr3t is not good; {BASIC}"})
    handler, asked = answers(echo)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx2")
    with pytest.raises(SourceRefused) as caught:
        await pages_of(connect(handler, define(text, S="s3cr3t")).pending())
    assert check(asked[0])
    assert "s3cr3t" not in str(caught.value)
    assert "[hidden] is not good" in str(caught.value)
    if auth["type"] == "basic":
        assert "Basic [hidden]" in str(caught.value)
    assert "s3cr3t" not in caplog.text
    assert "HTTP Request: GET" in caplog.text


async def test_cookies_of_one_source_are_not_sent_for_another() -> None:
    handler, asked = answers(
        httpx2.Response(200, json={"records": []}, headers={"Set-Cookie": "session=s1; Path=/"})
    )
    source = connect(handler)
    await pages_of(source.pending())
    await pages_of(source.pending())
    assert [one.headers.get("cookie") for one in asked] == [None, None]


async def test_a_record_that_the_source_does_not_know_is_gone() -> None:
    for status in (404, 410):
        handler, _ = answers(httpx2.Response(status))
        reading = await connect(handler).read("r1")
        assert (reading.observation.state, reading.observation.record_id) == ("gone", "r1")
        assert reading.observation.read_at == NOW


async def test_a_record_is_read_with_its_precondition_and_notes() -> None:
    body = row(notes=[{"text": "asked by Placet"}])
    handler, asked = answers(httpx2.Response(200, json=body, headers={"etag": '"3-x"'}))
    reading = await connect(handler).read("r1")
    assert asked[0].url.path == "/api/items/r1"
    assert reading.observation.state == "pending"
    assert reading.precondition == '"3-x"'
    assert reading.notes == ("asked by Placet",)


@pytest.mark.parametrize(
    ("etag", "headers", "precondition"),
    [
        ({"header": "ETag"}, {"ETag": 'W/"1"'}, None),
        ({"header": "ETag"}, {}, None),
        ({"field": "rev"}, {}, "1"),
        ({"field": "nothing"}, {}, None),
        (None, {"ETag": '"1"'}, None),
    ],
)
async def test_a_precondition_must_be_good_for_a_condition(
    etag: Any, headers: dict[str, str], precondition: str | None
) -> None:
    handler, _ = answers(httpx2.Response(200, json=row(), headers=headers))
    reading = await connect(handler, define(changed({"get.etag": etag}))).read("r1")
    assert reading.precondition == precondition


async def test_a_record_that_cannot_be_mapped_is_refused_with_the_field() -> None:
    handler, _ = answers(row(owner="?"))
    with pytest.raises(SourceRefused, match=r"acme, record r1: map\.requester\.email: must be an"):
        await connect(handler).read("r1")
    handler, _ = answers([1])
    with pytest.raises(SourceRefused, match="the record must be an object"):
        await connect(handler).read("r1")


async def test_no_more_requests_are_under_way_than_the_file_allows() -> None:
    most = under_way = 0

    async def handle(request: httpx2.Request) -> httpx2.Response:
        nonlocal most, under_way
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return httpx2.Response(200, json=row(request.url.path.rpartition("/")[2]))

    budget = Budget(MemoryBucket(), Allowance(limit=1000, per=1), 3)
    source = connect(handle, budget=budget)  # type: ignore[arg-type]  # an async handler
    await asyncio.gather(*(source.read(f"r{number}") for number in range(12)))
    assert most == 3
