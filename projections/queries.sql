-- name: views
-- The approvals of a batch as they stand.
SELECT l.workspace, l.approval_id, l.doc
FROM unnest($1::text[], $2::text[]) AS k (workspace, approval_id)
JOIN approval_list l USING (workspace, approval_id);

-- name: missing
-- The events above what each approval's row holds.
SELECT e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data, e.command_id,
    e.recorded_at
FROM unnest($1::text[], $2::text[], $3::integer[]) AS k (workspace, approval_id, version)
JOIN events e ON e.workspace = k.workspace AND e.approval_id = k.approval_id
    AND e.version > k.version
ORDER BY e.workspace, e.approval_id, e.version;

-- name: write_approvals
-- Write approvals, each only if nobody has written a newer version; return those written.
INSERT INTO approval_list AS held
SELECT *
FROM unnest(
    $1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::integer[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::text[],
    $14::boolean[]
)
ON CONFLICT (workspace, approval_id) DO UPDATE
SET version = excluded.version, status = excluded.status, requester = excluded.requester,
    expires_at = excluded.expires_at, doc = excluded.doc, acknowledged = excluded.acknowledged
WHERE held.version < excluded.version
RETURNING held.workspace, held.approval_id;

-- name: write_rest
-- Write what hangs on the approvals that were written, and the history of a batch.
WITH written AS (
    -- With whom each waits and what is to become due: JSON lists, so that a row is looked at once.
    SELECT *
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
        AS w (workspace, approval_id, waits_for, timers)
),
approvers AS (
    INSERT INTO approval_approvers (workspace, approver, approval_id)
    SELECT * FROM unnest($5::text[], $6::text[], $7::text[])
    ON CONFLICT DO NOTHING
),
left_queue AS (
    DELETE FROM pending_queue q
    USING written w
    WHERE q.workspace = w.workspace AND q.approval_id = w.approval_id
    AND NOT w.waits_for::jsonb ? q.approver
),
joined_queue AS (
    INSERT INTO pending_queue (workspace, approver, urgency, approval_id)
    SELECT * FROM unnest($8::text[], $9::text[], $10::smallint[], $11::text[])
    ON CONFLICT DO NOTHING
),
ended_timers AS (
    DELETE FROM timers t
    USING written w
    WHERE t.workspace = w.workspace AND t.approval_id = w.approval_id
    AND NOT w.timers::jsonb ? t.kind
),
set_timers AS (
    -- One that stands as it should is left alone: to set it again would lock it, and write it.
    INSERT INTO timers (workspace, approval_id, kind, due_at)
    SELECT *
    FROM unnest($12::text[], $13::text[], $14::text[], $15::timestamptz[])
        AS s (workspace, approval_id, kind, due_at)
    WHERE NOT EXISTS (
        SELECT FROM timers t
        WHERE t.workspace = s.workspace AND t.approval_id = s.approval_id AND t.kind = s.kind
        AND t.due_at = s.due_at
    )
    ON CONFLICT (workspace, approval_id, kind) DO UPDATE SET due_at = excluded.due_at
)
INSERT INTO approval_history (workspace, approval_id, version, type, at, actor, summary)
SELECT *
FROM unnest(
    $16::text[], $17::text[], $18::integer[], $19::text[], $20::timestamptz[], $21::text[],
    $22::text[]
)
ON CONFLICT DO NOTHING;

-- name: list
-- Approvals under some conditions, newest first.
WITH page AS (
    SELECT l.approval_id, l.doc, l.status, l.source FROM approval_list l
    WHERE {conditions}
    ORDER BY l.approval_id DESC
    LIMIT $2
)
SELECT string_agg(verified(p.doc, p.status, c.swept_at), ',' ORDER BY p.approval_id DESC) AS docs,
    count(*) AS rows, min(p.approval_id) AS last_id
FROM page p
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = p.source;

-- name: queue
-- What waits for one approver: most urgent first, then oldest, after a place in that order.
WITH page AS (
    SELECT q.urgency, q.approval_id, l.doc, l.status, l.source, l.created_at, l.expires_at
    FROM pending_queue q
    JOIN approval_list l USING (workspace, approval_id)
    WHERE q.workspace = $1 AND q.approver = $2 AND (q.urgency, q.approval_id) > ($3, $4)
    ORDER BY q.urgency, q.approval_id
    LIMIT $5
)
SELECT
    string_agg(
        left(verified(p.doc, p.status, c.swept_at), -1)
        || ',"age_seconds":' || floor(extract(epoch FROM now() - p.created_at))::bigint
        || ',"time_left_seconds":'
        || greatest(0, floor(extract(epoch FROM p.expires_at - now()))::bigint) || '}',
        ',' ORDER BY p.urgency, p.approval_id
    ) AS docs,
    count(*) AS rows,
    (array_agg(p.urgency ORDER BY p.urgency DESC, p.approval_id DESC))[1] AS last_urgency,
    (array_agg(p.approval_id ORDER BY p.urgency DESC, p.approval_id DESC))[1] AS last_id,
    (SELECT count(*) FROM pending_queue q WHERE q.workspace = $1 AND q.approver = $2) AS waiting
FROM page p
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = p.source;

-- name: approval
-- One approval as it stands in the read model, and how far its stream reaches.
SELECT verified(l.doc, l.status, c.swept_at) AS doc, l.version,
    (
        SELECT max(e.version) FROM events e WHERE e.workspace = $1 AND e.approval_id = $2
    ) AS newest
FROM (SELECT $1::text AS workspace, $2::text AS approval_id) AS wanted
LEFT JOIN approval_list l USING (workspace, approval_id)
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = l.source;

-- name: approvals
-- Some approvals as they stand in the read model, and how far their streams reach.
SELECT k.approval_id, verified(l.doc, l.status, c.swept_at) AS doc, l.status, l.version, e.newest
FROM unnest($2::text[]) AS k (approval_id)
CROSS JOIN LATERAL (
    SELECT max(e.version) AS newest FROM events e
    WHERE e.workspace = $1 AND e.approval_id = k.approval_id
) e
LEFT JOIN approval_list l ON l.workspace = $1 AND l.approval_id = k.approval_id
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = l.source
WHERE e.newest IS NOT NULL;

-- name: history
-- The audit trail of one approval, each sentence with its fact.
SELECT h.version, h.type, h.at, h.actor, h.summary, e.data
FROM approval_history h
JOIN events e USING (workspace, approval_id, version)
WHERE h.workspace = $1 AND h.approval_id = $2
ORDER BY h.version;

-- name: mirrored
-- What is held of some records of a source, the latest round of each.
SELECT DISTINCT ON (record_id) record_id, approval_id, status, doc
FROM approval_list
WHERE workspace = $1 AND source = $2 AND record_id = ANY($3::text[])
ORDER BY record_id, round DESC;

-- name: mirrored_open
-- Every record of a source that is held as open.
SELECT record_id, approval_id, status, doc
FROM approval_list
WHERE workspace = $1 AND source = $2 AND status = ANY('{pending,deciding}')
ORDER BY record_id;

-- name: changes
-- What changed since a place in the log, and how far the read models show it.
SELECT l.seq, e.workspace, e.approval_id, e.version, e.type, coalesce(a.version, 0) AS shown,
    e.recorded_at, h.summary
FROM log l
JOIN events e ON e.position = l.position
LEFT JOIN approval_list a ON a.workspace = e.workspace AND a.approval_id = e.approval_id
LEFT JOIN approval_history h ON h.workspace = e.workspace AND h.approval_id = e.approval_id
    AND h.version = e.version
WHERE l.seq > $1
ORDER BY l.seq
LIMIT $2;

-- name: snapshot
-- Which transactions have ended by now.
SELECT pg_current_snapshot()::text;

-- name: ended
-- Approvals that became final between a snapshot and now, and the snapshot of now. What is visible
-- now and was not then is told once, in whatever order transactions commit.
WITH fresh AS (
    SELECT e.workspace, e.approval_id
    FROM events e
    WHERE e.xid >= pg_snapshot_xmin($1::text::pg_snapshot)
    AND NOT pg_visible_in_snapshot(e.xid, $1::text::pg_snapshot)
    AND e.type = ANY('{approval.decided,approval.withdrawn,approval.expired}')
    ORDER BY e.xid, e.position
    LIMIT $2
)
SELECT pg_current_snapshot()::text AS until, array_agg(workspace) AS workspaces,
    array_agg(approval_id) AS approval_ids
FROM fresh;

-- name: log_head
-- How far the log reaches.
SELECT seq FROM log_head;

-- name: unacknowledged
-- What some workspaces, in order after one, leave unacknowledged: how much, up to a bound, and for
-- how long. The conditions are those of the index, which also tells the workspaces one by one.
WITH RECURSIVE workspaces AS (
    SELECT min(l.workspace) AS workspace FROM approval_list l
    WHERE l.source IS NULL AND NOT l.acknowledged
    AND l.status IN ('approved', 'rejected', 'withdrawn', 'expired') AND l.workspace > $1
    UNION ALL
    SELECT (
        SELECT min(l.workspace) FROM approval_list l
        WHERE l.source IS NULL AND NOT l.acknowledged
        AND l.status IN ('approved', 'rejected', 'withdrawn', 'expired')
        AND l.workspace > w.workspace
    )
    FROM workspaces w WHERE w.workspace IS NOT NULL
),
these AS (
    SELECT workspace FROM workspaces WHERE workspace IS NOT NULL LIMIT $2
)
SELECT s.workspace, count(u.since) AS unheard,
    coalesce(extract(epoch FROM now() - min(u.since)), 0)::float8 AS oldest_s
FROM these s
LEFT JOIN LATERAL (
    SELECT max(e.recorded_at) AS since
    FROM (
        SELECT l.approval_id FROM approval_list l
        WHERE l.workspace = s.workspace AND l.source IS NULL AND NOT l.acknowledged
        AND l.status IN ('approved', 'rejected', 'withdrawn', 'expired')
        ORDER BY l.approval_id
        LIMIT $3
    ) l
    JOIN events e ON e.workspace = s.workspace AND e.approval_id = l.approval_id
        AND e.type = ANY('{approval.decided,approval.withdrawn,approval.expired}')
    GROUP BY e.approval_id
    HAVING max(e.recorded_at) < now() - make_interval(secs => $4)
) u ON true
GROUP BY s.workspace
ORDER BY s.workspace;

-- name: people
-- Everybody who was ever asked, or is asked back, for a choice of demo person.
SELECT a.approver, count(q.approval_id) AS waiting
FROM (
    SELECT approver FROM approval_approvers WHERE workspace = $1
    UNION
    SELECT approver FROM pending_queue WHERE workspace = $1
) a
LEFT JOIN pending_queue q ON q.workspace = $1 AND q.approver = a.approver
GROUP BY a.approver
ORDER BY waiting DESC, a.approver
LIMIT $2;

-- name: lagging
-- Approvals whose row is behind the log between two places of it.
SELECT e.workspace, e.approval_id
FROM log l
JOIN events e ON e.position = l.position
LEFT JOIN approval_list a ON a.workspace = e.workspace AND a.approval_id = e.approval_id
WHERE l.seq > $1 AND l.seq <= $2
GROUP BY e.workspace, e.approval_id
HAVING max(e.version) > coalesce(max(a.version), 0)
ORDER BY e.workspace, e.approval_id;

-- name: reconciled
-- How far of the log the read models are known to hold.
SELECT seq FROM reconciled;

-- name: set_reconciled
-- Say so, never backwards.
UPDATE reconciled SET seq = $1 WHERE seq < $1;

-- name: settled_long_ago
-- How far the log reached some seconds ago, so that what is still on its way is left alone.
SELECT coalesce(max(l.seq), 0)
FROM (
    SELECT l.seq, l.position FROM log l WHERE l.seq > $1 ORDER BY l.seq LIMIT $3
) l
JOIN events e ON e.position = l.position
WHERE e.recorded_at < now() - make_interval(secs => $2);

-- name: due_timers
-- Take what is due, each for as long as a lease lasts, so that nobody else is at it meanwhile.
UPDATE timers t SET leased_until = now() + make_interval(secs => $2)
FROM (
    SELECT workspace, approval_id, kind FROM timers
    WHERE due_at <= now() AND leased_until <= now()
    ORDER BY due_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) d
WHERE t.workspace = d.workspace AND t.approval_id = d.approval_id AND t.kind = d.kind
RETURNING t.workspace, t.approval_id, t.kind, t.due_at, now() AS now;

-- name: timers_done
-- Remove timers that have fired, unless they were set to another time since. One that a projector
-- is at just now is left to it, so that neither waits for the other.
DELETE FROM timers t
USING (
    SELECT h.workspace, h.approval_id, h.kind
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        AS d (workspace, approval_id, kind, due_at)
    JOIN timers h USING (workspace, approval_id, kind, due_at)
    FOR UPDATE OF h SKIP LOCKED
) f
WHERE t.workspace = f.workspace AND t.approval_id = f.approval_id AND t.kind = f.kind;

-- name: deciding
-- Answered approvals whose answer is on its way to the source, all workspaces.
SELECT workspace, approval_id FROM approval_list
WHERE status = 'deciding'
ORDER BY approval_id
LIMIT $1;

-- name: waiting_workspaces
-- Workspaces in which something waits for somebody, in order after one.
WITH RECURSIVE workspaces AS (
    SELECT min(q.workspace) AS workspace FROM pending_queue q WHERE q.workspace > $1
    UNION ALL
    SELECT (SELECT min(q.workspace) FROM pending_queue q WHERE q.workspace > w.workspace)
    FROM workspaces w WHERE w.workspace IS NOT NULL
)
SELECT workspace FROM workspaces WHERE workspace IS NOT NULL LIMIT $2;

-- name: waited_for
-- Those of some people for whom something waits.
SELECT p.email
FROM unnest($2::text[]) AS p (email)
WHERE EXISTS (SELECT FROM pending_queue q WHERE q.workspace = $1 AND q.approver = p.email);

-- name: waiting_for
-- What waits for one approver, in order after a place.
SELECT urgency, approval_id
FROM pending_queue
WHERE workspace = $1 AND approver = $2 AND (urgency, approval_id) > ($3, $4)
ORDER BY urgency, approval_id
LIMIT $5;
