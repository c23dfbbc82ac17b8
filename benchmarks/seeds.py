"""Fills a store as if much had happened, inside Postgres: the shapes are those of the product.

One approval in a while is pending, the others are approved; who reads in the rows has as many
waiting whatever the store's size.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import msgspec

from benchmarks.asks import APPROVER, ask_json
from events.approval import ApprovalDecided, ApprovalEvent, ApprovalRequested, Person
from events.codec import encode
from events.commands import RequestApproval
from events.decider import decide
from events.state import fold
from events.store.database import Connection
from projections.approval_view import encode_view
from projections.evolving import view_of
from services.approval_types import ApprovalTypes
from services.decision.request_body import AskedBy, approval_decoder, ask_command

WORKSPACE = "default"
READERS = 20
WAITING = 100
"""Approvals that wait for each reader, on every size of store."""
PENDING_EVERY = 97
PEOPLE = 1000
TOGETHER = 1000
"""As many are asked, then as many are decided: so events of one approval are far apart."""
CHUNK = 100_000
TIMEOUT_S = 600.0

_NUMBER = 77_777_777
_ID = "2" + "0" * 26

# Who is asked by approval n, and whether it is pending; $3 is the distance between two of those
# that wait for readers.
_WHO = f"""
CASE WHEN n % $3 = 0 THEN 'reader-' || lpad(((n / $3) % {READERS})::text, 4, '0')
ELSE 'person-' || lpad((n % {PEOPLE})::text, 4, '0') END || '@example.com'
"""
_PENDING = f"(n % $3 = 0 OR n % {PENDING_EVERY} = 0)"
_FACTS = f"""
SELECT n, version, '2' || lpad(n::text, 26, '0') AS id, {_WHO} AS who, {_PENDING} AS pending
FROM generate_series($1::bigint, $2::bigint) AS n, (VALUES (1), (2)) AS v (version)
WHERE version = 1
"""

_EVENTS = f"""
WITH facts AS (
    {_FACTS} OR NOT {_PENDING}
    ORDER BY n / {TOGETHER}, version, n
)
INSERT INTO events (workspace, approval_id, version, type, schema_version, data, command_id)
SELECT '{WORKSPACE}', id, version,
    CASE version WHEN 1 THEN 'approval.requested' ELSE 'approval.decided' END, 1,
    replace(replace(CASE version WHEN 1 THEN $4 ELSE $5 END, '{_NUMBER}', n::text),
        '{APPROVER}', who),
    'seed'
FROM facts
"""
_VIEWS = f"""
WITH facts AS MATERIALIZED ({_FACTS}),
approvers AS (
    INSERT INTO approval_approvers SELECT '{WORKSPACE}', who, id FROM facts
),
waiting AS (
    INSERT INTO pending_queue SELECT '{WORKSPACE}', who, 1, id FROM facts WHERE pending
),
due AS (
    INSERT INTO timers
    SELECT '{WORKSPACE}', id, 'expire', now() + interval '30 days' FROM facts WHERE pending
)
INSERT INTO approval_list
SELECT '{WORKSPACE}', id, CASE WHEN pending THEN 1 ELSE 2 END,
    CASE WHEN pending THEN 'pending' ELSE 'approved' END, 'expense', 'rio.requester@example.com',
    NULL, NULL, 1, NULL, now(), now() + interval '30 days',
    replace(replace(replace(CASE WHEN pending THEN $4 ELSE $5 END, '{_NUMBER}', n::text),
        '{APPROVER}', who), '{_ID}', id)
FROM facts
"""
_HISTORY = """
INSERT INTO approval_history
SELECT workspace, approval_id, version, type, recorded_at, 'rio.requester@example.com',
    'rio.requester@example.com asked; it waits for person-0000@example.com.'
FROM events WHERE position > $1 AND position <= $2
"""
# The hashes are no chain: nothing here computes it again, and a real one would take a while.
_PUBLISHED = """
WITH logged AS (
    INSERT INTO log SELECT position, position, workspace, sha256('') FROM events
),
head AS (
    UPDATE log_head SET (seq, position, xid) = (
        SELECT position, position, xid FROM events ORDER BY position DESC LIMIT 1
    )
),
cursor AS (
    UPDATE publisher_cursor SET published = (SELECT max(position) FROM events)
)
UPDATE reconciled SET seq = (SELECT max(position) FROM events)
"""

Say = Callable[[str], None]


def reader(number: int) -> str:
    """Return the address of one of the `READERS`."""
    return f"reader-{number % READERS:04d}@example.com"


async def seed_events(dsn: str, approvals: int) -> int:
    """Add events that nobody has published or projected, and return how many."""
    connection = await _connect(dsn)
    try:
        await _events(connection, 0, approvals - 1, _stride(approvals))
        await connection.execute("VACUUM (ANALYZE) events")
        kept: int = await connection.fetchval("SELECT count(*) FROM events")
        return kept
    finally:
        await connection.close()


async def seed(dsn: str, approvals: int, say: Say) -> int:
    """Fill store, log and read models, and return how many events that are."""
    stride = _stride(approvals)
    happened, shown = await _connect(dsn), await _connect(dsn)
    try:
        # Postgres gives each connection one processor: the two halves go side by side.
        await asyncio.gather(
            _fill_store(happened, approvals, stride, say), _fill_views(shown, approvals, stride)
        )
        say("vacuuming it, as Postgres would by itself in time")
        await happened.execute("VACUUM (ANALYZE)")
        await happened.execute("CHECKPOINT")
        kept: int = await happened.fetchval("SELECT max(position) FROM events")
        return kept
    finally:
        await happened.close()
        await shown.close()


async def _fill_store(connection: Connection, approvals: int, stride: int, say: Say) -> None:
    for first in range(0, approvals, CHUNK):
        say(f"filling a store: {first:,} of {approvals:,} approvals")
        already = await connection.fetchval("SELECT coalesce(max(position), 0) FROM events")
        await _events(connection, first, min(approvals, first + CHUNK) - 1, stride)
        until = await connection.fetchval("SELECT max(position) FROM events")
        await connection.execute(_HISTORY, already, until)
    await connection.execute(_PUBLISHED)


async def _fill_views(connection: Connection, approvals: int, stride: int) -> None:
    for first in range(0, approvals, CHUNK):
        last = min(approvals, first + CHUNK) - 1
        await connection.execute(_VIEWS, first, last, stride, *_views())


async def _connect(dsn: str) -> Connection:
    return await asyncpg.connect(
        dsn,
        command_timeout=TIMEOUT_S,
        server_settings={"search_path": "placet", "idle_in_transaction_session_timeout": "0"},
    )


def _stride(approvals: int) -> int:
    return max(1, approvals // (READERS * WAITING))


async def _events(connection: Connection, first: int, last: int, stride: int) -> None:
    data = [encode(event)[2].decode() for event in _facts()]
    await connection.execute(_EVENTS, first, last, stride, *data)


def _views() -> list[str]:
    asked, decided = _facts()
    return [encode_view(view_of(WORKSPACE, _ID, facts)) for facts in ((asked,), (asked, decided))]


def ask_of(number: int, approver: str = APPROVER) -> RequestApproval:
    """Return the command of an ask."""
    body = approval_decoder.decode(ask_json(number, approver))
    return ask_command(
        body,
        asked_by=AskedBy(email=approver),
        now=datetime.now(UTC),
        types=ApprovalTypes(),
    )


def _facts() -> tuple[ApprovalEvent, ApprovalEvent]:
    command = ask_of(_NUMBER)
    (asked,) = decide(command, fold(()))
    if not isinstance(asked, ApprovalRequested):
        raise TypeError(f"an ask gave {asked!r}")
    decided = ApprovalDecided(
        about=asked.about,
        outcome="approved",
        by=Person(email=APPROVER),
        reason="within the budget",
        channel="api",
        via="bootstrap",
        decided_at=asked.at,
        at=asked.at,
    )
    return asked, decided


def sizes(text: str) -> int:
    """Return a number such as 1000000, 1_000_000 or 1M; raises ValueError."""
    number = text.replace("_", "").replace(",", "").lower()
    for suffix, factor in (("k", 1_000), ("m", 1_000_000)):
        if number.endswith(suffix):
            return int(float(number.removesuffix(suffix)) * factor)
    return msgspec.convert(number, int, strict=False)
