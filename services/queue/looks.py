"""Reads approvals for many at once: who asks while a query is on its way shares the next one."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

from events.store import Unavailable
from projections.queries import Current

TOGETHER = 200
"""Approvals that one query reads: so many documents are in memory at once, for each reader."""
READERS = 2
"""Queries at once: what waits for them is read together by the next one."""

Looked = asyncio.Future[Current | None]


class Reads(Protocol):
    """Where approvals are read."""

    async def approvals(self, workspace: str, approval_ids: Sequence[str]) -> Mapping[str, Current]:
        """Return approvals as of now; unknown ones are left out."""
        ...


class Looks:
    """Looks at approvals, those of a workspace together."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._wanted: dict[str, dict[str, Looked]] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._reading = 0

    def look(self, workspace: str, approval_id: str) -> Looked:
        """Return what a query that begins after this call will find; None for an unknown one.

        The future is shared: shield it when you await it. It raises `Unavailable`.
        """
        wanted = self._wanted.setdefault(workspace, {})
        looked = wanted.get(approval_id)
        if looked is None:
            looked = wanted[approval_id] = asyncio.get_running_loop().create_future()
            if self._reading < READERS:
                self._reading += 1
                reader = asyncio.create_task(self._read_all())
                self._readers.add(reader)
                reader.add_done_callback(self._readers.discard)
        return looked

    async def _read_all(self) -> None:
        try:
            while self._wanted:
                await self._read(*self._next())
        finally:
            # Counted here and not by the set: between this line and the task's own end somebody
            # may ask, and would be left without a reader.
            self._reading -= 1

    def _next(self) -> tuple[str, dict[str, Looked]]:
        """Take a batch of the workspace whose turn it is; what is left of it queues again."""
        workspace = next(iter(self._wanted))
        wanted = self._wanted.pop(workspace)
        batch = {one: wanted.pop(one) for one in tuple(islice(wanted, TOGETHER))}
        if wanted:
            self._wanted[workspace] = wanted
        return workspace, batch

    async def _read(self, workspace: str, batch: dict[str, Looked]) -> None:
        try:
            found = await self._reads.approvals(workspace, tuple(batch))
        except Unavailable as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 # whoever asked gets it, whatever it is
            if len(batch) == 1:
                _fail(batch, error)
                return
            # One that cannot be read must not take the others with it.
            half = len(batch) // 2
            await self._read(workspace, dict(islice(batch.items(), half)))
            await self._read(workspace, dict(islice(batch.items(), half, None)))
        else:
            for approval_id, looked in batch.items():
                looked.set_result(found.get(approval_id))


def _fail(batch: dict[str, Looked], error: Exception) -> None:
    for looked in batch.values():
        looked.set_exception(error)
        # Not everybody who asked is still there to hear of it.
        looked.exception()
