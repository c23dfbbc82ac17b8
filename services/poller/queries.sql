-- name: lease
-- Take a source that nobody works on, or keep the one that is worked on already. Nobody gets one
-- that is paused, nor keeps it.
INSERT INTO source_checkpoints AS c (workspace, source, lease_owner, lease_until)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
ON CONFLICT (workspace, source) DO UPDATE SET
    lease_owner = excluded.lease_owner,
    lease_until = excluded.lease_until
WHERE c.paused_at IS NULL
    AND (c.lease_owner = excluded.lease_owner OR c.lease_until <= clock_timestamp())
RETURNING cursor, polled_at, swept_at, last_error, last_error_at, failures, wanted_at;

-- name: release
-- Let others have the source.
UPDATE source_checkpoints SET lease_owner = NULL, lease_until = '-infinity'
WHERE workspace = $1 AND source = $2 AND lease_owner = $3;

-- name: save
-- Write down how far the source is, unless another poller has taken it over. What somebody wanted
-- meanwhile stays wanted.
UPDATE source_checkpoints SET
    cursor = $4,
    polled_at = $5,
    swept_at = $6,
    last_error = $7,
    last_error_at = $8,
    failures = $9,
    failing_since = CASE WHEN $7::text IS NULL THEN NULL ELSE coalesce(failing_since, $8) END,
    wanted_at = nullif(wanted_at, $10)
WHERE workspace = $1 AND source = $2 AND lease_owner = $3 AND lease_until > clock_timestamp()
RETURNING 1;

-- name: all
-- The state of every source of a workspace.
SELECT source, cursor, polled_at, swept_at, last_error, last_error_at, failures, wanted_at
FROM source_checkpoints
WHERE workspace = $1
ORDER BY source;

-- name: park
-- Keep rows that could not be mapped; a row that is kept already gets its new reason.
INSERT INTO parked AS p
    (workspace, consumer, topic, partition, record_offset, digest, key, value, reason)
SELECT $1, 'poller', $2, 0, 0, row.digest, row.key, row.value, row.reason
FROM unnest($3::bytea[], $4::bytea[], $5::bytea[], $6::text[]) AS row (digest, key, value, reason)
ON CONFLICT (workspace, consumer, topic, partition, record_offset, digest) DO UPDATE SET
    value = excluded.value,
    reason = excluded.reason,
    attempts = p.attempts + 1,
    parked_at = clock_timestamp(),
    resolved_at = NULL;

-- name: unpark
-- Mark rows as resolved: their records could be mapped.
UPDATE parked SET resolved_at = clock_timestamp()
WHERE workspace = $1 AND consumer = 'poller' AND topic = $2 AND digest = ANY($3::bytea[])
    AND resolved_at IS NULL;

-- name: unpark_unseen
-- Mark rows as resolved that a complete sweep did not come across again.
UPDATE parked SET resolved_at = clock_timestamp()
WHERE workspace = $1 AND consumer = 'poller' AND topic = $2 AND parked_at < $4
    AND resolved_at IS NULL AND digest <> ALL($3::bytea[]);
