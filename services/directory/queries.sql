-- What each process reads of the people and their absences.

-- name: changes
SELECT workspace, change FROM directories

-- name: change
SELECT change FROM directories WHERE workspace = $1

-- name: people
SELECT p.person_id, p.email, p.name, p.active, p.roles, p.manager, p.time_zone, p.channels, ARRAY(
    SELECT g.label
    FROM people_group_members m
    JOIN people_groups g ON g.workspace = m.workspace AND g.group_id = m.group_id
    WHERE m.workspace = p.workspace AND m.person_id = p.person_id
    ORDER BY g.label
) AS groups
FROM people p
WHERE p.workspace = $1 AND p.change > $2 AND p.person_id > $3
ORDER BY p.person_id LIMIT $4

-- name: delegations
SELECT delegation_id, person, delegate, begins, ends, reason
FROM delegations
WHERE workspace = $1 AND ended_at IS NULL AND ends > $2
ORDER BY begins, delegation_id LIMIT $3

-- How people and absences are changed.

-- name: count_up
INSERT INTO directories (workspace, change, people) VALUES ($1, 1, 0)
ON CONFLICT (workspace) DO UPDATE SET change = directories.change + 1
RETURNING change

-- name: is_inactive
SELECT EXISTS (SELECT FROM people WHERE workspace = $1 AND email = $2 AND NOT active)

-- name: open_delegations
SELECT delegation_id, person, delegate, begins, ends, reason
FROM delegations
WHERE workspace = $1 AND ended_at IS NULL AND ends > $2 AND begins < $3 AND ends > now()

-- name: count_delegations
SELECT count(*) AS everybody, count(*) FILTER (WHERE person = $2) AS own
FROM delegations
WHERE workspace = $1 AND ended_at IS NULL AND ends > now()

-- name: add_delegation
INSERT INTO delegations
    (workspace, delegation_id, person, delegate, begins, ends, reason, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING delegation_id, person, delegate, begins, ends, reason, created_by, created_at, ended_at,
    ended_by

-- name: one_delegation
SELECT delegation_id, person, delegate, begins, ends, reason, created_by, created_at, ended_at,
    ended_by
FROM delegations
WHERE workspace = $1 AND delegation_id = $2

-- name: same_delegation
SELECT delegation_id, person, delegate, begins, ends, reason, created_by, created_at, ended_at,
    ended_by
FROM delegations
WHERE workspace = $1 AND person = $2 AND delegate = $3 AND begins = $4 AND ends = $5
    AND ended_at IS NULL;

-- name: end_delegation
UPDATE delegations SET ended_at = now(), ended_by = $3
WHERE workspace = $1 AND delegation_id = $2 AND ended_at IS NULL AND ends > now()

-- name: list_delegations
SELECT delegation_id, person, delegate, begins, ends, reason, created_by, created_at, ended_at,
    ended_by
FROM delegations
WHERE workspace = $1 AND ended_at IS NULL AND ends > now()
    AND ($2::text IS NULL OR person = $2) AND ($3::text IS NULL OR delegate = $3)
    AND ($4::timestamptz IS NULL OR (begins, delegation_id) > ($4, $5))
ORDER BY begins, delegation_id LIMIT $6
