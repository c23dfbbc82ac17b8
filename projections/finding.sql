-- name: waiting
-- What waits for somebody under some conditions: most urgent first, then oldest. No more than so
-- many are looked at; `reached` tells how far, where that was not to the end.
WITH looked AS MATERIALIZED (
    SELECT q.urgency, q.approval_id
    FROM pending_queue q
    WHERE q.workspace = $1 AND q.approver = $2 AND (q.urgency, q.approval_id) > ($3, $4)
    ORDER BY q.urgency, q.approval_id
    LIMIT $5
),
page AS (
    SELECT k.urgency, k.approval_id, l.doc, l.status, l.source
    FROM looked k
    CROSS JOIN LATERAL (
        -- One by its key each time, until the page is full: never the whole table.
        SELECT * FROM approval_list l
        WHERE l.workspace = $1 AND l.approval_id = k.approval_id
        LIMIT 1
    ) l
    WHERE {conditions}
    ORDER BY k.urgency, k.approval_id
    LIMIT $6
)
SELECT
    string_agg(
        verified(p.doc, p.status, c.swept_at), ',' ORDER BY p.urgency, p.approval_id
    ) AS docs,
    count(*) AS rows,
    max(p.urgency || p.approval_id) AS last,
    (
        SELECT CASE WHEN count(*) = $5 THEN max(urgency || approval_id) END FROM looked
    ) AS reached,
    (SELECT count(*) FROM pending_queue q WHERE q.workspace = $1 AND q.approver = $2) AS waiting
FROM page p
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = p.source;

-- name: found
-- What somebody asked for, or was asked, under some conditions, newest first. No more than so many
-- are looked at; `reached` tells how far, where that was not to the end.
WITH looked AS MATERIALIZED (
    SELECT k.approval_id
    FROM {table} k
    WHERE k.workspace = $1 AND k.{who} = $2 AND k.approval_id < $3
    ORDER BY k.approval_id DESC
    LIMIT $4
),
page AS (
    SELECT k.approval_id, l.doc, l.status, l.source
    FROM looked k
    CROSS JOIN LATERAL (
        SELECT * FROM approval_list l
        WHERE l.workspace = $1 AND l.approval_id = k.approval_id
        LIMIT 1
    ) l
    WHERE {conditions}
    ORDER BY k.approval_id DESC
    LIMIT $5
)
SELECT
    string_agg(verified(p.doc, p.status, c.swept_at), ',' ORDER BY p.approval_id DESC) AS docs,
    count(*) AS rows,
    min(p.approval_id) AS last,
    (SELECT CASE WHEN count(*) = $4 THEN min(approval_id) END FROM looked) AS reached
FROM page p
LEFT JOIN source_checkpoints c ON c.workspace = $1 AND c.source = p.source;

-- name: kinds
-- The types and the sources that there are, each found by a step in its index.
WITH RECURSIVE types AS (
    (SELECT l.type FROM approval_list l WHERE l.workspace = $1 ORDER BY l.type LIMIT 1)
    UNION ALL
    SELECT (
        SELECT l.type FROM approval_list l
        WHERE l.workspace = $1 AND l.type > t.type ORDER BY l.type LIMIT 1
    )
    FROM types t WHERE t.type IS NOT NULL
),
sources AS (
    (
        SELECT l.source FROM approval_list l
        WHERE l.workspace = $1 AND l.source IS NOT NULL ORDER BY l.source LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT l.source FROM approval_list l
        WHERE l.workspace = $1 AND l.source > s.source ORDER BY l.source LIMIT 1
    )
    FROM sources s WHERE s.source IS NOT NULL
)
SELECT
    ARRAY(SELECT type FROM types WHERE type IS NOT NULL LIMIT $2) AS types,
    ARRAY(SELECT source FROM sources WHERE source IS NOT NULL LIMIT $2) AS sources;

-- name: narrowed_by_type
l.type = {value}

-- name: narrowed_by_source
l.source = {value}

-- name: narrowed_by_requester
strpos(l.requester, lower({value}::text)) > 0

-- name: narrowed_by_urgency
k.urgency = {value}

-- name: narrowed_by_time_left
l.expires_at < now() + make_interval(secs => {value})

-- name: narrowed_by_status
l.status = ANY({value}::text[])

-- name: narrowed_by_text
-- First whether it stands anywhere, which is quick, and then whether where people see it. It is cut
-- out of the JSON as text: none in it holds a quotation mark without a backslash, and what stands
-- before the title and the status is ours. Of a long payload only the beginning is unpacked, and
-- the name of who asks stands behind it; a payload may have a requester too, so their address is
-- part of what the name is found by.
(
    strpos(l.requester, lower({value}::text)) > 0
    OR strpos(lower(to_json(l.record_id)::text), lower({value}::text)) > 0
    OR EXISTS (
        SELECT FROM (
            SELECT lower({value}::text) AS wanted,
                CASE WHEN octet_length(l.doc) > 20000 THEN left(l.doc, 8000) ELSE l.doc END AS head
        ) t
        WHERE strpos(lower(t.head), t.wanted) > 0
        AND (
            strpos(
                lower(split_part(split_part(t.head, '"title":"', 2), '","status":"', 1)), t.wanted
            ) > 0
            OR strpos(
                lower(split_part(
                    split_part(
                        t.head, '","requester":{{"email":"' || l.requester || '","name":"', 2
                    ),
                    '"}}',
                    1
                )),
                t.wanted
            ) > 0
        )
    )
)

-- name: narrowed_by_answer
-- What they did last is an answer, and not the taking back of one. One history by its key each
-- time: with EXISTS in its place, every history there is may be read.
(
    SELECT h.type = 'approval.decision_submitted' FROM approval_history h
    WHERE h.workspace = $1 AND h.approval_id = k.approval_id AND h.actor = {value}
    AND h.type IN ('approval.decision_submitted', 'approval.decision_undone')
    ORDER BY h.version DESC
    LIMIT 1
)

-- name: narrowed_by_sharing
-- Read as the one above.
(
    SELECT true FROM approval_approvers a
    WHERE a.workspace = $1 AND a.approval_id = k.approval_id AND a.approver <> {value}
    LIMIT 1
)
