-- name: park
-- Keep a message, or count one more attempt of the same one.
INSERT INTO parked (
    workspace, consumer, topic, partition, record_offset, digest, key, value, headers, reason
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb, $10)
ON CONFLICT (workspace, consumer, topic, partition, record_offset, digest) DO UPDATE
SET attempts = parked.attempts + 1, reason = excluded.reason, resolved_at = NULL;

-- name: list_parked
-- What waits for somebody to look at it.
SELECT parked_id, workspace, consumer, topic, partition, record_offset, reason, parked_at,
    attempts, value
FROM parked
WHERE resolved_at IS NULL AND ($1::text IS NULL OR workspace = $1)
ORDER BY parked_id
LIMIT $2;

-- name: preview
-- What waits for somebody to look at it in some workspaces, with the beginning of each.
SELECT parked_id, workspace, consumer, topic, partition, record_offset, reason, parked_at,
    attempts, substring(value FROM 1 FOR $4::integer) AS value
FROM parked
WHERE resolved_at IS NULL AND workspace = ANY($1::text[]) AND parked_id > $2
ORDER BY parked_id
LIMIT $3;

-- name: parked
-- One parked message, whole.
SELECT topic, key, value, headers::text AS headers FROM parked WHERE parked_id = $1;

-- name: resolve
-- One parked message is dealt with.
UPDATE parked SET resolved_at = now()
WHERE parked_id = $1 AND resolved_at IS NULL
RETURNING parked_id;
