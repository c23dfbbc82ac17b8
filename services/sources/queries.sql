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
