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

-- name: preferences
SELECT email, said, changed_at FROM notification_preferences
WHERE workspace = $1 AND change > $2 AND email > $3
ORDER BY email LIMIT $4

-- How people, absences and preferences are changed.

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

-- name: own_preferences
SELECT said, changed_at FROM notification_preferences WHERE workspace = $1 AND email = $2

-- name: prefer
INSERT INTO notification_preferences (workspace, email, said, changed_by, changed_at, change)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (workspace, email) DO UPDATE
SET said = excluded.said, changed_by = excluded.changed_by, changed_at = excluded.changed_at,
    change = excluded.change

-- name: look_again
-- What waits for its time is looked at again, once every process knows the preferences.
UPDATE effects SET due_at = now() + make_interval(secs => $3)
WHERE workspace = $1 AND effect = $2 AND state = 'started'
    AND due_at > now() + make_interval(secs => $3)

-- name: count_preferences
SELECT count(*) FROM notification_preferences WHERE workspace = $1

-- name: find_stop
SELECT workspace, email, channel FROM find_stop_token($1)
