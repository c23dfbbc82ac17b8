"""Streams of server-sent events: tell an open page or a script what changed, or to read anew.

What a reader gets, besides comments that say that the stream is still there:

- `changed`, with the change's place in the log as its `id`, and the approval's id, the event's
  type and version as its data;
- `missed`: something changed that was not told, so read everything anew. It comes first for a
  reader that comes back (with `Last-Event-ID`), because nothing is told again, and last for one
  that fell behind, whose stream then ends.

A stream ends after a while and when the process stops: the reader comes again and reads anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from projections.queries import Change
from services.queue.broadcast import Broadcast, Watcher
from services.web.problems import unavailable

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_S = 15.0
LASTS_S = 15 * 60.0
"""After this long the reader comes again, and is asked again who it is."""
RETRY_MS = 2000
MOST_STREAMS = 1000
TOGETHER = 100
"""Changes that are told in one piece to a reader that many wait for."""
FOLLOWED_WITHIN_S = 5.0
"""How long a new stream may wait for the log to be followed."""

MISSED = b"event: missed\ndata: {}\n\n"
STILL_HERE = b": still here\n\n"

_encoder = msgspec.json.Encoder()


class Streams:
    """The open streams of this process; `closing` is set when it goes down, and ends them all."""

    def __init__(
        self,
        broadcast: Broadcast,
        closing: asyncio.Event,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        lasts_s: float = LASTS_S,
        most: int = MOST_STREAMS,
    ) -> None:
        self._broadcast = broadcast
        self._closing = closing
        self._heartbeat_s = heartbeat_s
        self._lasts_s = lasts_s
        self._most = most
        self._open = 0
        self._sleeping: set[asyncio.Timeout] = set()
        self._closer: asyncio.Task[None] | None = None

    def response(self, workspace: str, request: Request) -> StreamingResponse:
        """Return a stream of what changes in a workspace: ids, types and versions only.

        It answers 503 instead when too many are open, when the log cannot be followed, or when
        the process stops.
        """
        return _Stream(self, workspace, came_back="last-event-id" in request.headers)

    @contextmanager
    def opened(self, workspace: str) -> Iterator[Watcher]:
        """Lend a watcher while a stream is open; raises a problem when there are too many."""
        if self._open >= self._most or self._closing.is_set():
            raise unavailable("Too many streams are open here, or it is stopping. Come again.")
        if self._closer is None:
            self._closer = asyncio.create_task(self._close())
        self._open += 1
        try:
            with self._broadcast.watching(workspace) as watcher:
                yield watcher
        finally:
            self._open -= 1
            if not self._open and self._closer is not None:
                self._closer.cancel()
                self._closer = None

    async def events(
        self, watcher: Watcher, *, came_back: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Yield what one reader is told, until its stream is over."""
        yield b"retry: %d\n\n" % RETRY_MS
        if came_back:
            yield MISSED
        clock = asyncio.get_running_loop().time
        until = clock() + self._lasts_s
        while clock() < until and not self._closing.is_set():
            if watcher.missed:
                yield MISSED
                return
            told = await self._next(watcher)
            if self._closing.is_set():
                return
            yield told

    async def _next(self, watcher: Watcher) -> bytes:
        """Return all that a watcher has heard of, as soon as that is anything."""
        sleeping = asyncio.timeout(self._heartbeat_s)
        self._sleeping.add(sleeping)
        try:
            async with sleeping:
                told = [_event(await watcher.changes.get())]
        except TimeoutError:
            return STILL_HERE
        finally:
            self._sleeping.discard(sleeping)
        while len(told) < TOGETHER and not watcher.changes.empty():
            told.append(_event(watcher.changes.get_nowait()))
        return b"".join(told)

    async def _close(self) -> None:
        """Wake every reader once the process goes down: no reader has a task to watch for it."""
        await self._closing.wait()
        for sleeping in tuple(self._sleeping):
            if not sleeping.expired():
                sleeping.reschedule(0)


def _event(change: Change) -> bytes:
    data = {"id": change.approval_id, "type": change.type, "version": change.version}
    return b"id: %d\nevent: changed\ndata: %s\n\n" % (change.seq, _encoder.encode(data))


class _Stream(StreamingResponse):
    """Begins once the log is followed: from its first byte on, no change goes untold."""

    def __init__(self, streams: Streams, workspace: str, *, came_back: bool) -> None:
        super().__init__(
            iter(()),
            media_type=MEDIA_TYPE,
            headers={
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
            },
        )
        self._streams = streams
        self._workspace = workspace
        self._came_back = came_back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.opened(self._workspace) as watcher:
            try:
                async with asyncio.timeout(FOLLOWED_WITHIN_S):
                    await watcher.followed.wait()
            except TimeoutError:
                raise unavailable("The log cannot be followed just now. Come again.") from None
            events = self._streams.events(watcher, came_back=self._came_back)
            self.body_iterator = events
            try:
                await super().__call__(scope, receive, send)
            finally:
                await events.aclose()
