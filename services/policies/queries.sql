-- name: asked_since
-- How many approvals were asked for since an id, which sorts by time.
SELECT count(*) FROM events WHERE workspace = $1 AND approval_id >= $2 AND version = 1;

-- name: streams_since
-- The next events of approvals in their order: ids sort by time.
SELECT workspace, approval_id, version, type, schema_version, data, command_id, recorded_at
FROM events
WHERE workspace = $1 AND (approval_id, version) > ($2, $3)
ORDER BY approval_id, version
LIMIT $4;
