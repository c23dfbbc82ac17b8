"""Connections for webhooks: aiohttp's, held to addresses that were checked, and bounded."""

import asyncio
import socket
import ssl
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType, Connection

from services.outgoing.addresses import Address
from services.outgoing.guard import Allowed, NotAllowedUrl, Resolve, Target, addresses_of

LOOKUP_THREADS = 32
ADDRESSES_TRIED = 3
HEAD_BYTES = 16 * 1024
"""The most that is read before a status is known: the head, and interim answers before it."""
HELD_S = 0.2
"""How long reading rests beyond that, for aiohttp to tell whether a head was in it."""
IDLE_S = 30.0
IDLE_MOST = 256
AGE_S = 300.0
"""A connection is not used for longer, so that a name that moved is followed."""


@dataclass(slots=True, eq=False)
class Call:
    """One request on its way: where it may go, and how far it has come."""

    target: Target
    permitted: frozenset[Address] = frozenset()
    begun: bool = False
    """Whether it has got a place among the connections."""
    anew: bool = False
    """Whether it needs a connection that was not used before."""
    line: "Line | None" = None
    kept: bool = False
    """Whether its connection was used before."""
    read: int = 0
    answered: bool = False
    fault: str | None = None

    def __post_init__(self) -> None:
        """A host written as an address was checked with its URL, and is not looked up."""
        if self.target.address is not None:
            self.permitted = frozenset({self.target.address})

    @property
    def is_stale(self) -> bool:
        """Whether it met a kept connection that was closed before it answered anything."""
        return self.kept and not self.read

    def again(self) -> None:
        """Begin once more, on a connection that is new."""
        self.anew, self.line, self.kept = True, None, False

    def is_answered(self) -> None:
        """Note that the status is known: what comes now is the body."""
        self.answered = True
        if self.line is not None:
            self.line.read_on()


calling: ContextVar[Call] = ContextVar("calling")
"""The call that a connection is looked for: aiohttp hands nothing of ours through."""


class Line(asyncio.Protocol):
    """Stands between a transport and aiohttp, and bounds what comes in before a status is known.

    aiohttp bounds a line and the number of headers, but reads interim answers without end.
    """

    def __init__(
        self, transport: asyncio.Transport, handler: asyncio.Protocol, idle: "Idle"
    ) -> None:
        self.transport = transport
        self.call: Call | None = None
        self._handler = handler
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._made_at = self._loop.time()
        self._held = False

    @property
    def is_old(self) -> bool:
        """Whether it has been used for long enough."""
        return self._loop.time() - self._made_at > AGE_S

    def take(self, call: Call, *, kept: bool) -> None:
        """Carry a call."""
        self.call = call
        call.begun, call.line, call.kept = True, self, kept

    def leave(self) -> None:
        """Be kept for another call, unless aiohttp closes it now."""
        self.call = None
        self._loop.call_soon(self._left)

    def read_on(self) -> None:
        """Read again, if that was held."""
        if self._held and not self.transport.is_closing():
            self.transport.resume_reading()
        self._held = False

    def data_received(self, data: bytes) -> None:
        """Hand on, and read no more for a while where it is too much for a head."""
        call = self.call
        if call is None:
            self.transport.abort()  # nobody asked for this
            return
        call.read += len(data)
        self._handler.data_received(data)
        too_much = call.read > HEAD_BYTES and not call.answered
        if too_much and not self._held and not self.transport.is_closing():
            # A body may have come with the head: aiohttp tells in the loop's next turn.
            self._held = True
            self.transport.pause_reading()
            self._loop.call_later(HELD_S, self._judge, call)

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._handler.eof_received()

    def pause_writing(self) -> None:
        """Hand on."""
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        self._idle.remove(self)
        self._handler.connection_lost(exc)

    def _left(self) -> None:
        if self.call is not None:
            return
        if self.transport.is_closing():
            # Not gently: what was not sent or agreed yet would hold the socket for long.
            self.transport.abort()
        else:
            self._idle.add(self)

    def _judge(self, call: Call) -> None:
        if self.call is call and not call.answered:
            call.fault = f"The head of its answer is larger than {HEAD_BYTES // 1024} KiB."
            self.transport.abort()


class Idle:
    """The connections that nobody uses now, those longest unused first; their number is bounded."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Line, None] = OrderedDict()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._lines)

    def add(self, line: Line) -> None:
        """Keep one, and close the one that was longest unused if these are too many."""
        self._lines[line] = None
        if len(self._lines) > IDLE_MOST:
            oldest, _ = self._lines.popitem(last=False)
            oldest.transport.abort()

    def remove(self, line: Line) -> None:
        """Forget one that is used again, or lost."""
        self._lines.pop(line, None)


class Names(AbstractResolver):
    """Looks up the host of the call under way and checks every address of it."""

    def __init__(self, allowed: Allowed, resolve: Resolve | None) -> None:
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="webhook-names")
        self._resolve = resolve or self._by_the_system
        self._lookups: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return addresses that may be connected to; raises `NotAllowedUrl` and OSError."""
        del family  # whichever there is
        call = calling.get()
        call.begun = True
        found = (await self._shared(call.target))[:ADDRESSES_TRIED]
        if not found:
            raise OSError(f"{host} has no address")
        call.permitted = frozenset(ip_address(address) for address in found)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Give up what is looked up; a look-up that hangs ends by the system's own bound."""
        for lookup in self._lookups.values():
            lookup.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _shared(self, target: Target) -> list[str]:
        """Look up; calls that want the same name at the same time share one look-up."""
        key = target.host, target.port
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = asyncio.create_task(addresses_of(target, self._allowed, self._resolve))
            self._lookups[key] = lookup
            lookup.add_done_callback(lambda done: self._looked_up(key, done))
        return await asyncio.shield(lookup)

    def _looked_up(self, key: tuple[str, int], lookup: asyncio.Task[list[str]]) -> None:
        self._lookups.pop(key, None)
        if not lookup.cancelled():
            lookup.exception()  # who still waits is told; nobody else has to be

    async def _by_the_system(self, host: str, port: int) -> list[str]:
        # Threads of our own: a name server that hangs holds none that others need.
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return [str(address[0]) for *_, address in found]


class CheckedConnector(TCPConnector):
    """Makes, shares and keeps connections; none goes anywhere but where its call may go."""

    def __init__(
        self, names: Names, *, ssl_context: ssl.SSLContext, each: int, together: int
    ) -> None:
        super().__init__(
            resolver=names,
            use_dns_cache=False,
            ssl=ssl_context,
            limit=together,
            limit_per_host=each,
            keepalive_timeout=IDLE_S,
            socket_factory=_plug,
        )
        self.idle = Idle()

    async def connect(
        self, req: ClientRequest, traces: list[Any], timeout: ClientTimeout
    ) -> Connection:
        """Return a connection for the call under way: one that was kept, or a new one."""
        call = calling.get()
        while True:
            connection = await super().connect(req, traces, timeout)
            transport = connection.transport
            if transport is None:
                return connection  # lost already, which aiohttp notices when it writes
            found = transport.get_protocol()
            kept = isinstance(found, Line)
            if isinstance(found, Line):
                line = found
                self.idle.remove(line)
            else:
                line = Line(transport, cast("asyncio.Protocol", found), self.idle)
                transport.set_protocol(line)
            line.take(call, kept=kept)
            connection.add_callback(line.leave)
            if not kept or not (call.anew or line.is_old):
                return connection
            connection.close()


def _plug(info: AddrInfoType) -> socket.socket:
    """Make the socket, as the last of all checks: it is for an address of this very call."""
    family, kind, protocol, _, address = info
    call = calling.get()
    call.begun = True
    if ip_address(address[0]) not in call.permitted or address[1] != call.target.port:
        raise NotAllowedUrl(
            f"{call.target.host} would have been called at an address that was not checked."
        )
    return socket.socket(family, kind, protocol)
