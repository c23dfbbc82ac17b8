-- name: listeners
-- Who of some workspaces asked to be told, what signs their callbacks, and as of when we know.
SELECT w.workspace, statement_timestamp() AS as_of, e.endpoint_id, e.url, e.event_types, e.types,
    e.requester, e.created_at, e.secret, e.previous_secret, e.previous_until,
    s.secret AS callback_secret, s.previous_secret AS previous_callback_secret,
    s.previous_until AS previous_callback_until
FROM unnest($1::text[]) AS w (workspace)
LEFT JOIN webhook_callback_secrets s ON s.workspace = w.workspace
LEFT JOIN webhook_endpoints e ON e.workspace = w.workspace AND e.kind = 'subscription'
    AND e.status <> 'removed';

-- name: asked_events
-- For some events, the last one up to a version that says what their approval is about.
SELECT k.version AS told_version, a.workspace, a.approval_id, a.version, a.type, a.schema_version,
    a.data, a.command_id, a.recorded_at
FROM unnest($1::text[], $2::text[], $3::integer[], $4::integer[])
    AS k (workspace, approval_id, version, up_to)
CROSS JOIN LATERAL (
    SELECT e.*
    FROM events e
    WHERE e.workspace = k.workspace AND e.approval_id = k.approval_id AND e.version <= k.up_to
    AND e.type IN ('approval.requested', 'approval.revised')
    ORDER BY e.version DESC
    LIMIT 1
) a;

-- name: keep
-- Write down what is to be told to whom, once each.
WITH origins AS (
    INSERT INTO webhook_endpoints (workspace, endpoint_id, kind, url, event_types)
    SELECT o.workspace, o.endpoint_id, 'callback', o.url,
        ARRAY['approval.decided', 'approval.withdrawn', 'approval.expired']
    FROM unnest($1::text[], $2::text[], $3::text[]) AS o (workspace, endpoint_id, url)
    ORDER BY o.workspace, o.endpoint_id
    ON CONFLICT DO NOTHING
)
INSERT INTO webhook_deliveries (
    workspace, endpoint_id, message_id, type, url, approval_id, version, due_at, state
)
SELECT d.workspace, d.endpoint_id, d.message_id, d.type, d.url, d.approval_id, d.version, d.due_at,
    CASE WHEN e.status = 'disabled' THEN 'held' ELSE 'waiting' END
FROM unnest(
    $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::integer[],
    $11::timestamptz[]
) AS d (workspace, endpoint_id, message_id, type, url, approval_id, version, due_at)
LEFT JOIN webhook_endpoints e USING (workspace, endpoint_id)
WHERE e.status IS DISTINCT FROM 'removed'
ORDER BY d.workspace, d.endpoint_id, d.message_id
ON CONFLICT DO NOTHING
RETURNING number, workspace, endpoint_id, message_id, state;

-- name: waiting
-- Endpoints after a place for which something waits, each found by a step in the index.
WITH RECURSIVE waiting AS (
    (
        SELECT d.workspace, d.endpoint_id, d.due_at, 1 AS step
        FROM webhook_deliveries d
        WHERE d.state = 'waiting' AND (d.workspace, d.endpoint_id) > ($1, $2)
        ORDER BY d.workspace, d.endpoint_id, d.due_at
        LIMIT 1
    )
    UNION ALL
    SELECT n.workspace, n.endpoint_id, n.due_at, w.step + 1
    FROM waiting w
    CROSS JOIN LATERAL (
        SELECT d.workspace, d.endpoint_id, d.due_at
        FROM webhook_deliveries d
        WHERE d.state = 'waiting' AND (d.workspace, d.endpoint_id) > (w.workspace, w.endpoint_id)
        ORDER BY d.workspace, d.endpoint_id, d.due_at
        LIMIT 1
    ) n
    WHERE w.step < $3
)
SELECT workspace, endpoint_id, due_at FROM waiting ORDER BY step;

-- name: take
-- Lease what is due to some endpoints, the longest due first, and say what it is made of.
WITH due AS (
    SELECT d.number
    FROM unnest($1::text[], $2::text[], $3::integer[]) AS r (workspace, endpoint_id, room)
    JOIN webhook_endpoints e USING (workspace, endpoint_id)
    CROSS JOIN LATERAL (
        SELECT w.number
        FROM webhook_deliveries w
        WHERE w.workspace = r.workspace AND w.endpoint_id = r.endpoint_id
        AND w.state = 'waiting' AND w.due_at <= $4
        ORDER BY w.due_at
        LIMIT r.room
        FOR UPDATE SKIP LOCKED
    ) d
    WHERE e.status = 'active'
),
leased AS (
    UPDATE webhook_deliveries w SET due_at = $5
    FROM due d
    WHERE w.number = d.number
    RETURNING w.workspace, w.endpoint_id, w.message_id, w.type, w.url, w.approval_id, w.version,
        w.body, w.tries, w.number
)
SELECT l.number, l.workspace, l.endpoint_id, l.message_id, l.type, l.url, l.approval_id, l.version, l.body,
    l.tries, e.kind, e.url AS endpoint_url,
    CASE WHEN e.kind = 'callback' THEN s.secret ELSE e.secret END AS secret,
    CASE WHEN e.kind = 'callback' THEN s.previous_secret ELSE e.previous_secret
        END AS previous_secret,
    CASE WHEN e.kind = 'callback' THEN s.previous_until ELSE e.previous_until END AS previous_until,
    v.type AS event_type, v.schema_version, v.data, v.command_id, v.recorded_at,
    a.type AS asked_type, a.schema_version AS asked_schema_version, a.data AS asked_data,
    a.command_id AS asked_command_id, a.recorded_at AS asked_recorded_at,
    a.version AS asked_version
FROM leased l
JOIN webhook_endpoints e USING (workspace, endpoint_id)
LEFT JOIN webhook_callback_secrets s ON s.workspace = l.workspace AND e.kind = 'callback'
LEFT JOIN events v ON v.workspace = l.workspace AND v.approval_id = l.approval_id
    AND v.version = l.version
LEFT JOIN LATERAL (
    SELECT o.*
    FROM events o
    WHERE l.type IN ('approval.notified', 'approval.asked_back')
    AND o.workspace = l.workspace AND o.approval_id = l.approval_id
    AND o.version <= CASE l.type WHEN 'approval.notified' THEN 1 ELSE l.version END
    AND o.type IN ('approval.requested', 'approval.revised')
    ORDER BY o.version DESC
    LIMIT 1
) a ON true
ORDER BY l.number;

-- name: record
-- Keep attempts, move their deliveries on, and say which endpoints fail.
WITH outcome AS (
    SELECT *
    FROM unnest(
        $1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::integer[],
        $6::text[], $7::integer[], $8::text[]
    ) AS o (number, state, due_at, at, status, error, duration_ms, answer)
),
moved AS (
    UPDATE webhook_deliveries d
    SET attempts = d.attempts + 1,
        tries = d.tries + 1,
        due_at = o.due_at,
        done_at = CASE WHEN o.state = 'delivered' THEN o.at ELSE d.done_at END,
        state = CASE
            WHEN d.state = 'delivered' THEN d.state  -- whoever else had it was luckier
            WHEN o.state = 'waiting' AND e.status <> 'active' THEN 'held'
            ELSE o.state
        END
    FROM outcome o, webhook_endpoints e
    WHERE d.number = o.number AND e.workspace = d.workspace AND e.endpoint_id = d.endpoint_id
    RETURNING d.workspace, d.number, d.attempts
),
kept AS (
    INSERT INTO webhook_attempts (
        workspace, delivery, number, at, status, error, duration_ms, answer
    )
    SELECT m.workspace, m.number, m.attempts, o.at, o.status, o.error, o.duration_ms, o.answer
    FROM moved m
    JOIN outcome o USING (number)
    ON CONFLICT DO NOTHING
),
recovering AS (
    SELECT e.workspace, e.endpoint_id
    FROM unnest($9::text[], $10::text[]) AS s (workspace, endpoint_id)
    JOIN webhook_endpoints e USING (workspace, endpoint_id)
    WHERE e.failing_since IS NOT NULL
    ORDER BY e.workspace, e.endpoint_id
    FOR UPDATE OF e
),
recovered AS (
    UPDATE webhook_endpoints e SET failing_since = NULL, warned = 0
    FROM recovering r
    WHERE e.workspace = r.workspace AND e.endpoint_id = r.endpoint_id
),
failing AS (
    SELECT e.workspace, e.endpoint_id, e.kind, e.url, e.warned, e.failing_since, f.at
    FROM unnest($11::text[], $12::text[], $13::timestamptz[]) AS f (workspace, endpoint_id, at)
    JOIN webhook_endpoints e USING (workspace, endpoint_id)
    WHERE e.status = 'active'
),
beginning AS (
    SELECT e.workspace, e.endpoint_id, f.at
    FROM failing f
    JOIN webhook_endpoints e USING (workspace, endpoint_id)
    WHERE f.failing_since IS NULL
    ORDER BY e.workspace, e.endpoint_id
    FOR UPDATE OF e
),
begun AS (
    UPDATE webhook_endpoints e SET failing_since = coalesce(e.failing_since, b.at)
    FROM beginning b
    WHERE e.workspace = b.workspace AND e.endpoint_id = b.endpoint_id
)
SELECT workspace, endpoint_id, kind, url, warned, coalesce(failing_since, at) AS failing_since
FROM failing;

-- name: give_back
-- Let go of what was leased and not tried.
UPDATE webhook_deliveries d SET due_at = $2
FROM unnest($1::bigint[]) AS k (number)
WHERE d.number = k.number AND d.state = 'waiting';

-- name: forget
-- Remove deliveries with their attempts that were done with before a time, the oldest first.
WITH oldest AS (
    SELECT d.number FROM webhook_deliveries d ORDER BY d.number LIMIT $1
),
chosen AS (
    SELECT d.number
    FROM webhook_deliveries d
    JOIN oldest USING (number)
    WHERE d.state <> 'waiting' AND coalesce(d.done_at, d.created_at) < $2
    FOR UPDATE OF d SKIP LOCKED
),
attempts AS (
    DELETE FROM webhook_attempts a USING chosen c
    WHERE a.delivery = c.number
),
deliveries AS (
    DELETE FROM webhook_deliveries d USING chosen c
    WHERE d.number = c.number
    RETURNING 1
)
SELECT count(*) FROM deliveries;

-- name: prune
-- Remove a stretch of what belongs to removed endpoints, and those of which nothing is left.
WITH removed AS (
    SELECT workspace, endpoint_id FROM webhook_endpoints WHERE status = 'removed' LIMIT 20
),
chosen AS (
    SELECT d.number
    FROM removed r
    JOIN webhook_deliveries d USING (workspace, endpoint_id)
    LIMIT $1
    FOR UPDATE OF d SKIP LOCKED
),
attempts AS (
    DELETE FROM webhook_attempts a USING chosen c
    WHERE a.delivery = c.number
),
deliveries AS (
    DELETE FROM webhook_deliveries d USING chosen c
    WHERE d.number = c.number
    RETURNING 1
),
emptied AS (
    DELETE FROM webhook_endpoints e USING removed r
    WHERE e.workspace = r.workspace AND e.endpoint_id = r.endpoint_id AND NOT EXISTS (
        SELECT FROM webhook_deliveries d
        WHERE d.workspace = e.workspace AND d.endpoint_id = e.endpoint_id
    )
    RETURNING 1
)
SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM emptied);

-- name: warn
-- Note a warning, unless it was noted before.
UPDATE webhook_endpoints SET warned = $3
WHERE workspace = $1 AND endpoint_id = $2 AND warned < $3 AND status = 'active'
AND failing_since IS NOT NULL
RETURNING endpoint_id;

-- name: disable
-- Disable an endpoint that is not yet.
UPDATE webhook_endpoints SET status = 'disabled', disabled_at = $3, disabled_reason = $4
WHERE workspace = $1 AND endpoint_id = $2 AND status = 'active'
RETURNING endpoint_id;

-- name: hold
-- Hold what waits for an endpoint.
UPDATE webhook_deliveries SET state = 'held'
WHERE workspace = $1 AND endpoint_id = $2 AND state = 'waiting';

-- name: tell
-- Tell a workspace's other subscriptions something that no event stands for.
INSERT INTO webhook_deliveries (workspace, endpoint_id, message_id, type, body, due_at)
SELECT e.workspace, e.endpoint_id, $3, $4, $5, $6
FROM webhook_endpoints e
WHERE e.workspace = $1 AND e.endpoint_id <> $2 AND e.kind = 'subscription'
AND e.status = 'active' AND $4 = ANY(e.event_types)
ON CONFLICT DO NOTHING;

-- name: reconciled
-- How far of the log was looked at; nothing while somebody else is looking.
SELECT seq FROM webhook_reconciled FOR UPDATE SKIP LOCKED;

-- name: set_reconciled
-- Say so.
UPDATE webhook_reconciled SET seq = $1;

-- name: settled
-- How far the log reached some seconds ago: what is younger is still on its way by Kafka.
SELECT coalesce(max(l.seq), 0)
FROM (
    SELECT l.seq, l.position FROM log l WHERE l.seq > $1 ORDER BY l.seq LIMIT $3
) l
JOIN events e ON e.position = l.position
WHERE e.recorded_at < now() - make_interval(secs => $2);

-- name: logged
-- What a stretch of the log has that webhooks tell of.
SELECT e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data, e.command_id,
    e.recorded_at
FROM log l
JOIN events e ON e.position = l.position
WHERE l.seq > $1 AND l.seq <= $2 AND e.type = ANY($3::text[])
ORDER BY l.seq;

-- name: figures
-- How much waits, since when, and how many endpoints are disabled.
SELECT
    (SELECT count(*) FROM webhook_deliveries WHERE state = 'waiting') AS waiting,
    (
        SELECT coalesce(extract(epoch FROM now() - min(d.created_at)), 0)::double precision
        FROM webhook_deliveries d WHERE d.state = 'waiting'
    ) AS oldest_s,
    (SELECT count(*) FROM webhook_endpoints WHERE status = 'disabled') AS disabled;

-- name: add
-- Add a subscription, unless the workspace has too many.
INSERT INTO webhook_endpoints (
    workspace, endpoint_id, url, event_types, types, requester, description, secret
)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE (
    SELECT count(*) FROM webhook_endpoints
    WHERE workspace = $1 AND kind = 'subscription' AND status <> 'removed'
) < $9
RETURNING endpoint_id, kind, url, event_types, types, requester, description, status, disabled_at,
    disabled_reason, failing_since, created_at;

-- name: list
-- Endpoints of one kind, newest first.
SELECT endpoint_id, kind, url, event_types, types, requester, description, status, disabled_at,
    disabled_reason, failing_since, created_at
FROM webhook_endpoints
WHERE workspace = $1 AND kind = $2 AND status <> 'removed'
AND ($3::timestamptz IS NULL OR (created_at, endpoint_id) < ($3, $4))
ORDER BY created_at DESC, endpoint_id DESC
LIMIT $5;

-- name: show
-- One endpoint.
SELECT endpoint_id, kind, url, event_types, types, requester, description, status, disabled_at,
    disabled_reason, failing_since, created_at
FROM webhook_endpoints
WHERE workspace = $1 AND endpoint_id = $2 AND status <> 'removed';

-- name: change
-- Change what a subscription asks for.
UPDATE webhook_endpoints
SET url = $3, event_types = $4, types = $5, requester = $6, description = $7
WHERE workspace = $1 AND endpoint_id = $2 AND kind = 'subscription' AND status <> 'removed'
RETURNING endpoint_id, kind, url, event_types, types, requester, description, status, disabled_at,
    disabled_reason, failing_since, created_at;

-- name: remove
-- Remove a subscription; what belongs to it goes little by little.
UPDATE webhook_endpoints SET status = 'removed', secret = NULL, previous_secret = NULL
WHERE workspace = $1 AND endpoint_id = $2 AND kind = 'subscription' AND status <> 'removed'
RETURNING endpoint_id;

-- name: rotate
-- Give a subscription another secret; the one before goes on for a while.
UPDATE webhook_endpoints SET secret = $3, previous_secret = secret, previous_until = $4
WHERE workspace = $1 AND endpoint_id = $2 AND kind = 'subscription' AND status <> 'removed'
RETURNING endpoint_id, kind, url, event_types, types, requester, description, status, disabled_at,
    disabled_reason, failing_since, created_at;

-- name: make_callback_secrets
-- Give the callbacks of some workspaces what signs them, where nobody has yet.
INSERT INTO webhook_callback_secrets (workspace, secret)
SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT DO NOTHING;

-- name: rotate_callback_secret
-- Give a workspace's callbacks a secret, or another one.
INSERT INTO webhook_callback_secrets AS held (workspace, secret)
VALUES ($1, $2)
ON CONFLICT (workspace) DO UPDATE
SET secret = excluded.secret, previous_secret = held.secret, previous_until = $3;

-- name: enable
-- Let an endpoint be told again.
UPDATE webhook_endpoints
SET status = 'active', disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, warned = 0
WHERE workspace = $1 AND endpoint_id = $2 AND status <> 'removed'
RETURNING endpoint_id, kind, url, event_types, types, requester, description, status, disabled_at,
    disabled_reason, failing_since, created_at;

-- name: deliveries
-- What an endpoint was to be told, newest first.
SELECT message_id, number, type, url, approval_id, version, state, due_at, attempts, created_at,
    done_at
FROM webhook_deliveries
WHERE workspace = $1 AND endpoint_id = $2 AND ($3::text IS NULL OR state = $3) AND number < $4
ORDER BY number DESC
LIMIT $5;

-- name: attempts
-- The latest attempts to make some deliveries.
SELECT d.delivery, a.number, a.at, a.status, a.error, a.duration_ms, a.answer
FROM unnest($2::bigint[]) AS d (delivery)
CROSS JOIN LATERAL (
    SELECT t.number, t.at, t.status, t.error, t.duration_ms, t.answer
    FROM webhook_attempts t
    WHERE t.workspace = $1 AND t.delivery = d.delivery
    ORDER BY t.number DESC
    LIMIT $3
) a
ORDER BY d.delivery, a.number;

-- name: replay_planned
-- Let an endpoint be told again, or for the first time, what it asks for now.
INSERT INTO webhook_deliveries AS held (
    workspace, endpoint_id, message_id, type, approval_id, version, due_at
)
SELECT $1, $2, d.message_id, d.type, d.approval_id, d.version, $7
FROM unnest($3::text[], $4::text[], $5::text[], $6::integer[])
    AS d (message_id, type, approval_id, version)
ORDER BY d.message_id
ON CONFLICT (workspace, endpoint_id, message_id) DO UPDATE
SET state = 'waiting', tries = 0, due_at = excluded.due_at
RETURNING message_id;

-- name: replay_kept
-- Let an endpoint be told again what it was to be told before.
UPDATE webhook_deliveries SET state = 'waiting', tries = 0, due_at = $5
WHERE workspace = $1 AND endpoint_id = $2 AND (
    message_id = ANY($3::text[]) OR (approval_id, version) IN (
        SELECT e.approval_id, e.version
        FROM unnest($4::text[], $6::integer[]) AS e (approval_id, version)
    )
)
RETURNING message_id;

-- name: replay_kept_between
-- Let a callback's origin be told again the outcomes of a time; tell where to go on.
WITH chosen AS (
    SELECT d.number
    FROM webhook_deliveries d
    LEFT JOIN events e ON e.workspace = d.workspace AND e.approval_id = d.approval_id
        AND e.version = d.version
    WHERE d.workspace = $1 AND d.endpoint_id = $2 AND d.number > $3
    AND coalesce(e.recorded_at, d.created_at) >= $4 AND coalesce(e.recorded_at, d.created_at) < $5
    ORDER BY d.number
    LIMIT $6
),
replayed AS (
    UPDATE webhook_deliveries d SET state = 'waiting', tries = 0, due_at = $7
    FROM chosen c
    WHERE d.number = c.number
)
SELECT count(*) AS replayed, max(number) AS last FROM chosen;

-- name: of_approvals
-- Some events, by approval and version, each with the one that its approval began with.
SELECT e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data, e.command_id,
    e.recorded_at
FROM unnest($2::text[], $3::integer[]) AS k (approval_id, version)
JOIN events e ON e.workspace = $1 AND e.approval_id = k.approval_id AND e.version = k.version
WHERE e.type = ANY($4::text[]);

-- name: place_of
-- The first place of the log from a time on, found by halving: the log has it by about that order.
WITH RECURSIVE search AS (
    SELECT 1::bigint AS low, h.seq + 1 AS high FROM log_head h
    UNION ALL
    SELECT CASE WHEN e.recorded_at < $1 THEN m.middle + 1 ELSE s.low END,
        CASE WHEN e.recorded_at < $1 THEN s.high ELSE m.middle END
    FROM search s
    CROSS JOIN LATERAL (SELECT (s.low + s.high) / 2 AS middle) m
    JOIN log l ON l.seq = m.middle
    JOIN events e ON e.position = l.position
    WHERE s.low < s.high
)
SELECT low FROM search WHERE low >= high;

-- name: between
-- A workspace's events of some types and of a time, from a place of the log on.
SELECT l.seq, e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data,
    e.command_id, e.recorded_at
FROM log l
JOIN events e ON e.position = l.position
WHERE l.workspace = $1 AND l.seq >= $2 AND l.seq < $3 AND e.type = ANY($4::text[])
AND e.recorded_at >= $5 AND e.recorded_at < $6
ORDER BY l.seq
LIMIT $7;

-- name: unfinished
-- How much of what some endpoints were to be told they were not, up to a bound. Each state is
-- written out: only so can the indexes of what waits and of what is stuck be used.
SELECT k.endpoint_id,
    (SELECT count(*) FROM (
        SELECT FROM webhook_deliveries d
        WHERE d.workspace = $1 AND d.endpoint_id = k.endpoint_id AND d.state = 'waiting'
        LIMIT $3
    ) found) AS waiting,
    (SELECT count(*) FROM (
        SELECT FROM webhook_deliveries d
        WHERE d.workspace = $1 AND d.endpoint_id = k.endpoint_id AND d.state = 'failed'
        LIMIT $3
    ) found) AS failed,
    (SELECT count(*) FROM (
        SELECT FROM webhook_deliveries d
        WHERE d.workspace = $1 AND d.endpoint_id = k.endpoint_id AND d.state = 'held'
        LIMIT $3
    ) found) AS held
FROM unnest($2::text[]) AS k (endpoint_id);
