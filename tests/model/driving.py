"""Ways to carry out commands on one approval: on the core alone, or by `handle` on a real store."""

import asyncio
import itertools
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

from events.approval import ApprovalEvent
from events.codec import decode, encode
from events.commands import Command
from events.decider import Refused, decide
from events.envelope import Recorded
from events.handling import Order, handle
from events.state import fold
from events.store import EventStore
from events.store.database import Database
from events.store.postgres import PostgresStore

PATIENCE_S = 60.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a caller was told: the facts that their command added, or why it was refused."""

    command: Command
    command_id: str
    added: tuple[ApprovalEvent, ...] = ()
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """One fact, and the command that it is said to have come from."""

    event: ApprovalEvent
    command_id: str


class Driver(Protocol):
    """Carries out commands on one approval."""

    def at_once(self, commands: Sequence[Command]) -> list[Told]:
        """Carry out commands at the same time, and return what each caller was told."""
        ...

    def stream(self) -> list[Kept]:
        """Return all that was kept, oldest first."""
        ...


class Alone:
    """The core alone: who comes at the same time comes one after the other."""

    def __init__(self) -> None:
        self._kept: list[Kept] = []
        self._ids = (str(number) for number in itertools.count(1))

    def at_once(self, commands: Sequence[Command]) -> list[Told]:
        """See `Driver.at_once`."""
        return [self._one(command) for command in commands]

    def _one(self, command: Command) -> Told:
        command_id = next(self._ids)
        try:
            added = decide(command, fold(kept.event for kept in self._kept))
        except Refused as refused:
            return Told(command=command, command_id=command_id, refused=refused)
        self._kept += [Kept(event, command_id) for event in added]
        return Told(command=command, command_id=command_id, added=tuple(added))

    def stream(self) -> list[Kept]:
        """See `Driver.stream`."""
        return list(self._kept)


class Beside:
    """An event loop in a thread of its own, for tests that are not asynchronous themselves."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for the work's result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


class OnPostgres:
    """`handle` on a real store; who comes at the same time is gathered."""

    _approvals = itertools.count(1)

    def __init__(self, beside: Beside, database: Database, workspace: str) -> None:
        self._beside = beside
        self._store: EventStore = PostgresStore(database)
        self._workspace = workspace
        self._approval_id = f"a{next(self._approvals)}"
        self._ids = (str(number) for number in itertools.count(1))

    def at_once(self, commands: Sequence[Command]) -> list[Told]:
        """See `Driver.at_once`."""
        return self._beside.run(self._gathered(commands))

    async def _gathered(self, commands: Sequence[Command]) -> list[Told]:
        return await asyncio.gather(*(self._one(command) for command in commands))

    async def _one(self, command: Command) -> Told:
        order = Order(approval_id=self._approval_id, command=command, command_id=next(self._ids))
        try:
            handled = await handle(self._store, self._workspace, order)
        except Refused as refused:
            return Told(command=command, command_id=order.command_id, refused=refused)
        return Told(command=command, command_id=order.command_id, added=handled.added)

    def stream(self) -> list[Kept]:
        """See `Driver.stream`."""
        return [Kept(one.event, one.command_id) for one in self._beside.run(self._read())]

    async def _read(self) -> Sequence[Recorded]:
        read = await self._store.read(self._workspace, [self._approval_id])
        return read[self._approval_id]


def as_written(event: ApprovalEvent) -> ApprovalEvent:
    """Return a fact after its way to the store and back."""
    return decode(*encode(event))
