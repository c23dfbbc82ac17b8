"""Waits for an approval to become final, on behalf of a caller who asked to be answered then."""

import asyncio
import time

from projections.approval_view import OPEN, decode_view
from projections.queries import Queries
from services.queue.broadcast import Broadcast


class Waits:
    """The open waits of this process; `closing` is set when it goes down, and ends them all."""

    def __init__(self, queries: Queries, broadcast: Broadcast, closing: asyncio.Event) -> None:
        self._queries = queries
        self._broadcast = broadcast
        self._closing = closing

    async def final(self, workspace: str, approval_id: str, timeout: float) -> str | None:
        """Return the approval's JSON once it is final, or as it is after `timeout` seconds.

        Returns None at once for an unknown one; raises `Unavailable`.
        """
        until = time.monotonic() + timeout
        with self._broadcast.waiting_for(workspace, approval_id) as final:
            while True:
                final.clear()
                doc = await self._queries.approval(workspace, approval_id)
                left = until - time.monotonic()
                over = left <= 0 or self._closing.is_set()
                if doc is None or over or decode_view(doc).status not in OPEN:
                    return doc
                await _first(final, self._closing, left)


async def _first(one: asyncio.Event, other: asyncio.Event, timeout: float) -> None:
    """Wait until one of two things happens, or the time is over."""
    waits = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
