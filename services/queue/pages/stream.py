"""Tells a page what changed while it is open, so that it asks for it anew."""

import asyncio
from collections.abc import AsyncGenerator

import msgspec
from starlette.responses import StreamingResponse

from services.queue.broadcast import Broadcast, Watcher

HEARTBEAT_S = 15.0
LASTS_S = 15 * 60.0
"""After this long the browser comes again, and is asked again who it is."""
RETRY_MS = 2000
MOST_STREAMS = 1000

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
    ) -> None:
        self._broadcast = broadcast
        self._closing = closing
        self._heartbeat_s = heartbeat_s
        self._lasts_s = lasts_s
        self._open = 0

    @property
    def full(self) -> bool:
        """Tell whether no further stream may be opened."""
        return self._open >= MOST_STREAMS or self._closing.is_set()

    def response(self, workspace: str) -> StreamingResponse:
        """Return a stream of what changes in a workspace: ids, types and versions only."""
        return StreamingResponse(
            self._events(workspace),
            media_type="text/event-stream",
            headers={
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _events(self, workspace: str) -> AsyncGenerator[bytes, None]:
        self._open += 1
        closed = asyncio.create_task(self._closing.wait())
        try:
            with self._broadcast.watching(workspace) as watcher:
                yield b"retry: %d\n\n" % RETRY_MS
                until = asyncio.get_running_loop().time() + self._lasts_s
                # A watcher that fell behind has lost changes: the browser comes again at once
                # and then reads everything anew.
                while not watcher.missed and asyncio.get_running_loop().time() < until:
                    event = await self._next(watcher, closed)
                    if event is None:
                        return
                    yield event
        finally:
            self._open -= 1
            closed.cancel()

    async def _next(self, watcher: Watcher, closed: asyncio.Task[bool]) -> bytes | None:
        getting = asyncio.create_task(watcher.changes.get())
        try:
            await asyncio.wait(
                (getting, closed),
                timeout=self._heartbeat_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            if not getting.done():
                getting.cancel()
        if closed.done():
            return None
        if getting.cancelled() or not getting.done():
            return b": still here\n\n"
        change = getting.result()
        data = {"id": change.approval_id, "type": change.type, "version": change.version}
        return b"event: changed\ndata: %s\n\n" % _encoder.encode(data)
