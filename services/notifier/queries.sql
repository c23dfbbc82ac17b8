-- name: of
-- Every card of some approvals.
SELECT c.workspace, c.approval_id, c.approver, c.channel, c.revision, c.reference, c.digest,
    c.shown, c.perhaps_twice
FROM unnest($1::text[], $2::text[]) AS k (workspace, approval_id)
JOIN cards c USING (workspace, approval_id)
ORDER BY c.workspace, c.approval_id, c.sent_at, c.channel, c.approver;

-- name: remember
-- Keep a card that was just sent.
INSERT INTO cards (
    workspace, approval_id, approver, channel, revision, reference, digest, shown, perhaps_twice
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING;

-- name: redrawn
-- Note what a card shows now, unless somebody else noted something meanwhile.
UPDATE cards SET shown = $8, digest = $9
WHERE workspace = $1 AND approval_id = $2 AND approver = $3 AND channel = $4 AND revision = $5
AND shown = $6 AND digest = $7
RETURNING approval_id;

-- name: due
-- What the notifier has to try again.
SELECT workspace, approval_id, version, effect FROM effects
WHERE state = 'started' AND due_at <= now() AND starts_with(effect, 'card')
ORDER BY due_at
LIMIT $1;

-- name: due_digests
-- Digests that were begun, and not sent or given up.
SELECT workspace, approval_id, version, effect FROM effects
WHERE state = 'started' AND due_at <= now() AND starts_with(effect, 'digest:')
ORDER BY due_at
LIMIT $1;

-- name: readers
-- For whom something waits: each looked up after the one before, however much waits for each.
WITH RECURSIVE found AS (
    (
        SELECT workspace, approver, 1 AS place FROM pending_queue
        WHERE (workspace, approver) > ($1, $2)
        ORDER BY workspace, approver LIMIT 1
    )
    UNION ALL
    SELECT next.workspace, next.approver, found.place + 1
    FROM found, LATERAL (
        SELECT q.workspace, q.approver FROM pending_queue q
        WHERE (q.workspace, q.approver) > (found.workspace, found.approver)
        ORDER BY q.workspace, q.approver LIMIT 1
    ) AS next
    WHERE found.place < $3
)
SELECT workspace, approver FROM found ORDER BY place;

-- name: waits_for
-- What waits for somebody, the most urgent first, then the oldest.
SELECT (
    SELECT array_agg(approval_id ORDER BY urgency, approval_id)
    FROM (
        SELECT approval_id, urgency FROM pending_queue
        WHERE workspace = $1 AND approver = $2 ORDER BY urgency, approval_id LIMIT $3
    ) AS first
) AS ids, (
    SELECT count(*) FROM pending_queue WHERE workspace = $1 AND approver = $2
) AS count;

-- name: unasked
-- A stretch of what is pending, and whether somebody whom it waits for has no card: none for its
-- revision, and none for a question. The revision is cut out of the JSON: a payload may hold what Postgres cannot parse, and it comes after the revision.
-- The key with its quotes cannot stand within a text before it: there they would be escaped.
WITH stretch AS (
    SELECT DISTINCT q.workspace, q.approval_id
    FROM pending_queue q
    WHERE (q.workspace, q.approval_id) > ($1, $2)
    ORDER BY q.workspace, q.approval_id
    LIMIT $3
),
waiting AS MATERIALIZED (
    SELECT s.workspace, s.approval_id, l.status, l.created_at,
        substring(l.doc FROM '"revision":("(?:[^"\\]|\\.)*")') AS revision
    FROM stretch s
    LEFT JOIN approval_list l USING (workspace, approval_id)
)
SELECT w.workspace, w.approval_id,
    w.status IS NOT DISTINCT FROM 'pending'
    AND w.created_at < now() - make_interval(secs => $4)
    AND EXISTS (
        SELECT FROM pending_queue q
        WHERE q.workspace = w.workspace AND q.approval_id = w.approval_id
        AND NOT EXISTS (
            SELECT FROM cards c
            WHERE c.workspace = q.workspace AND c.approval_id = q.approval_id
            AND c.approver = q.approver
            AND (to_json(c.revision)::text = w.revision OR starts_with(c.revision, 'question:'))
        )
    ) AS astray
FROM waiting w
ORDER BY w.workspace, w.approval_id;

-- name: left_open
-- A stretch of what has open cards, and whether one of them should not be open any more: one of
-- an older revision, or any once all is settled.
WITH stretch AS (
    SELECT c.workspace, c.approval_id, array_agg(c.revision)
        FILTER (WHERE NOT starts_with(c.revision, 'question:')) AS revisions
    FROM cards c
    WHERE c.shown = 'open' AND (c.workspace, c.approval_id) > ($1, $2)
    AND c.sent_at < now() - make_interval(secs => $4)
    GROUP BY c.workspace, c.approval_id
    ORDER BY c.workspace, c.approval_id
    LIMIT $3
)
SELECT s.workspace, s.approval_id,
    l.status IS NOT NULL AND (
        l.status NOT IN ('pending', 'deciding')
        OR EXISTS (
            SELECT FROM unnest(s.revisions) AS shown (revision)
            WHERE to_json(shown.revision)::text
                <> substring(l.doc FROM '"revision":("(?:[^"\\]|\\.)*")')
        )
    ) AS astray
FROM stretch s
LEFT JOIN approval_list l USING (workspace, approval_id)
ORDER BY s.workspace, s.approval_id;
