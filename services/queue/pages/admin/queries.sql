-- name: sent
-- How many cards each channel took lately, counted up to a bound.
SELECT n.name,
    (SELECT count(*) FROM (
        SELECT FROM cards c
        WHERE c.workspace = $1 AND c.channel = n.name AND c.sent_at > now() - interval '1 hour'
        LIMIT $3
    ) found) AS hour,
    (SELECT count(*) FROM (
        SELECT FROM cards c
        WHERE c.workspace = $1 AND c.channel = n.name AND c.sent_at > now() - interval '1 day'
        LIMIT $3
    ) found) AS day,
    (SELECT max(c.sent_at) FROM cards c WHERE c.workspace = $1 AND c.channel = n.name) AS last_at
FROM unnest($2::text[]) AS n (name);

-- name: trouble
-- What was given up of the last two days, and what is not done yet, by channel: how much, and the
-- latest that has an error. Names of effects are kind:channel:person.
WITH given_up AS MATERIALIZED (
    SELECT e.effect, e.state, e.attempts, e.first_at, e.due_at, e.last_error
    FROM effects e
    WHERE e.workspace = $1 AND e.state = 'failed' AND e.first_at > now() - interval '2 days'
        AND split_part(e.effect, ':', 1) IN ('card', 'card_question', 'card_reminder')
    ORDER BY e.first_at DESC
    LIMIT $2
),
under_way AS MATERIALIZED (
    SELECT e.effect, e.state, e.attempts, e.first_at, e.due_at, e.last_error
    FROM effects e
    WHERE e.workspace = $1 AND e.state = 'started'
        AND split_part(e.effect, ':', 1) IN ('card', 'card_question', 'card_reminder')
    LIMIT $2
)
SELECT split_part(found.effect, ':', 2) AS name,
    count(*) FILTER (WHERE found.state = 'failed') AS failed,
    count(*) FILTER (WHERE found.state = 'started') AS waiting,
    count(*) FILTER (WHERE found.state = 'started' AND found.attempts > 1) AS retrying,
    min(found.first_at) FILTER (WHERE found.state = 'started') AS waiting_since,
    min(found.due_at) FILTER (WHERE found.state = 'started' AND found.attempts > 1) AS next_at,
    (array_agg(found.last_error ORDER BY found.first_at DESC)
        FILTER (WHERE found.last_error IS NOT NULL))[1] AS last_error,
    max(found.first_at) FILTER (WHERE found.last_error IS NOT NULL) AS last_error_of
FROM (SELECT * FROM given_up UNION ALL SELECT * FROM under_way) found
GROUP BY 1;

-- name: rests
-- What may not be asked just now, beside the sources.
SELECT bucket, blocked_until FROM rate_limits
WHERE workspace = $1 AND blocked_until > now() AND NOT starts_with(bucket, 'source:')
ORDER BY bucket
LIMIT $2;
