"""Holds one source for one poller, and stops the work as soon as the hold is lost."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

from events.store import Unavailable
from services.poller.checkpoints import Checkpoint, Checkpoints, LeaseLost
from services.poller.pace import spread

RENEWALS_PER_TTL = 3

log = logging.getLogger(__name__)


class Lease:
    """One owner's claim on one source; `wanted` is set when somebody wants it polled at once."""

    def __init__(
        self, checkpoints: Checkpoints, workspace: str, source: str, owner: str, ttl: float
    ) -> None:
        self._checkpoints = checkpoints
        self._workspace = workspace
        self._source = source
        self._owner = owner
        self._ttl = ttl
        self._held_until = 0.0
        self.wanted = asyncio.Event()
        self.wanted_at: datetime | None = None

    async def acquired(self) -> Checkpoint:
        """Wait until the source is free, take it, and return its state."""
        while True:
            try:
                state = await self._take()
            except Unavailable as error:
                log.warning("%s: cannot take the source: %s", self._source, error)
                state = None
            if state is not None:
                return state
            await asyncio.sleep(spread(self._ttl / RENEWALS_PER_TTL))

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` while the lease is kept, and give the source back at the end.

        Raises `LeaseLost` when another owner has it, when it was paused, or when nobody could be
        asked for too long.
        """
        tasks = [asyncio.ensure_future(work()), asyncio.ensure_future(self._keep())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(Unavailable):
                await self._checkpoints.release(self._workspace, self._source, self._owner)

    async def save(self, state: Checkpoint) -> None:
        """Write the state down; raises `LeaseLost`, `Unavailable`."""
        await self._checkpoints.save(self._workspace, self._source, self._owner, state)

    async def _take(self) -> Checkpoint | None:
        asked_at = time.monotonic()
        state = await self._checkpoints.lease(self._workspace, self._source, self._owner, self._ttl)
        if state is not None:
            # From before the question: the answer may have been long on its way.
            self._held_until = asked_at + self._ttl
            if state.wanted_at is not None and state.wanted_at != self.wanted_at:
                self.wanted_at = state.wanted_at
                self.wanted.set()
        return state

    async def _keep(self) -> NoReturn:
        while True:
            await asyncio.sleep(self._ttl / RENEWALS_PER_TTL)
            try:
                async with asyncio.timeout_at(
                    asyncio.get_running_loop().time() + self._held_until - time.monotonic()
                ):
                    if await self._take() is None:
                        raise LeaseLost(self._source)
            except (Unavailable, TimeoutError) as error:
                if time.monotonic() >= self._held_until:
                    raise LeaseLost(self._source) from error
