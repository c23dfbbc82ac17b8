"""One HTTP/1.1 connection to an endpoint: sends a POST and reads a bounded part of the answer.

Written for this one purpose because a general client costs ten times the processor time: see
docs/decisions/0013-how-webhooks-are-sent.md.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_BYTES = 16 * 1024
READ_BYTES = 64 * 1024
"""The most that is read of an answer for the sake of keeping its connection."""
KEPT_BYTES = 2048
BODY_GRACE_S = 1.0
"""How long the rest of an answer may take once its status is known."""
FIRST_FINAL = 200
SWITCHED = 101
_WANTED = (b"retry-after", b"date")


class Broken(Exception):
    """The endpoint gave no answer: the message says what it did instead."""


class Stale(Exception):
    """A kept connection was closed by the other side before it answered: take a new one."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer's status, the beginning of its body, and the headers that matter here."""

    status: int
    body: bytes
    headers: dict[str, str]


class Connection(asyncio.Protocol):
    """Carries one exchange after the other; `reusable` says whether it can take another one.

    `on_lost` is called once, when it is closed by anybody.
    """

    def __init__(self, on_lost: Callable[["Connection"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._done: asyncio.Future[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self.made_at = self._loop.time()
        self.idle_since = self.made_at
        self.lost = False
        self.reusable = False
        self._aborted = False
        self._used = False
        self._read = 0
        self._status = 0
        self._kept = bytearray()
        self._headers: dict[str, str] = {}
        self._whole = False
        self._extra = False
        self._keeps = False

    async def post(self, request: bytes) -> Received:
        """Send a whole request and return what was answered; raises `Broken` and `Stale`."""
        if self._transport is None or self.lost or self._transport.is_closing():
            raise Stale
        again, self._used = self._used, True
        self._begin()
        self._done = self._loop.create_future()
        self._transport.write(request)
        try:
            await self._done
        except Broken:
            if again and not self._read and self.lost and not self._aborted:
                raise Stale from None
            raise
        finally:
            self._done = None
            self._disarm()
        received = self.received
        if received is None:
            raise Broken("It gave no answer.")
        return received

    @property
    def received(self) -> Received | None:
        """What is known of the answer so far; None until its head is whole."""
        if not self._status:
            return None
        return Received(self._status, bytes(self._kept), self._headers)

    def abort(self) -> None:
        """Close at once: nothing more is sent or read."""
        self.reusable = False
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transport is none by inheritance, only by what it does.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on, and tell who waits when the answer is whole, too large or no answer."""
        if self._done is None or self._done.done():
            self.abort()  # nobody asked for this
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._end("It answered with something that is not HTTP.")
            return
        if self._whole:
            self._end()
        elif self._status:
            if self._read > READ_BYTES:
                self._end()
            elif self._grace is None:
                self._grace = self._loop.call_later(BODY_GRACE_S, self._end)
        elif self._read > HEAD_BYTES:
            self._end(f"The head of its answer is larger than {HEAD_BYTES // 1024} KiB.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits, and the pool."""
        self.lost = True
        del exc  # says no more than that it is closed
        if self._aborted:
            self._end("Placet ended the call before an answer came.")
        elif self._read:
            self._end("It closed the connection in the middle of its answer.")
        else:
            self._end("It closed the connection before it answered.")
        self._on_lost(self)

    def on_message_begin(self) -> None:
        """Note what comes after a whole answer: such a connection cannot be trusted."""
        self._extra = self._extra or self._whole

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the few headers that are used."""
        lower = name.lower()
        if lower in _WANTED and not self._status:
            self._headers[lower.decode("ascii")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Take the status, unless it is an interim one."""
        status = self._parser.get_status_code()
        if status >= FIRST_FINAL or status == SWITCHED:
            self._status = self._status or status
        else:
            self._headers.clear()

    def on_body(self, body: bytes) -> None:
        """Keep the beginning."""
        room = KEPT_BYTES - len(self._kept)
        if room > 0:
            self._kept += body[:room]

    def on_message_complete(self) -> None:
        """Note that the answer is whole, and whether the endpoint keeps the connection."""
        if self._status:
            self._whole = True
            self._keeps = self._parser.should_keep_alive()

    def _begin(self) -> None:
        self._read = 0
        self._status = 0
        self._kept = bytearray()
        self._headers = {}
        self._whole = self._extra = self._keeps = False
        self.reusable = False

    def _end(self, fault: str | None = None) -> None:
        self._disarm()
        if self._done is None or self._done.done():
            return
        self.reusable = fault is None and self._whole and self._keeps and not self._extra
        if fault is None or self._status:
            # With its status the endpoint has answered, whatever became of the rest.
            self._done.set_result(None)
        else:
            self._done.set_exception(Broken(fault))

    def _disarm(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
