"""Writers whose transactions commit in another order than they drew their places, on Postgres.

Each pair is one late writer and one early one: the early one takes its transaction's id first, the
late one draws its position first, and commits last.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import asyncpg

from events.store import Append
from events.store.database import Connection, Database
from events.store.postgres import PostgresStore
from services.decision.identifiers import new_approval_id
from tests.faults.good_history import NOW, requested
from tests.faults.told import Telling, Told

PAIRS = 4
_RULES = {
    "position": (
        ("(e.xid, e.position) > (h.xid, h.position)", "e.position > h.position"),
        ("(e.xid, e.position) > (head.xid, head.position)", "e.position > head.position"),
        ("AND e.xid < pg_snapshot_xmin(pg_current_snapshot())", ""),
        ("ORDER BY e.xid, e.position", "ORDER BY e.position"),
    ),
    "position below the horizon": (
        ("(e.xid, e.position) > (h.xid, h.position)", "e.position > h.position"),
        ("(e.xid, e.position) > (head.xid, head.position)", "e.position > head.position"),
        ("ORDER BY e.xid, e.position", "ORDER BY e.position"),
    ),
}
TAILS = tuple(_RULES)
"""Naive ways to tail the table of events."""


async def tail_by(dsn: str, tail: str) -> None:
    """Let this database's publisher tail the events in a naive way."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        text: str = await connection.fetchval(
            "SELECT pg_get_functiondef('placet.sequence_log(integer)'::regprocedure)"
        )
        for guard, naive in _RULES[tail]:
            assert guard in text, f"the safe tail has no {guard!r} any more"
            text = text.replace(guard, naive)
        await connection.execute(text)
    finally:
        await connection.close(timeout=5)


class _Lent(Database):
    """One connection, in the transaction that is open on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def workspace(self, name: str) -> AsyncIterator[Connection]:  # noqa: ARG002 # told before
        yield self._connection


class _Writer:
    """One ask in one open transaction."""

    def __init__(self, connection: Connection, telling: Telling) -> None:
        self.approval_id = new_approval_id(NOW)
        mark = f"ask-{secrets.token_hex(4)}"
        self._told = telling.invoke(Told(action="ask", by="service@example.com", mark=mark))
        self._connection = connection
        self._transaction = connection.transaction()

    async def begin(self) -> None:
        await self._transaction.start()
        await self._connection.fetchval("SELECT pg_current_xact_id()::text")

    async def write(self) -> None:
        append = Append(
            approval_id=self.approval_id,
            expected_version=0,
            events=[requested(self._told.mark)],
            command_id=self._told.mark,
        )
        await PostgresStore(_Lent(self._connection)).append("default", [append])

    async def commit(self) -> None:
        await self._transaction.commit()
        self._told.answer, self._told.approval_id = "ok", self.approval_id


async def write_late(
    dsn: str, telling: Telling, seed: int, rest: Callable[[], Awaitable[None]]
) -> set[str]:
    """Ask in pairs, `rest` while only the late ones are open, and return the late ones' ids."""
    random = Random(seed)
    database = await Database.open(dsn, "placet_app", size=2 * PAIRS)
    try:
        async with AsyncExitStack() as stack:
            early, late = [
                [
                    _Writer(await stack.enter_async_context(database.workspace("default")), telling)
                    for _ in range(PAIRS)
                ]
                for _ in range(2)
            ]
            for one in [*early, *late]:
                await one.begin()
            for one in [*late, *early]:
                await one.write()
            random.shuffle(early)
            for one in early:
                await one.commit()
            await rest()
            random.shuffle(late)
            await asyncio.gather(*(one.commit() for one in late))
            return {one.approval_id for one in late}
    finally:
        await database.close()
