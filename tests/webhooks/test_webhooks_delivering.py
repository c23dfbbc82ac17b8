import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from services.outgoing import delivering as delivering_module
from services.outgoing.delivering import Delivering
from services.outgoing.guard import Allowed
from tests.webhooks.raw_endpoints import (
    HOST,
    LONG_S,
    LOOPBACK,
    OK,
    SHORT_S,
    calling,
    dripping,
    endpoint,
    hang,
    post,
)


@pytest.fixture
async def delivering() -> AsyncIterator[Delivering]:
    async with calling(LOOPBACK, timeout_s=LONG_S) as found:
        yield found


@pytest.fixture
async def hasty() -> AsyncIterator[Delivering]:
    async with calling(LOOPBACK, timeout_s=SHORT_S) as found:
        yield found


async def test_a_request_arrives_whole_and_the_answer_is_told(delivering: Delivering) -> None:
    async with endpoint(OK) as receiver:
        answer = await delivering.post(
            f"{receiver.url}//b/../c?a=b%20c+%41",
            {"content-type": "application/json", "webhook-id": "msg_1"},
            b'{"n":1}',
        )
    assert (answer.status, answer.error, answer.body) == (200, None, b"ok")
    assert answer.retry_after_s is None
    assert answer.duration_s > 0
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook//b/../c?a=b%20c+%41 HTTP/1.1", "it sent another path"
    assert "user-agent: Placet-Webhooks" in lines
    assert "accept-encoding" not in head.decode().lower(), "what is kept must be readable"
    assert f"host: {HOST}:{receiver.port}" in lines
    assert "content-length: 7" in lines
    assert "webhook-id: msg_1" in lines
    assert body == b'{"n":1}'


async def test_one_connection_carries_many_requests_after_each_other(
    delivering: Delivering,
) -> None:
    async with endpoint(OK) as receiver:
        answers = [await post(delivering, receiver.url) for _ in range(5)]
        assert {answer.status for answer in answers} == {200}
        assert (len(receiver.requests), receiver.connections) == (5, 1)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        OK + OK,
    ],
)
async def test_a_connection_that_cannot_be_trusted_is_not_used_again(
    delivering: Delivering, said: bytes
) -> None:
    async with endpoint(said) as receiver:
        for _ in range(2):
            assert (await post(delivering, receiver.url)).status == 200
        assert receiver.connections == 2


async def test_a_kept_connection_that_was_closed_is_replaced_without_a_failure(
    delivering: Delivering,
) -> None:
    """The other side may close just as we send: nothing was answered, so it is sent once more."""
    seen = 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen != 2:
            writer.write(OK)
            await writer.drain()
        else:
            writer.close()

    async with endpoint(behave) as receiver:
        assert (await post(delivering, receiver.url)).status == 200
        assert (await post(delivering, receiver.url)).status == 200
        assert (len(receiver.requests), receiver.connections) == (3, 2)


async def test_when_all_kept_connections_were_closed_a_call_takes_a_new_one(
    delivering: Delivering,
) -> None:
    both = asyncio.Barrier(2)
    old: set[asyncio.StreamWriter] = set()

    async def behave(writer: asyncio.StreamWriter) -> None:
        if writer in old:
            writer.close()
            return
        if both.n_waiting or not old:
            old.add(writer)
            await both.wait()
        writer.write(OK)
        await writer.drain()

    async with endpoint(behave) as receiver:
        answers = await asyncio.gather(*(post(delivering, receiver.url) for _ in range(2)))
        answers.append(await post(delivering, receiver.url))
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert (receiver.connections, len(receiver.requests)) == (3, 4)


async def test_what_nobody_asked_for_is_not_taken_for_the_next_answer(
    delivering: Delivering,
) -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with endpoint(behave) as receiver:
        for _ in range(2):
            assert (await post(delivering, receiver.url)).status == 200
            await asyncio.sleep(0.2)
        assert receiver.connections == 2


async def test_a_new_connection_that_is_cut_is_a_failure_and_not_tried_twice(
    delivering: Delivering,
) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        await asyncio.sleep(0)

    async with endpoint(cut) as receiver:
        answer = await post(delivering, receiver.url)
        assert answer.status is None
        assert answer.error == "It closed the connection before it answered."
        assert len(receiver.requests) == 1


async def test_a_connection_cut_in_the_head_is_a_failure(delivering: Delivering) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConten")
        await writer.drain()
        writer.close()

    async with endpoint(cut) as receiver:
        answer = await post(delivering, receiver.url)
    assert (answer.status, answer.error) == (
        None,
        "It closed the connection in the middle of its answer.",
    )


async def test_a_connection_cut_in_the_body_has_answered_all_the_same(
    delivering: Delivering,
) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegin")
        await writer.drain()
        writer.close()

    async with endpoint(cut) as receiver:
        answer = await post(delivering, receiver.url)
    assert (answer.status, answer.error, answer.body) == (200, None, b"begin")


async def test_nobody_listening_is_said(delivering: Delivering) -> None:
    async with endpoint() as receiver:
        url = receiver.url
    answer = await post(delivering, url)
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("It refused the connection")


async def test_a_late_answer_is_an_answer(delivering: Delivering) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(OK)
        await writer.drain()

    async with endpoint(late) as receiver:
        answer = await post(delivering, receiver.url)
    assert answer.status == 200
    assert answer.duration_s >= 0.2


@pytest.mark.parametrize(
    "behave",
    [
        hang,
        dripping(b"", b"H"),
        dripping(b"HTTP/1.1 200 OK\r\nX-Long: "),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["hanging", "garbage, byte by byte", "a head without end", "interim answers without end"],
)
async def test_whatever_comes_before_an_answer_the_timeout_holds(
    hasty: Delivering, behave: Any
) -> None:
    async with endpoint(behave) as receiver:
        answer = await post(hasty, receiver.url)
    assert answer.status is None
    assert answer.error is not None
    assert "within 0.3 s" in answer.error or "not HTTP" in answer.error


async def test_the_timeout_holds_on_a_kept_connection_too(hasty: Delivering) -> None:
    async def once(writer: asyncio.StreamWriter) -> None:
        if len(receiver.requests) > 1:
            await asyncio.Event().wait()
        writer.write(OK)
        await writer.drain()

    async with endpoint(once) as receiver:
        assert (await post(hasty, receiver.url)).status == 200
        assert (await post(hasty, receiver.url)).error == "It gave no answer within 0.3 s."
        assert (receiver.connections, len(receiver.requests)) == (1, 2)


async def test_a_body_is_not_unpacked(delivering: Delivering) -> None:
    """A small one may unpack to gigabytes."""
    packed = gzip.compress(b"x" * 1000)
    said = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
    async with endpoint(said % (len(packed), packed)) as receiver:
        answer = await post(delivering, receiver.url)
    assert (answer.status, answer.body) == (200, packed)


async def test_a_body_that_drips_does_not_hold_up_the_status(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivering_module, "BODY_GRACE_S", 0.1)
    for framing in (b"Content-Length: 1000000", b"Transfer-Encoding: chunked"):
        drop = b"1\r\nx\r\n" if b"chunked" in framing else b"x"
        first = b"HTTP/1.1 202 Accepted\r\n" + framing + b"\r\n\r\n"
        async with endpoint(dripping(first, drop)) as receiver:
            answer = await post(delivering, receiver.url)
        assert (answer.status, answer.error) == (202, None)
        assert answer.duration_s < LONG_S, "it waited for all of the body"
        assert set(answer.body) <= {ord("x")}


async def test_a_status_that_came_in_time_counts_when_the_body_runs_out_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering_module, "BODY_GRACE_S", LONG_S)
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"
    async with (
        endpoint(dripping(said, b"")) as receiver,
        calling(LOOPBACK, timeout_s=2) as sender,
    ):
        answer = await post(sender, receiver.url)
    assert (answer.status, answer.error, answer.body) == (200, None, b"some")


async def test_2_kib_of_a_huge_body_are_kept_and_little_more_is_read(
    delivering: Delivering,
) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 1000000000\r\n\r\n")
        for _ in range(10_000):
            writer.write(b"y" * 100_000)
            await writer.drain()
            sent += 100_000

    async with endpoint(flood) as receiver:
        answer = await post(delivering, receiver.url)
    assert (answer.status, answer.error, answer.body) == (500, None, b"y" * 2048)
    assert sent < 100_000_000, "it read on, though it wanted no more"


@pytest.mark.parametrize(
    "flood",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Y: zzzzzzzz\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\nX-Y: " + b"z" * 100_000,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000,
    ],
    ids=["many headers", "a long one", "interim answers without end"],
)
async def test_a_head_without_bounds_is_refused_and_read_no_further(
    delivering: Delivering, flood: bytes
) -> None:
    sent = 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(1000):
            writer.write(flood)
            await writer.drain()
            sent += len(flood)

    async with endpoint(behave) as receiver:
        answer = await post(delivering, receiver.url)
    assert answer.status is None
    assert answer.error is not None
    assert "larger than 16 KiB" in answer.error or "not HTTP" in answer.error
    assert sent < 50_000_000, "it read on, though no webhook has such an answer"


async def test_a_body_that_comes_with_its_head_at_once_is_no_large_head(
    delivering: Delivering,
) -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"z" * 30_000)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"z" * 30_000)
        await writer.drain()

    async with endpoint(behave) as receiver:
        for _ in range(3):
            answer = await post(delivering, receiver.url)
            assert (answer.status, answer.body) == (200, b"z" * 2048)
        assert receiver.connections == 1, "the rest was not read"


async def test_a_connection_is_read_on_after_a_head_that_was_large_but_whole(
    delivering: Delivering,
) -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"z" * 3000) for number in range(8))
    said = b"HTTP/1.1 204 Taken\r\n" + lines + b"\r\n"
    async with endpoint(said) as receiver:
        for _ in range(2):
            assert (await post(delivering, receiver.url)).status == 204
        assert receiver.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46" * 3,
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99999 Many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: you\r\n\r\n",
        OK + b"what nobody asked for",
    ],
)
async def test_what_is_not_http_is_an_error_that_says_so(
    delivering: Delivering, said: bytes
) -> None:
    async with endpoint(said) as receiver:
        answer = await post(delivering, receiver.url)
    assert answer.status is None
    assert answer.error is not None
    assert answer.error.startswith("It answered with something that is not HTTP")
    assert len(answer.error) <= 200


async def test_interim_answers_are_passed_over(delivering: Delivering) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n\r\n"
    async with endpoint(interim + interim + OK) as receiver:
        first, second = [await post(delivering, receiver.url) for _ in range(2)]
        assert receiver.connections == 1
    assert (first.status, first.retry_after_s) == (second.status, None) == (200, None)


async def test_an_endpoint_that_changes_the_protocol_has_answered_101(
    delivering: Delivering,
) -> None:
    said = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00"
    async with endpoint(said) as receiver:
        assert (await post(delivering, receiver.url)).status == 101


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_never_followed(
    delivering: Delivering, status: int
) -> None:
    async with endpoint(OK) as inside:
        said = f"HTTP/1.1 {status} Go\r\nLocation: {inside.url}\r\nContent-Length: 0\r\n\r\n"
        async with endpoint(said.encode()) as receiver:
            answer = await post(delivering, receiver.url)
            again = await post(delivering, receiver.url)
        assert (answer.status, again.status) == (status, status)
        assert inside.connections == 0


async def test_a_cookie_is_not_sent_back(delivering: Delivering) -> None:
    said = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with endpoint(said) as receiver:
        for _ in range(2):
            await post(delivering, receiver.url)
    assert b"cookie" not in receiver.requests[1].lower()


async def test_a_proxy_of_the_environment_is_not_used(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with endpoint(OK) as receiver, endpoint(hang) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{HOST}:{proxy.port}")
        assert (await post(delivering, receiver.url)).status == 200
        assert proxy.connections == 0


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_told_in_seconds_from_seconds_and_from_a_date(
    delivering: Delivering, status: int
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    for header, least, most in (
        ("Retry-After: 120", 120, 120),
        (f"Date: {_http(now)}\r\nRetry-After: {_http(now + timedelta(seconds=90))}", 90, 90),
        (f"Retry-After: {_http(now + timedelta(seconds=900))}", 1, 900),
        ("Retry-After: 99999999", 3600, 3600),
        (f"Retry-After: {_http(now - timedelta(days=1))}", 0, 0),
    ):
        said = f"HTTP/1.1 {status} Wait\r\n{header}\r\nContent-Length: 0\r\n\r\n"
        async with endpoint(said.encode()) as receiver:
            answer = await post(delivering, receiver.url)
        assert answer.status == status
        assert answer.retry_after_s is not None
        assert least <= answer.retry_after_s <= most


@pytest.mark.parametrize("value", ["soon", "", "nan", "inf", "1e999", "\xff", "9" * 400])
async def test_a_retry_after_that_cannot_be_read_harms_nobody(
    delivering: Delivering, value: str
) -> None:
    said = f"HTTP/1.1 503 Wait\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n"
    async with endpoint(said.encode("latin-1")) as receiver:
        answer = await post(delivering, receiver.url)
    assert answer.status == 503
    assert answer.retry_after_s in (None, 3600.0)


def _http(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


async def test_a_url_that_is_not_allowed_is_answered_with_what_to_do() -> None:
    async with calling(Allowed()) as strict, endpoint(OK) as receiver:
        answer = await post(strict, receiver.url)
        assert receiver.connections == 0
    assert answer.status is None
    assert answer.error is not None
    assert "PLACET_WEBHOOK_ALLOW" in answer.error


async def test_a_header_cannot_begin_another_request(delivering: Delivering) -> None:
    async with endpoint(OK) as receiver:
        for value in ("a\r\nX: y", "a\nb", "a\0"):
            with pytest.raises(ValueError, match="header"):
                await post(delivering, receiver.url, x=value)
        assert receiver.requests == []
