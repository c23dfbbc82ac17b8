-- name: take
-- Refill the bucket and take a token, or say how many seconds to wait for one.
-- $3 is what it holds at most, $4 how many tokens come a second, $5 how many must stay behind.
WITH taken AS (
    INSERT INTO rate_limits AS r (workspace, bucket, tokens, filled_at)
    VALUES ($1, $2, $3::double precision - 1, clock_timestamp())
    ON CONFLICT (workspace, bucket) DO UPDATE SET
        tokens = least(
            $3, r.tokens + $4::double precision
                * greatest(extract(epoch FROM clock_timestamp() - r.filled_at), 0)::double precision
        ) - 1,
        filled_at = greatest(clock_timestamp(), r.filled_at)
    WHERE r.blocked_until <= clock_timestamp()
        AND least(
            $3, r.tokens + $4
                * greatest(extract(epoch FROM clock_timestamp() - r.filled_at), 0)::double precision
        ) >= 1 + $5::double precision
    RETURNING 1
)
SELECT 0::double precision AS wait FROM taken
UNION ALL
SELECT greatest(
    extract(epoch FROM nullif(blocked_until, '-infinity') - clock_timestamp())::double precision,
    (1 + $5 - least(
        $3, tokens + $4
            * greatest(extract(epoch FROM clock_timestamp() - filled_at), 0)::double precision
    )) / $4,
    0.001
)::double precision
FROM rate_limits
WHERE workspace = $1 AND bucket = $2 AND NOT EXISTS (SELECT FROM taken);

-- name: block
-- Let nobody take a token for $3 seconds; a longer block stays.
INSERT INTO rate_limits AS r (workspace, bucket, tokens, filled_at, blocked_until)
VALUES ($1, $2, 0, clock_timestamp(), clock_timestamp() + $3::double precision * interval '1 second')
ON CONFLICT (workspace, bucket) DO UPDATE SET
    blocked_until = greatest(r.blocked_until, excluded.blocked_until);

-- name: states
-- How some sources fare, whether or not they were ever polled. What is pending is counted among so
-- many of the workspace that a page may wait for it.
WITH pending AS MATERIALIZED (
    SELECT l.source FROM approval_list l
    WHERE l.workspace = $1 AND l.status = 'pending'
    ORDER BY l.approval_id DESC
    LIMIT $3
)
SELECT n.name, c.polled_at, c.swept_at, c.last_error, c.last_error_at, c.failing_since,
    coalesce(c.failures, 0) AS failures,
    c.lease_owner IS NOT NULL AND c.lease_until > clock_timestamp() AS held,
    c.paused_at, c.paused_by, c.wanted_at,
    CASE WHEN r.blocked_until > clock_timestamp() THEN r.blocked_until END AS rests_until,
    (SELECT count(*) FROM pending p WHERE p.source = n.name) AS pending,
    (SELECT count(*) FROM pending) = $3 AS pending_at_least
FROM unnest($2::text[]) AS n (name)
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = n.name
LEFT JOIN rate_limits r ON r.workspace = $1 AND r.bucket = 'source:' || n.name;

-- name: pause
-- Let nobody poll a source; it is there before it was ever polled, too.
INSERT INTO source_checkpoints AS c (workspace, source, paused_at, paused_by)
VALUES ($1, $2, clock_timestamp(), $3)
ON CONFLICT (workspace, source) DO UPDATE SET
    paused_at = excluded.paused_at, paused_by = excluded.paused_by, wanted_at = NULL
WHERE c.paused_at IS NULL
RETURNING 1;

-- name: resume
-- Let a source be polled again, beginning at once.
UPDATE source_checkpoints
SET paused_at = NULL, paused_by = NULL, wanted_at = clock_timestamp()
WHERE workspace = $1 AND source = $2 AND paused_at IS NOT NULL
RETURNING 1;

-- name: want
-- Have a source polled at once, unless it is paused.
INSERT INTO source_checkpoints AS c (workspace, source, wanted_at)
VALUES ($1, $2, clock_timestamp())
ON CONFLICT (workspace, source) DO UPDATE SET wanted_at = excluded.wanted_at
WHERE c.paused_at IS NULL
RETURNING 1;

-- name: paused
-- Every source that is paused.
SELECT workspace, source FROM source_checkpoints
WHERE paused_at IS NOT NULL
ORDER BY workspace, source
LIMIT $1;
