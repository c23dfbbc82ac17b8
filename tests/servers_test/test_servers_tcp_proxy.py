"""The proxy passes bytes, and spoils them only as told."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from services.embedded.ports import HOST
from tests.servers.tcp_proxy import TcpProxy, Way

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def echo_port() -> AsyncIterator[int]:
    """A server that sends back what it gets, and after the client's end says `bye`."""
    writers = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        try:
            while data := await reader.read(1024):
                writer.write(data)
            writer.write(b"bye")
            writer.close()
        except OSError:
            writer.close()

    server = await asyncio.start_server(echo, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.close()


@pytest.fixture
async def proxy(echo_port: int) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(echo_port) as running:
        yield running


@pytest.fixture
async def connect(proxy: TcpProxy) -> AsyncIterator[Callable[[], "asyncio.Future[Ends]"]]:
    opened: list[Ends] = []

    async def open_one() -> Ends:
        opened.append(await asyncio.open_connection(proxy.host, proxy.port))
        return opened[-1]

    yield lambda: asyncio.ensure_future(open_one())
    for _, writer in opened:
        writer.close()


async def say(ends: Ends, text: bytes) -> bytes:
    reader, writer = ends
    writer.write(text)
    return await asyncio.wait_for(reader.readexactly(len(text)), 5)


Connect = Callable[[], "asyncio.Future[Ends]"]


async def test_bytes_go_both_ways_and_are_counted(proxy: TcpProxy, connect: Connect) -> None:
    ends = await connect()
    big = b"x" * 300_000
    assert await say(ends, big) == big
    assert proxy.passed == {Way.TO_SERVER: len(big), Way.TO_CLIENT: len(big)}
    assert proxy.connections == 1


async def test_an_orderly_end_goes_through(proxy: TcpProxy, connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"hello ")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b"hello bye"


async def test_a_cut_resets_what_runs_and_lets_new_ones_through(
    proxy: TcpProxy,
    connect: Connect,
) -> None:
    first, second = await connect(), await connect()
    await say(first, b"a")
    await say(second, b"b")
    assert proxy.cut() == 2
    for reader, _ in (first, second):
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
    assert await say(await connect(), b"again") == b"again"


async def test_refusing_spares_what_runs_and_ends_with_accept(
    proxy: TcpProxy,
    connect: Connect,
) -> None:
    old = await connect()
    await say(old, b"a")
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect()
    assert await say(old, b"still") == b"still"
    await proxy.accept()
    assert await say(await connect(), b"new") == b"new"


async def test_a_blackhole_is_silent_until_healed(proxy: TcpProxy, connect: Connect) -> None:
    ends = await connect()
    await say(ends, b"a")
    proxy.blackhole()
    new = await connect()
    for end in (ends, new):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(say(end, b"lost"), 0.1)
    await proxy.heal()
    assert await say(ends, b"found") == b"found"


async def test_answers_alone_can_vanish(proxy: TcpProxy, connect: Connect) -> None:
    ends = await connect()
    await say(ends, b"a")
    proxy.swallow(Way.TO_CLIENT)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(say(ends, b"done?"), 0.1)
    assert proxy.passed == {Way.TO_SERVER: 6, Way.TO_CLIENT: 1}


async def test_a_delay_makes_an_answer_late(proxy: TcpProxy, connect: Connect) -> None:
    ends = await connect()
    await say(ends, b"a")
    proxy.delay = 0.1
    begin = time.monotonic()
    await say(ends, b"slow")
    assert time.monotonic() - begin >= 0.2
    await proxy.heal()
    assert await say(ends, b"quick") == b"quick"


async def test_half_closed_to_the_client_the_server_still_hears(
    proxy: TcpProxy,
    connect: Connect,
) -> None:
    reader, writer = await connect()
    await say((reader, writer), b"a")
    proxy.half_close(Way.TO_CLIENT)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.write(b"more")
    for _ in range(500):
        if proxy.passed[Way.TO_SERVER] == 5:
            break
        await asyncio.sleep(0.01)
    assert proxy.passed == {Way.TO_SERVER: 5, Way.TO_CLIENT: 1}


async def test_half_closed_to_the_server_the_client_still_hears(
    proxy: TcpProxy,
    connect: Connect,
) -> None:
    reader, writer = await connect()
    await say((reader, writer), b"a")
    proxy.half_close(Way.TO_SERVER)
    assert await asyncio.wait_for(reader.read(), 5) == b"bye"


async def test_a_server_that_is_down_resets_its_clients() -> None:
    async with TcpProxy(1) as proxy:
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()


async def test_a_stopped_proxy_leaves_no_connection(proxy: TcpProxy, connect: Connect) -> None:
    reader, _ = ends = await connect()
    await say(ends, b"a")
    await proxy.stop()
    await proxy.stop()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    assert proxy.connections == 0
    with pytest.raises(ConnectionRefusedError):
        await connect()
