import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from services.webhooks import connection, pool
from services.webhooks.delivering import Answer, Delivering
from services.webhooks.guard import Allowed, parse_allowed
from tests.webhooks.raw_endpoints import HOST, OK, dripping, endpoint, hang

LOOPBACK = parse_allowed("127.0.0.0/8")
SHORT_S = 0.3
LONG_S = 30.0
"""A timeout that no test waits for: who would wait for it fails by the bound of the run."""


def calling(allowed: Allowed, **more: Any) -> Delivering:
    """One that trusts nobody's certificate: to load whom the system trusts takes its time."""
    return Delivering(allowed, ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **more)


@pytest.fixture
async def delivering() -> AsyncIterator[Delivering]:
    async with calling(LOOPBACK, timeout_s=LONG_S) as found:
        yield found


@pytest.fixture
async def hasty() -> AsyncIterator[Delivering]:
    async with calling(LOOPBACK, timeout_s=SHORT_S) as found:
        yield found


async def post(sender: Delivering, url: str, **headers: str) -> Answer:
    return await sender.post(url, headers, b'{"type":"approval.decided"}')


async def test_a_request_arrives_whole_and_the_answer_is_told(delivering: Delivering) -> None:
    async with endpoint(OK) as receiver:
        answer = await delivering.post(
            f"{receiver.url}?a=b%20c",
            {"content-type": "application/json", "webhook-id": "msg_1"},
            b'{"n":1}',
        )
    assert (answer.status, answer.error, answer.body) == (200, None, b"ok")
    assert answer.retry_after_s is None
    assert answer.duration_s > 0
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=b%20c HTTP/1.1"
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
        OK + b"what nobody asked for",
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


async def test_a_body_that_drips_does_not_hold_up_the_status(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BODY_GRACE_S", 0.1)
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
    monkeypatch.setattr(connection, "BODY_GRACE_S", LONG_S)
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


async def test_a_huge_head_is_refused(delivering: Delivering) -> None:
    async with endpoint(b"HTTP/1.1 200 OK\r\n" + b"X-Y: zzzzzzzz\r\n" * 100_000) as receiver:
        answer = await post(delivering, receiver.url)
    assert (answer.status, answer.error) == (None, "The head of its answer is larger than 16 KiB.")


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46" * 3,
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 99999 Many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: you\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_an_error_that_says_so(
    delivering: Delivering, said: bytes
) -> None:
    async with endpoint(said) as receiver:
        answer = await post(delivering, receiver.url)
    assert (answer.status, answer.error) == (None, "It answered with something that is not HTTP.")


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
            with pytest.raises(ValueError, match="line break"):
                await post(delivering, receiver.url, x=value)
        assert receiver.connections == 0


class Changing:
    """A name server that gives another answer each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._answers = answers

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        await asyncio.sleep(0)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


async def test_a_name_is_resolved_once_and_the_address_that_was_checked_is_connected_to() -> None:
    """The second answer would lead elsewhere: it is never asked for, so it is never used."""
    async with endpoint(OK) as receiver:
        name, connected = "rebind.example.com", []
        names = Changing(["127.0.0.1"], ["127.0.0.2"])
        allowed = parse_allowed(f"{name}:{receiver.port}")
        async with calling(allowed, resolve=names) as sender:
            loop = asyncio.get_running_loop()
            real = loop.sock_connect

            async def noted(plug: Any, address: Any) -> None:
                connected.append(address)
                await real(plug, address)

            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(loop, "sock_connect", noted)
                patched.setattr("socket.getaddrinfo", _never)
                patched.setattr("socket.gethostbyname", _never)
                answer = await post(sender, f"http://{name}:{receiver.port}/hook")
        assert (answer.status, answer.error) == (200, None)
        assert names.asked == [(name, receiver.port)]
        assert connected == [("127.0.0.1", receiver.port)]
        assert f"host: {name}:{receiver.port}".encode() in receiver.requests[0]


def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError("the system's resolver was asked a second time")


async def test_a_name_that_leads_inside_on_its_second_look_up_is_refused_then() -> None:
    async with endpoint(OK) as receiver:
        name = f"rebind.example.com:{receiver.port}"
        names = Changing(["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "169.254.169.254"])
        async with calling(parse_allowed(name), resolve=names) as sender:
            assert (await post(sender, f"http://{name}/")).status == 200
            for kept in list(sender._pool._all):
                kept.abort()
            await asyncio.sleep(0.01)
            for _ in range(2):
                answer = await post(sender, f"http://{name}/")
                assert answer.status is None
                assert answer.error is not None
                assert "private or reserved" in answer.error
        assert (len(names.asked), receiver.connections) == (3, 1)


async def test_calls_that_begin_together_share_one_look_up() -> None:
    async with endpoint(OK) as receiver:
        name = f"receiver.example.com:{receiver.port}"
        names = Changing(["127.0.0.1"])
        async with calling(parse_allowed(name), resolve=names) as sender:
            answers = await asyncio.gather(*(post(sender, f"http://{name}/") for _ in range(8)))
        assert {answer.status for answer in answers} == {200}
        assert len(names.asked) == 1


async def test_a_name_that_cannot_be_looked_up_is_a_failure_that_says_so() -> None:
    import socket

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port} is not known")

    async def slow(host: str, port: int) -> Sequence[str]:
        del host, port
        await asyncio.Event().wait()
        return []

    for resolve, says in ((unknown, "could not be looked up"), (slow, "within 0.3 s")):
        async with calling(Allowed(), timeout_s=SHORT_S, resolve=resolve) as sender:
            answer = await post(sender, "https://receiver.example.com/")
        assert answer.status is None
        assert answer.error is not None
        assert says in answer.error


async def test_the_next_address_is_tried_when_one_refuses() -> None:
    async with endpoint(OK) as receiver:
        name = f"receiver.example.com:{receiver.port}"
        # Nothing listens at ::1: the endpoint is at 127.0.0.1 only.
        names = Changing(["::1", "127.0.0.1"])
        async with calling(parse_allowed(name), resolve=names) as sender:
            assert (await post(sender, f"http://{name}/")).status == 200


async def test_the_system_looks_up_names_in_threads_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket
    import threading

    threads = []

    def looked_up(host: str, port: int, **_: Any) -> list[Any]:
        threads.append((host, threading.current_thread().name))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with endpoint(OK) as receiver:
        name = f"receiver.example.com:{receiver.port}"
        monkeypatch.setattr("services.webhooks.pool.socket.getaddrinfo", looked_up)
        async with calling(parse_allowed(name)) as sender:
            assert (await post(sender, f"http://{name}/")).status == 200
    assert [host for host, _ in threads] == ["receiver.example.com"]
    assert threads[0][1].startswith("webhook-names")


async def test_an_endpoint_that_hangs_uses_up_nothing_that_another_one_needs() -> None:
    """Its calls beyond the bound wait for each other, and those of the other do not."""
    async with (
        endpoint(hang) as hanging,
        endpoint(OK) as healthy,
        calling(LOOPBACK, timeout_s=LONG_S, each=2, together=3) as sender,
    ):
        stuck = [asyncio.create_task(post(sender, hanging.url)) for _ in range(20)]
        while hanging.connections < 2:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
        for _ in range(20):
            assert (await post(sender, healthy.url)).status == 200
        assert (hanging.connections, healthy.connections) == (2, 1)
        assert not any(task.done() for task in stuck)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_a_call_that_waits_for_its_turn_waits_no_longer_than_the_timeout() -> None:
    async with endpoint(hang) as hanging, calling(LOOPBACK, timeout_s=SHORT_S, each=1) as sender:
        answers = await asyncio.gather(*(post(sender, hanging.url) for _ in range(3)))
    errors = sorted(str(answer.error) for answer in answers)
    assert hanging.connections <= 2
    assert errors[0] == "It gave no answer within 0.3 s."
    assert "It was not called" in errors[-1]


async def test_an_endpoint_that_let_a_call_run_out_of_time_gets_few_calls_until_it_answers() -> (
    None
):
    behaving = asyncio.Event()
    inside = most = 0

    async def behave(writer: asyncio.StreamWriter) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            await (asyncio.sleep(0.02) if behaving.is_set() else asyncio.Event().wait())
        finally:
            inside -= 1
        writer.write(OK)
        await writer.drain()

    async with (
        endpoint(behave) as receiver,
        calling(LOOPBACK, timeout_s=SHORT_S, each=4) as sender,
    ):
        assert (await post(sender, receiver.url)).status is None
        behaving.set()
        sender._timeout_s = LONG_S
        origin = next(iter(sender._pool._origins.values()))
        assert origin.silent
        slow = [asyncio.create_task(post(sender, receiver.url)) for _ in range(4)]
        await asyncio.sleep(0)
        assert origin._inside == pool.CALLS_SILENT
        assert [(await task).status for task in slow] == [200] * 4
        assert not origin.silent
        most = 0
        await asyncio.gather(*(post(sender, receiver.url) for _ in range(4)))
        assert most > 1


async def test_a_call_that_is_cancelled_gives_its_place_back() -> None:
    async with endpoint(hang) as hanging, calling(LOOPBACK, timeout_s=LONG_S, each=1) as sender:
        first, second = (asyncio.create_task(post(sender, hanging.url)) for _ in range(2))
        while not hanging.requests:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
        second.cancel()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        origin = next(iter(sender._pool._origins.values()))
        assert origin.unused


async def test_a_place_that_is_given_to_a_call_just_cancelled_goes_to_the_next() -> None:
    origin = pool.Origin(1)
    await origin.enter()
    first, second = (asyncio.create_task(origin.enter()) for _ in range(2))
    await asyncio.sleep(0)
    origin.leave()
    first.cancel()
    async with asyncio.timeout(LONG_S):
        await second
    origin.leave()
    assert origin.unused


async def test_kept_connections_are_bounded_and_closed_when_nobody_uses_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "IDLE_MOST", 2)
    monkeypatch.setattr(pool, "IDLE_S", 0.2)
    async with (
        endpoint(OK) as first,
        endpoint(OK) as second,
        endpoint(OK) as third,
        calling(LOOPBACK) as sender,
    ):
        for receiver in (first, second, third):
            assert (await post(sender, receiver.url)).status == 200
        assert len(sender._pool._idle) == 2
        until = time.monotonic() + 20
        while sender._pool._all and time.monotonic() < until:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.02)
        assert not sender._pool._all
        assert (await post(sender, second.url)).status == 200
        assert second.connections == 2


async def test_origins_that_nobody_uses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ORIGINS_MOST", 3)
    async with calling(LOOPBACK) as sender:
        for number in range(20):
            await post(sender, f"http://127.0.0.{number + 1}:1/")
        assert len(sender._pool._origins) <= 3


async def test_leaving_ends_what_is_under_way_with_an_error() -> None:
    async with endpoint(hang) as hanging:
        async with calling(LOOPBACK, timeout_s=LONG_S) as sender:
            call = asyncio.create_task(post(sender, hanging.url))
            while not hanging.requests:  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.01)
        assert (await call).error == "Placet ended the call before an answer came."
        assert "stops" in str((await post(sender, hanging.url)).error)
