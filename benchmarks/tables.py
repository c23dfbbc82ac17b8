"""Throw-away tables of the same shape as ours, for the limits of the machine."""

import asyncpg

# Two unique indexes and the tail index, as the table `events` has them; no policy, no role.
_EVENTS = """
CREATE TABLE IF NOT EXISTS bare_events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    schema_version smallint NOT NULL,
    data text NOT NULL,
    command_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (workspace, approval_id, version)
);
CREATE INDEX IF NOT EXISTS bare_events_tail_idx ON bare_events (xid, position);
CREATE TABLE IF NOT EXISTS bare_pending (
    approver text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    doc text NOT NULL,
    PRIMARY KEY (approver, approval_id)
);
"""

INSERT = """
INSERT INTO bare_events (workspace, approval_id, version, type, schema_version, data, command_id)
VALUES ('default', $1, $2, $3, 1, $4, $5)
"""

INSERT_MANY = """
INSERT INTO bare_events (workspace, approval_id, version, type, schema_version, data, command_id)
SELECT 'default', approval_id, 1, 'approval.requested', 1, data, command_id
FROM unnest($1::text[], $2::text[], $3::text[]) AS e (approval_id, data, command_id)
"""


async def make(dsn: str) -> None:
    """Make the tables."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_EVENTS)
    finally:
        await connection.close()
