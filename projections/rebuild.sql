-- name: horizon
-- The transaction below which all have ended: what they wrote is seen by every later reading.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text;

-- name: total
-- How many events there are to read.
SELECT count(*) FROM events;

-- name: streams
-- The next events in order of approval.
SELECT workspace, approval_id, version, type, schema_version, data, command_id, recorded_at
FROM events
WHERE (workspace, approval_id, version) > ($1, $2, $3)
ORDER BY workspace, approval_id, version
LIMIT $4;

-- name: changed_since
-- Approvals with events of transactions that had not ended at a horizon.
SELECT DISTINCT workspace, approval_id FROM events
WHERE xid >= $1::text::xid8;

-- name: forget
-- Take some approvals out of a table, to fill them in anew.
DELETE FROM {table} t
USING unnest($1::text[], $2::text[]) AS k (workspace, approval_id)
WHERE t.workspace = k.workspace AND t.approval_id = k.approval_id;

-- name: whole
-- Whole streams of some approvals.
SELECT e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data, e.command_id,
    e.recorded_at
FROM unnest($1::text[], $2::text[]) AS k (workspace, approval_id)
JOIN events e USING (workspace, approval_id)
ORDER BY e.workspace, e.approval_id, e.version;

-- name: leases
-- Keep the leases of timers that somebody is at.
UPDATE timers_next n SET leased_until = t.leased_until
FROM timers t
WHERE t.leased_until > now()
AND t.workspace = n.workspace AND t.approval_id = n.approval_id AND t.kind = n.kind;

-- name: index_names
-- Indexes that still bear the name of the table that was filled.
SELECT indexname AS old, replace(indexname, '_next', '') AS new
FROM pg_indexes
WHERE schemaname = 'placet' AND indexname LIKE '%\_next\_%';
