import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from yarl import URL

from services.outgoing import connecting
from services.outgoing.guard import Allowed, parse_allowed, target_of
from tests.webhooks.raw_endpoints import (
    HOST,
    LONG_S,
    LOOPBACK,
    OK,
    SHORT_S,
    Endpoint,
    calling,
    endpoint,
    hang,
    post,
)


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
    closing = b"HTTP/1.1 204 Taken\r\nConnection: close\r\n\r\n"
    async with endpoint(closing) as receiver:
        name = f"rebind.example.com:{receiver.port}"
        names = Changing(["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "169.254.169.254"])
        async with calling(parse_allowed(name), resolve=names) as sender:
            assert (await post(sender, f"http://{name}/")).status == 204
            for _ in range(2):
                answer = await post(sender, f"http://{name}/")
                assert answer.status is None
                assert answer.error is not None
                assert "private or reserved" in answer.error
        assert (len(names.asked), receiver.connections) == (3, 1)


async def test_no_socket_is_made_for_an_address_that_was_not_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever the library makes of a URL or of a look-up, the last check holds."""
    async with endpoint(OK) as inside:
        name = "receiver.example.com"
        allowed = parse_allowed(f"{name}:{inside.port},127.0.0.9")
        async with calling(allowed, resolve=Changing(["127.0.0.9"])) as sender:
            real = connecting.Names.resolve

            async def elsewhere(names: Any, *asked: Any, **more: Any) -> Any:
                return [found | {"host": HOST} for found in await real(names, *asked, **more)]

            monkeypatch.setattr(connecting.Names, "resolve", elsewhere)
            literal = f"http://127.0.0.9:{inside.port}/"
            target = target_of(literal, allowed)
            sender._urls[literal] = target, URL(f"http://{HOST}:{inside.port}/")
            for url in (f"http://{name}:{inside.port}/", literal):
                answer = await post(sender, url)
                assert answer.status is None
                assert "not checked" in str(answer.error)
        assert inside.connections == 0


async def test_a_connection_is_not_used_for_so_long_that_a_name_that_moved_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with endpoint(OK) as receiver:
        name = f"receiver.example.com:{receiver.port}"
        names = Changing(["127.0.0.1"])
        async with calling(parse_allowed(name), resolve=names) as sender:
            for age_s in (LONG_S, LONG_S, -1.0):
                monkeypatch.setattr(connecting, "AGE_S", age_s)
                assert (await post(sender, f"http://{name}/")).status == 200
        assert (receiver.connections, len(names.asked)) == (2, 2)


async def test_calls_that_begin_together_share_one_look_up() -> None:
    async with endpoint(OK) as receiver:
        name = f"receiver.example.com:{receiver.port}"
        names = Changing(["127.0.0.1"])
        async with calling(parse_allowed(name), resolve=names) as sender:
            answers = await asyncio.gather(*(post(sender, f"http://{name}/") for _ in range(8)))
        assert {answer.status for answer in answers} == {200}
        assert len(names.asked) == 1


async def test_a_name_that_cannot_be_looked_up_is_a_failure_that_says_so() -> None:
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
    threads = []

    def looked_up(host: str, port: int, **_: Any) -> list[Any]:
        threads.append((host, threading.current_thread().name))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with endpoint(OK) as receiver:
        name = f"receiver.example.com:{receiver.port}"
        monkeypatch.setattr("services.outgoing.connecting.socket.getaddrinfo", looked_up)
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


async def test_no_more_calls_than_agreed_are_made_to_all_endpoints_together() -> None:
    async with (
        endpoint(hang) as one,
        endpoint(hang) as another,
        endpoint(OK) as third,
        calling(LOOPBACK, timeout_s=LONG_S, together=2) as sender,
    ):
        hanging = [asyncio.create_task(post(sender, found.url)) for found in (one, another)]
        while not (one.requests and another.requests):  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
        late = asyncio.create_task(post(sender, third.url))
        await asyncio.sleep(0.1)
        assert third.requests == []
        for task in hanging:
            task.cancel()
        assert (await late).status == 200


async def test_a_call_that_is_cancelled_gives_its_place_back() -> None:
    behaving = asyncio.Event()

    async def behave(writer: asyncio.StreamWriter) -> None:
        await behaving.wait()
        writer.write(OK)
        await writer.drain()

    async with (
        endpoint(behave) as receiver,
        calling(LOOPBACK, timeout_s=LONG_S, each=1, together=1) as sender,
    ):
        first, second = (asyncio.create_task(post(sender, receiver.url)) for _ in range(2))
        while not receiver.requests:  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.01)
        second.cancel()
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled()
        assert second.cancelled()
        behaving.set()
        assert (await post(sender, receiver.url)).status == 200


async def left_open(receivers: Sequence[Endpoint], most: int) -> int:
    """Wait until no more connections than these are open, and return how many are."""
    until = time.monotonic() + 20
    while sum(one.open for one in receivers) > most and time.monotonic() < until:  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.02)
    return sum(one.open for one in receivers)


async def test_of_too_many_kept_connections_the_one_longest_unused_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "IDLE_MOST", 2)
    async with endpoint() as first, endpoint() as second, endpoint() as third:
        receivers = (first, second, third)
        async with calling(LOOPBACK) as sender:
            for receiver in (first, second, first, third):
                assert (await post(sender, receiver.url)).status == 200
            assert await left_open(receivers, 2) == 2
            assert [receiver.open for receiver in receivers] == [1, 0, 1]
            assert (await post(sender, second.url)).status == 200
            assert [receiver.connections for receiver in receivers] == [1, 2, 1]
        assert await left_open(receivers, 0) == 0, "some stayed open when all was closed"


async def test_a_connection_that_the_endpoint_closed_takes_no_place_of_a_kept_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def leave(writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    monkeypatch.setattr(connecting, "IDLE_MOST", 2)
    async with endpoint() as first, endpoint(leave) as second, endpoint() as third:
        async with calling(LOOPBACK) as sender:
            for receiver in (first, second):
                assert (await post(sender, receiver.url)).status == 200
            assert await left_open([second], 0) == 0
            await asyncio.sleep(0.1)
            for receiver in (third, first):
                assert (await post(sender, receiver.url)).status == 200
                await asyncio.sleep(0.1)
        assert first.connections == 1


async def test_a_kept_connection_that_nobody_uses_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connecting, "IDLE_S", 0.2)
    async with endpoint() as receiver, calling(LOOPBACK) as sender:
        assert (await post(sender, receiver.url)).status == 200
        assert await left_open([receiver], 0) == 0
        assert (await post(sender, receiver.url)).status == 200
        assert receiver.connections == 2


async def test_leaving_ends_what_is_under_way_with_an_error() -> None:
    async with endpoint(hang) as hanging:
        async with calling(LOOPBACK, timeout_s=LONG_S, each=1) as sender:
            calls = [asyncio.create_task(post(sender, hanging.url)) for _ in range(2)]
            while not hanging.requests:  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.01)
        calls.append(asyncio.create_task(post(sender, hanging.url)))
        for answer in await asyncio.gather(*calls):
            assert answer.error == "Placet stopped before an answer came."
        assert len(hanging.requests) == 1
