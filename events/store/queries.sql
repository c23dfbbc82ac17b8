-- name: append
-- Add events and claims in one statement, which is one transaction and one round trip.
WITH claimed AS (
    INSERT INTO claims (workspace, kind, key, round, approval_id, fingerprint)
    SELECT $1, kind, key, round, approval_id, fingerprint
    FROM unnest($8::text[], $9::text[], $10::integer[], $11::text[], $12::text[])
        AS c (kind, key, round, approval_id, fingerprint)
)
INSERT INTO events (workspace, approval_id, version, type, schema_version, data, command_id)
SELECT $1, approval_id, version, type, schema_version, data, command_id
FROM unnest($2::text[], $3::integer[], $4::text[], $5::smallint[], $6::text[], $7::text[])
    AS e (approval_id, version, type, schema_version, data, command_id);

-- name: append_one
-- Add the events of one approval that claims nothing: the plain shape of the hot path.
INSERT INTO events (workspace, approval_id, version, type, schema_version, data, command_id)
SELECT $1, approval_id, version, type, schema_version, data, command_id
FROM unnest($2::text[], $3::integer[], $4::text[], $5::smallint[], $6::text[], $7::text[])
    AS e (approval_id, version, type, schema_version, data, command_id);

-- name: read
-- The events of some approvals, each stream in order.
SELECT workspace, approval_id, version, type, schema_version, data, command_id, recorded_at
FROM events
WHERE workspace = $1 AND approval_id = ANY($2::text[]) AND version > $3
ORDER BY approval_id, version;

-- name: claimed
-- The latest round that each key names.
SELECT DISTINCT ON (key) key, round, approval_id, fingerprint
FROM claims
WHERE workspace = $1 AND kind = $2 AND key = ANY($3::text[])
ORDER BY key, round DESC;

-- name: sequence
-- Move committed events into the log.
SELECT sequence_log($1);

-- name: unpublished
-- The part of the log that is not published yet, with its events.
SELECT l.seq, e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data,
    e.command_id, e.recorded_at
FROM log l
JOIN events e ON e.position = l.position
WHERE l.seq > $1
ORDER BY l.seq
LIMIT $2;

-- name: published
-- How far the log is published, and how far it reaches.
SELECT published, (SELECT seq FROM log_head) AS head FROM publisher_cursor;

-- name: move_cursor
-- Say that the log is published up to $2, unless another publisher has moved the cursor.
UPDATE publisher_cursor SET published = $2 WHERE published = $1 RETURNING published;

-- name: head
-- How far the log reaches, and the hash that its whole chain comes to.
SELECT seq, hash FROM log_head;

-- name: verify
-- A stretch of the log beside what it was made of, to compute the chain again.
SELECT l.seq, l.hash, l.workspace = e.workspace AS same_workspace,
    convert_to(
        concat_ws(
            E'\n', e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data
        ),
        'UTF8'
    ) AS content
FROM log l
LEFT JOIN events e ON e.position = l.position
WHERE l.seq > $1
ORDER BY l.seq
LIMIT $2;
