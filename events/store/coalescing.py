"""Puts what many callers append at the same moment into one transaction, and their reads into one.

A commit costs the same for one event as for a hundred. Nobody waits for company: while one
transaction commits, the calls that arrive form the next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from events.envelope import Recorded
from events.store import (
    Append,
    Claimed,
    ClaimKind,
    ClaimTaken,
    EventStore,
    Unavailable,
    VersionConflict,
)

T = TypeVar("T")

BATCH = 128
"""The most calls in one transaction."""
WAITING = 4096
"""The most calls that wait; one more is told to back off."""
IN_FLIGHT = 2
"""Transactions under way at once: one commits while another is being sent."""


@dataclass(slots=True)
class _Write:
    workspace: str
    appends: Sequence[Append]
    done: asyncio.Future[None]


@dataclass(slots=True)
class _Read:
    workspace: str
    approval_id: str
    done: asyncio.Future[Sequence[Recorded]]


class CoalescingStore:
    """An event store over another one; use it as a context manager, so that it ends its tasks."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._writes: asyncio.Queue[_Write] = asyncio.Queue(WAITING)
        self._reads: asyncio.Queue[_Read] = asyncio.Queue(WAITING)
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            *(asyncio.create_task(self._write()) for _ in range(IN_FLIGHT)),
            *(asyncio.create_task(self._read()) for _ in range(IN_FLIGHT)),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        _tell_stopping(_taken(self._writes))
        _tell_stopping(_taken(self._reads))

    async def append(self, workspace: str, appends: Sequence[Append]) -> None:
        """See `EventStore.append`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        _put(self._writes, _Write(workspace, appends, done))
        await done

    async def read(
        self, workspace: str, approval_ids: Sequence[str], after: int = 0
    ) -> Mapping[str, Sequence[Recorded]]:
        """See `EventStore.read`."""
        if after or len(approval_ids) != 1:
            return await self._store.read(workspace, approval_ids, after)
        done: asyncio.Future[Sequence[Recorded]] = asyncio.get_running_loop().create_future()
        _put(self._reads, _Read(workspace, approval_ids[0], done))
        return {approval_ids[0]: await done}

    async def claimed(
        self, workspace: str, kind: ClaimKind, keys: Sequence[str]
    ) -> Mapping[str, Claimed]:
        """See `EventStore.claimed`."""
        return await self._store.claimed(workspace, kind, keys)

    async def _write(self) -> None:
        while True:
            batch = await _batch(self._writes)
            try:
                for workspace in dict.fromkeys(write.workspace for write in batch):
                    await self._commit(
                        workspace, [write for write in batch if write.workspace == workspace]
                    )
            finally:
                _tell_stopping(batch)  # only a cancelled task leaves any that were not told

    async def _commit(self, workspace: str, writes: Sequence[_Write]) -> None:
        try:
            await self._store.append(
                workspace, [append for write in writes for append in write.appends]
            )
        except (VersionConflict, ClaimTaken) as error:
            if len(writes) == 1:
                _fail(writes[0].done, error)
                return
            # Nothing was kept, and it is not known whose the conflict is: each goes alone.
            for write in writes:
                await self._commit(workspace, [write])
        except Exception as error:  # noqa: BLE001 # whoever waits must hear of it
            for write in writes:
                _fail(write.done, error)
        else:
            for write in writes:
                if not write.done.done():
                    write.done.set_result(None)

    async def _read(self) -> None:
        while True:
            batch = await _batch(self._reads)
            try:
                for workspace in dict.fromkeys(read.workspace for read in batch):
                    await self._fetch(
                        workspace, [read for read in batch if read.workspace == workspace]
                    )
            finally:
                _tell_stopping(batch)  # see `_write`

    async def _fetch(self, workspace: str, reads: Sequence[_Read]) -> None:
        try:
            streams = await self._store.read(workspace, list({read.approval_id for read in reads}))
        except Exception as error:  # noqa: BLE001 # whoever waits must hear of it
            for read in reads:
                _fail(read.done, error)
        else:
            for read in reads:
                if not read.done.done():
                    read.done.set_result(streams[read.approval_id])


async def _batch(queue: asyncio.Queue[T]) -> list[T]:
    batch = [await queue.get()]
    while len(batch) < BATCH and not queue.empty():
        batch.append(queue.get_nowait())
    return batch


def _put(queue: asyncio.Queue[T], item: T) -> None:
    try:
        queue.put_nowait(item)
    except asyncio.QueueFull:
        raise Unavailable(f"More than {WAITING} requests wait already. Try again.") from None


def _taken(queue: asyncio.Queue[T]) -> list[T]:
    taken = []
    while not queue.empty():
        taken.append(queue.get_nowait())
    return taken


def _tell_stopping(calls: Sequence[_Write] | Sequence[_Read]) -> None:
    for call in calls:
        _fail(call.done, Unavailable("This service is stopping. Try again."))


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
