-- name: place
-- How far was counted, and how far the read models are known to reach; nothing while another
-- process counts.
SELECT c.seq, (SELECT r.seq FROM reconciled r) AS until
FROM figures_counted c
FOR UPDATE OF c SKIP LOCKED;

-- name: moved
-- Say how far was counted.
UPDATE figures_counted SET seq = $1;

-- name: count
-- Count a stretch of the log, by the day on which it happened. The time it took is from the ask;
-- what nobody answered, but a policy or the clock, has none.
INSERT INTO figures AS held (workspace, day, what, name, bucket, count)
SELECT happened.*, count(*)
FROM (
    SELECT e.workspace, (h.at AT TIME ZONE 'UTC')::date AS day,
        CASE e.type
            WHEN 'approval.requested' THEN 'asked'
            WHEN 'approval.decision_submitted' THEN 'answered'
            WHEN 'approval.decided' THEN a.status
            WHEN 'approval.withdrawn' THEN 'withdrawn'
            ELSE 'expired'
        END AS what,
        left(CASE e.type WHEN 'approval.decision_submitted' THEN h.actor ELSE a.type END, 254)
            AS name,
        (CASE
            WHEN e.type NOT IN ('approval.decision_submitted', 'approval.decided')
                OR h.actor LIKE '%@placet.invalid' THEN -1
            ELSE floor(
                4 * ln(greatest(1, extract(epoch FROM h.at - a.created_at))::double precision)
                / ln(2::double precision)
            )
        END)::smallint AS bucket
    FROM log l
    JOIN events e USING (position)
    JOIN approval_history h ON h.workspace = e.workspace AND h.approval_id = e.approval_id
        AND h.version = e.version
    JOIN approval_list a ON a.workspace = e.workspace AND a.approval_id = e.approval_id
    WHERE l.seq > $1 AND l.seq <= $2 AND e.type = ANY(ARRAY[
        'approval.requested', 'approval.decision_submitted', 'approval.decided',
        'approval.withdrawn', 'approval.expired'
    ])
) happened
WHERE happened.what IN ('asked', 'answered', 'approved', 'rejected', 'withdrawn', 'expired')
    AND NOT (happened.what = 'answered' AND happened.bucket = -1)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (workspace, what, day, name, bucket) DO UPDATE SET count = held.count + excluded.count;

-- name: forget
-- Remove what nobody looks at any more.
DELETE FROM figures WHERE day < (now() AT TIME ZONE 'UTC')::date - $1::integer;

-- name: by_day
-- How much of each happened on each day; of what is counted by approver there is too much.
SELECT day, what, sum(count)::bigint AS count FROM figures
WHERE workspace = $1 AND day >= $2 AND day <= $3
    AND what = ANY(ARRAY['asked', 'approved', 'rejected', 'withdrawn', 'expired', 'prevented'])
GROUP BY day, what;

-- name: prevented
-- What was refused because it was not true any more.
SELECT name, sum(count)::bigint AS count FROM figures
WHERE workspace = $1 AND day >= $2 AND day <= $3 AND what = 'prevented'
GROUP BY name;

-- name: times
-- How long it took: for those of whom there is most, how often in each bucket.
WITH counted AS MATERIALIZED (
    SELECT name, bucket, sum(count)::bigint AS count FROM figures
    WHERE workspace = $1 AND day >= $2 AND day <= $3 AND what = ANY($4::text[]) AND bucket >= 0
    GROUP BY name, bucket
),
most AS (
    SELECT name, sum(count) AS total FROM counted GROUP BY name ORDER BY total DESC, name LIMIT $5
)
SELECT c.name, c.bucket, c.count FROM counted c JOIN most m USING (name)
ORDER BY m.total DESC, c.name, c.bucket;

-- name: pending
-- How much waits since some times: between each and the next, at most so many of each.
SELECT edge.place, (
    SELECT count(*) FROM (
        SELECT FROM approval_list l
        WHERE l.workspace = $1 AND l.status = 'pending'
            AND l.approval_id >= edge.low AND l.approval_id < edge.high
        LIMIT $4
    ) found
) AS count
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS edge (low, high, place)
ORDER BY edge.place;

-- name: oldest
-- What waits the longest. The title is cut out of the JSON: a payload may hold what Postgres cannot
-- parse, and it comes after the title.
SELECT approval_id, type, created_at, expires_at,
    substring(left(doc, 20000) FROM '"title":("(?:[^"\\]|\\.)*")') AS title
FROM approval_list
WHERE workspace = $1 AND status = 'pending'
ORDER BY approval_id
LIMIT $2;

-- name: behind
-- How much of the log, of all workspaces, is not counted yet.
SELECT greatest(h.seq - c.seq, 0) FROM figures_counted c, log_head h;
