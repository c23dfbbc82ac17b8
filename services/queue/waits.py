"""Waits for an approval to become final, on behalf of a caller who asked to be answered then.

A wait costs no query and no task of its own: it sleeps in its caller's task until somebody hangs
up, the time is over, or what it waits for is read, once for all who wait for the same.
"""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive

from services.queue.broadcast import Broadcast
from services.queue.looks import Looked, Looks, Reads
from services.web.problems import Problem

MOST_WAITS = 10_000
"""Waits in one process; each takes a connection and some 25 KiB."""
OTHER_FILES = 256
"""Files that are left for everything else where the system allows a process only a few."""
COME_AGAIN_S = 5


class Waits:
    """The open waits of this process; `closing` is set when it goes down, and ends them all."""

    def __init__(
        self,
        reads: Reads,
        broadcast: Broadcast,
        closing: asyncio.Event,
        *,
        most: int = MOST_WAITS,
    ) -> None:
        self._looks = Looks(reads)
        self._finals = broadcast.finals
        self._closing = closing
        self._most = most
        self._open: set[_Wait] = set()
        self._closer: asyncio.Task[None] | None = None

    async def final(
        self, workspace: str, approval_id: str, timeout: float, receive: Receive | None = None
    ) -> str | None:
        """Return the approval's JSON once it is final, or as it is after `timeout` seconds.

        Returns None at once for an unknown one. `receive` is where the caller's hanging up is
        heard. Raises `Unavailable`, and a problem when too many wait or the caller has gone.
        """
        until = asyncio.get_running_loop().time() + timeout
        wait = _Wait()

        def look() -> None:
            self._looks.look(workspace, approval_id).add_done_callback(wait.told)

        with self._opened(wait), self._finals.waiting_for(workspace, approval_id, look):
            now = await asyncio.shield(self._looks.look(workspace, approval_id))
            if now is not None and not now.final and timeout > 0 and not self._closing.is_set():
                if await wait.ended(until, receive):
                    return wait.doc
                now = await asyncio.shield(self._looks.look(workspace, approval_id))
            return now.doc if now is not None else None

    @contextmanager
    def _opened(self, wait: "_Wait") -> Iterator[None]:
        if len(self._open) >= min(self._most, _files()):
            raise Problem(
                503,
                "unavailable",
                "Too many wait here at this moment. Come again in some seconds, or read the "
                "approval without waiting.",
                headers={"Retry-After": str(COME_AGAIN_S)},
            )
        if self._closer is None:
            self._closer = asyncio.create_task(self._close())
        self._open.add(wait)
        try:
            yield
        finally:
            self._open.discard(wait)
            if not self._open and self._closer is not None:
                self._closer.cancel()
                self._closer = None

    async def _close(self) -> None:
        await self._closing.wait()
        for wait in tuple(self._open):
            wait.wake()


class _Wait:
    """One caller who waits."""

    __slots__ = ("_error", "_scope", "doc")

    def __init__(self) -> None:
        self.doc: str | None = None
        self._error: BaseException | None = None
        self._scope: asyncio.Timeout | None = None

    async def ended(self, until: float, receive: Receive | None) -> bool:
        """Sleep until the approval is final, and say so; False when something else woke us."""
        if self.doc is None and self._error is None:
            try:
                async with asyncio.timeout_at(until) as self._scope:
                    await _hung_up(receive)
                # Nobody reads this.
                raise Problem(503, "unavailable", "Whoever waited has hung up.")
            except TimeoutError:
                pass
            finally:
                self._scope = None
        if self._error is not None:
            raise self._error
        return self.doc is not None

    def told(self, looked: Looked) -> None:
        """Take what somebody read; the caller is woken when it is final, or cannot be read."""
        self._error = looked.exception()
        if self._error is None:
            now = looked.result()
            if now is None or not now.final:
                return
            self.doc = now.doc
        self.wake()

    def wake(self) -> None:
        """Let the caller's task go on now."""
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(0)


async def _hung_up(receive: Receive | None) -> None:
    if receive is None:
        await asyncio.get_running_loop().create_future()
        return
    while (await receive())["type"] != "http.disconnect":
        pass  # a body: nothing asks for one


def _files() -> int:
    """Return how many connections can be kept open without taking the files of all else."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed == resource.RLIM_INFINITY:
        return MOST_WAITS
    return max(allowed // 2, allowed - OTHER_FILES)
