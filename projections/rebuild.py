"""Rebuilds the read models beside the old ones, and swaps them in: nobody sees them half filled.

Streams are read in order of approval, so each row is folded once and copied once. What happened
meanwhile is filled in anew at the end, while the old tables are locked.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from events.envelope import Recorded
from events.store import Unavailable
from events.store.database import UNREACHABLE, Connection
from events.store.named_sql import statements
from events.store.postgres import recorded as recorded_row
from projections.apply import approval_row, asked_of, history_of, queue_rows
from projections.approval_view import ApprovalView
from projections.evolving import evolve_view
from projections.timers import timer_rows

TABLES = ("approval_list", "approval_approvers", "pending_queue", "approval_history", "timers")
BATCH = 5_000
LOCK = 0x5245_4255_494C
"""The advisory lock ("REBUIL") that lets one rebuild run at a time."""

Told = Callable[[int, int], None]
"""Called with (events read, events in all)."""


class RebuildRunning(Exception):
    """Another rebuild is under way: wait for it."""


@dataclass(slots=True)
class _Filled:
    """One batch of whole streams, folded."""

    views: list[ApprovalView]
    events: list[Recorded]


async def rebuild(dsn: str, *, told: Told = lambda _done, _all: None) -> int:
    """Fill new read models from the store and swap them in; returns how many events were read.

    Needs the owner of the tables. Raises `RebuildRunning` and `Unavailable`.
    """
    try:
        owner = await _connect(dsn)
        reader = await _connect(dsn)
    except UNREACHABLE as error:
        raise Unavailable(f"Postgres cannot be reached: {error}") from error
    try:
        if not await owner.fetchval("SELECT pg_try_advisory_lock($1::bigint)", LOCK):
            raise RebuildRunning("A rebuild of the read models is already running.")
        horizon = await owner.fetchval(statements("projections", "rebuild.sql")["horizon"])
        for table in TABLES:
            await owner.execute(f"DROP TABLE IF EXISTS {table}_next")
            await owner.execute(f"CREATE TABLE {table}_next (LIKE {table} INCLUDING ALL)")
        read = await _fill(owner, reader, told)
        await _swap(owner, horizon)
        return read
    finally:
        await owner.close(timeout=5)
        await reader.close(timeout=5)


async def _connect(dsn: str) -> Connection:
    return await asyncpg.connect(
        dsn, timeout=10, server_settings={"search_path": "placet", "application_name": "rebuild"}
    )


async def _fill(
    owner: Connection,
    reader: Connection,
    told: Told,
) -> int:
    """Read and fold the next batch while the one before it is being copied."""
    sql = statements("projections", "rebuild.sql")
    total: int = await reader.fetchval(sql["total"])
    done = 0
    carried: list[asyncpg.Record] = []
    place = ("", "", 0)
    copying: asyncio.Task[None] | None = None
    while True:
        rows = await reader.fetch(sql["streams"], *place, BATCH)
        whole, carried = _whole_streams([*carried, *rows], last=len(rows) < BATCH)
        filled = _fold(whole)
        if copying is not None:
            await copying
        copying = asyncio.create_task(_copy(owner, filled))
        done += len(rows)
        told(done, max(total, done))
        if len(rows) < BATCH:
            await copying
            return done
        place = (rows[-1]["workspace"], rows[-1]["approval_id"], rows[-1]["version"])


def _whole_streams(
    rows: list[asyncpg.Record], *, last: bool
) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """Return the rows up to the last stream that may go on in the next batch, and the rest."""
    if last:
        return rows, []
    end = len(rows)
    while end and rows[end - 1]["approval_id"] == rows[-1]["approval_id"]:
        end -= 1
    return rows[:end], rows[end:]


def _fold(rows: list[asyncpg.Record]) -> _Filled:
    views: list[ApprovalView] = []
    events: list[Recorded] = []
    view: ApprovalView | None = None
    for row in rows:
        event = recorded_row(row)
        if view is not None and event.version == 1:
            views.append(view)
            view = None
        view = evolve_view(view, event)
        events.append(event)
    if view is not None:
        views.append(view)
    return _Filled(views, events)


async def _copy(owner: Connection, filled: _Filled) -> None:
    for table, records in (
        ("approval_list", [approval_row(view) for view in filled.views]),
        ("approval_approvers", asked_of(filled.events)),
        ("pending_queue", [row for view in filled.views for row in queue_rows(view)]),
        ("approval_history", history_of(filled.events)),
        ("timers", [row for view in filled.views for row in timer_rows(view)]),
    ):
        if records:
            # Whoever is at a timer is told of at the end: see `leases`.
            columns = ["workspace", "approval_id", "kind", "due_at"] if table == "timers" else None
            await owner.copy_records_to_table(f"{table}_next", records=records, columns=columns)


async def _swap(owner: Connection, horizon: str) -> None:
    """Catch up with what was written meanwhile and put the new tables in the old ones' place."""
    sql = statements("projections", "rebuild.sql")
    async with owner.transaction():
        # The projector waits here, and then goes on with the new tables.
        await owner.execute(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE")
        changed = await owner.fetch(sql["changed_since"], horizon)
        keys = [[row["workspace"] for row in changed], [row["approval_id"] for row in changed]]
        for table in TABLES:
            await owner.execute(sql["forget"].format(table=f"{table}_next"), *keys)
        await _copy(owner, _fold(await owner.fetch(sql["whole"], *keys)))
        await owner.execute(sql["leases"])
        for table in TABLES:
            await owner.execute(f"DROP TABLE {table}")
            await owner.execute(f"ALTER TABLE {table}_next RENAME TO {table}")
            await owner.execute("SELECT protect_read_model($1)", table)
        for row in await owner.fetch(sql["index_names"]):
            await owner.execute(f'ALTER INDEX "{row["old"]}" RENAME TO "{row["new"]}"')
