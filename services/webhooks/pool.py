"""Connections to endpoints: made to addresses that were checked, kept, shared, and bounded."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from services.webhooks.connection import Connection
from services.webhooks.guard import Allowed, Resolve, Target, addresses_of

LOOKUP_THREADS = 32
ADDRESSES_TRIED = 3
CALLS_SILENT = 2
"""Calls at a time to an origin that let one run out of time, until it answers again."""
CONNECT_S = 5.0
"""How long one address may take to connect, TLS included."""
IDLE_S = 30.0
IDLE_MOST = 256
AGE_S = 300.0
"""A connection is not used for longer, so that a name that moved is followed."""
ORIGINS_MOST = 4096
"""Beyond it those are forgotten that nobody uses now."""
CLOSE_S = 1.0


class Origin:
    """What is shared by all calls to one scheme, host and port; their number is bounded.

    One that let a call run out of time gets few calls until it answers again, so that endpoints
    that hang hold next to nothing of what all share.
    """

    def __init__(self, most: int) -> None:
        self.silent = False
        self.idle: list[Connection] = []
        self._most = most
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place; give it back by `leave`."""
        if self._inside < self._limit and not self._waiting:
            self._inside += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it was given, and nobody is there to take it
            with contextlib.suppress(ValueError):
                self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Give the place to who waits longest."""
        self._inside -= 1
        while self._waiting and self._inside < self._limit:
            place = self._waiting.popleft()
            if not place.done():
                self._inside += 1
                place.set_result(None)

    @property
    def unused(self) -> bool:
        """Whether nothing has to be remembered of it."""
        return not (self._inside or self._waiting or self.idle)

    @property
    def _limit(self) -> int:
        return min(CALLS_SILENT, self._most) if self.silent else self._most


class Pool:
    """All connections of one process; used inside one event loop, closed by `aclose`."""

    def __init__(
        self,
        allowed: Allowed,
        *,
        resolve: Resolve | None,
        ssl_context: ssl.SSLContext,
        each: int,
        together: int,
    ) -> None:
        self._places = asyncio.Semaphore(together)
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="webhook-names")
        self._resolve = resolve or self._by_the_system
        self._ssl_context = ssl_context
        self._each = each
        self._origins: dict[tuple[str, str, int], Origin] = {}
        self._idle: OrderedDict[Connection, Origin] = OrderedDict()
        self._all: set[Connection] = set()
        self._lookups: dict[tuple[str, int], asyncio.Task[list[str]]] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    async def aclose(self) -> None:
        """Close everything, whatever is under way."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for lookup in self._lookups.values():
            lookup.cancel()
        # A lookup that hangs ends by itself, by the resolver's own bound.
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in list(self._all):
            connection.abort()
        until = time.monotonic() + CLOSE_S
        while self._all and time.monotonic() < until:  # noqa: ASYNC110 - at most a few turns of the loop
            await asyncio.sleep(0)

    def origin(self, target: Target) -> Origin:
        """Return what the calls to this origin share."""
        origin = self._origins.get(target.origin)
        if origin is None:
            if len(self._origins) >= ORIGINS_MOST:
                self._forget()
            origin = self._origins[target.origin] = Origin(self._each)
        return origin

    @asynccontextmanager
    async def place(self, origin: Origin) -> AsyncIterator[None]:
        """Wait until one more call may be made, first to this origin, then to any."""
        await origin.enter()
        try:
            async with self._places:
                yield
        finally:
            origin.leave()

    def kept(self, origin: Origin) -> Connection | None:
        """Take a connection that was kept, the one used last; None where there is none."""
        oldest = asyncio.get_running_loop().time() - AGE_S
        while origin.idle:
            connection = origin.idle.pop()
            del self._idle[connection]
            if connection.reusable and connection.made_at > oldest:
                return connection
            connection.abort()
        return None

    async def connect(self, target: Target) -> Connection:
        """Look the target up, check every address, and connect to one of these.

        Raises `NotAllowedUrl`, OSError (also for TLS) and TimeoutError.
        """
        if self._closed:
            raise OSError("Placet stops, and calls nobody any more")
        addresses = await self._addresses(target)
        fault: OSError = OSError(f"{target.host} has no address")
        for address in addresses[:ADDRESSES_TRIED]:
            try:
                async with asyncio.timeout(CONNECT_S):
                    return await self._connected(target, address)
            except ssl.SSLCertVerificationError:
                raise
            except TimeoutError:
                fault = TimeoutError(f"It took no connection within {CONNECT_S:g} s.")
            except OSError as error:
                fault = error
        raise fault

    def give(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next call if it can be, else close it."""
        if not connection.reusable or connection.lost:
            connection.abort()
            return
        connection.idle_since = asyncio.get_running_loop().time()
        origin.idle.append(connection)
        self._idle[connection] = origin
        if len(self._idle) > IDLE_MOST:
            self._drop(next(iter(self._idle)))
        if self._sweeping is None:
            self._sweep()

    async def _connected(self, target: Target, address: str) -> Connection:
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        plug = socket.socket(family, socket.SOCK_STREAM)
        try:
            plug.setblocking(False)
            await loop.sock_connect(plug, (address, target.port))
        except BaseException:
            plug.close()
            raise
        secure = target.scheme == "https"
        # The address is the one that was checked; the certificate must be that of the name.
        _, connection = await loop.create_connection(
            lambda: Connection(self._lost),
            sock=plug,
            ssl=self._ssl_context if secure else None,
            server_hostname=target.host if secure else None,
        )
        if not connection.lost:
            self._all.add(connection)
        return connection

    async def _addresses(self, target: Target) -> list[str]:
        """Look up; calls that want the same name at the same time share one lookup."""
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

    def _lost(self, connection: Connection) -> None:
        self._all.discard(connection)
        origin = self._idle.pop(connection, None)
        if origin is not None:
            origin.idle.remove(connection)

    def _drop(self, connection: Connection) -> None:
        self._idle.pop(connection).idle.remove(connection)
        connection.abort()

    def _sweep(self) -> None:
        """Close what was idle for long, and look again while anything is kept."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_S
        while self._idle and (first := next(iter(self._idle))).idle_since <= oldest:
            self._drop(first)
        self._sweeping = loop.call_later(IDLE_S / 2, self._sweep) if self._idle else None

    def _forget(self) -> None:
        for key in [key for key, origin in self._origins.items() if origin.unused]:
            del self._origins[key]
