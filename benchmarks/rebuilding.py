"""A program: reads a store's events into one table, plainly or as Placet does; prints the pace.

Plainly: read by key, decode, fold, upsert, the next batch read while the one before it is written.
"""

import asyncio
import sys
import time
from typing import Literal

import asyncpg
import msgspec
import uvloop

from events.store.database import Connection
from projections.rebuild import rebuild

BATCH = 10_000
_TABLE = """
DROP TABLE IF EXISTS bare_queue;
CREATE TABLE bare_queue (
    approval_id text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    status text NOT NULL,
    approver text NOT NULL,
    doc text NOT NULL
);
CREATE INDEX ON bare_queue (approver, approval_id) WHERE status = 'pending';
"""
_READ = """
SELECT approval_id, version, type, data FROM events
WHERE workspace = 'default' AND (approval_id, version) > ($1, $2)
ORDER BY approval_id, version LIMIT $3
"""
_UPSERT = """
INSERT INTO bare_queue
SELECT * FROM unnest($1::text[], $2::integer[], $3::text[], $4::text[], $5::text[])
ON CONFLICT (approval_id) DO UPDATE SET version = excluded.version, status = excluded.status
"""


class Plan(msgspec.Struct):
    """Which way, in which database."""

    what: Literal["plain", "ours"]
    dsn: str


class _Person(msgspec.Struct):
    email: str


class _About(msgspec.Struct):
    title: str


class _Asked(msgspec.Struct):
    about: _About
    approvers: list[_Person]


class _Decided(msgspec.Struct):
    outcome: str


Row = tuple[str, int, str, str, str]
_asked = msgspec.json.Decoder(_Asked)
_decided = msgspec.json.Decoder(_Decided)


async def run(plan: Plan) -> dict[str, float]:
    """Do it, and return how many events a second that were."""
    begun = time.perf_counter()
    done = await (rebuild(plan.dsn) if plan.what == "ours" else _plain(plan.dsn))
    took = time.perf_counter() - begun
    return {"per_second": done / took, "events": float(done)}


async def _plain(dsn: str) -> int:
    settings = {"search_path": "placet"}
    reader = await asyncpg.connect(dsn, server_settings=settings)
    writer = await asyncpg.connect(dsn, server_settings=settings)
    try:
        await writer.execute(_TABLE)
        return await _loop(reader, writer)
    finally:
        await reader.close()
        await writer.close()


async def _loop(reader: Connection, writer: Connection) -> int:
    done, place = 0, ("", 0)
    writing: asyncio.Task[str] | None = None
    last: Row | None = None
    while events := await reader.fetch(_READ, *place, BATCH):
        rows, last = _fold(events, last)
        if writing is not None:
            await writing
        columns = [list(column) for column in zip(*rows.values(), strict=True)]
        writing = asyncio.create_task(writer.execute(_UPSERT, *columns))
        done += len(events)
        place = (events[-1]["approval_id"], events[-1]["version"])
    if writing is not None:
        await writing
    return done


def _fold(events: list[asyncpg.Record], last: Row | None) -> tuple[dict[str, Row], Row | None]:
    rows = {last[0]: last} if last is not None else {}
    for event in events:
        approval_id, version = event["approval_id"], event["version"]
        if event["type"] == "approval.requested":
            asked = _asked.decode(event["data"])
            approver, title = asked.approvers[0].email, asked.about.title
            last = (approval_id, version, "pending", approver, title)
        else:
            _, _, _, approver, title = rows[approval_id]
            outcome = _decided.decode(event["data"]).outcome
            last = (approval_id, version, outcome, approver, title)
        rows[approval_id] = last
    return rows, last


def main() -> None:
    """Read the plan from the input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run(plan))))


if __name__ == "__main__":
    main()
