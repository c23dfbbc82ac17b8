-- The people and groups of one workspace, as an import and an identity provider change them.

-- name: count_people
UPDATE directories SET people = people + $2 WHERE workspace = $1 RETURNING people

-- name: by_email
SELECT p.*, ARRAY(
    SELECT g.label FROM people_group_members m
    JOIN people_groups g ON g.workspace = m.workspace AND g.group_id = m.group_id
    WHERE m.workspace = p.workspace AND m.person_id = p.person_id AND g.origin = 'csv'
    ORDER BY g.label
) AS own_groups, ARRAY(
    SELECT g.label FROM people_group_members m
    JOIN people_groups g ON g.workspace = m.workspace AND g.group_id = m.group_id
    WHERE m.workspace = p.workspace AND m.person_id = p.person_id AND g.origin = 'scim'
) AS provided_groups
FROM people p
WHERE p.workspace = $1 AND p.email = ANY($2)

-- name: put
INSERT INTO people (
    workspace, person_id, email, name, active, roles, manager, time_zone, channels, origin,
    user_name, external_id, document, removed, change
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (workspace, person_id) DO UPDATE SET
    email = excluded.email, name = excluded.name, active = excluded.active,
    roles = excluded.roles, manager = excluded.manager, time_zone = excluded.time_zone,
    channels = excluded.channels, origin = excluded.origin, user_name = excluded.user_name,
    external_id = excluded.external_id, document = excluded.document,
    removed = excluded.removed, change = excluded.change, updated_at = now()

-- name: rename_manager
UPDATE people SET manager = $3, change = $4 WHERE workspace = $1 AND manager = $2

-- name: end_between
UPDATE delegations SET ended_at = now()
WHERE workspace = $1 AND ended_at IS NULL AND ends > now()
    AND person = ANY($2) AND delegate = ANY($2)

-- name: rename_person
UPDATE delegations SET person = $3
WHERE workspace = $1 AND person = $2 AND ended_at IS NULL AND ends > now()

-- name: rename_delegate
UPDATE delegations SET delegate = $3
WHERE workspace = $1 AND delegate = $2 AND ended_at IS NULL AND ends > now()

-- name: touch
UPDATE people SET change = $2 WHERE workspace = $1 AND person_id = ANY($3)

-- name: groups_by_label
SELECT label, group_id, origin FROM people_groups WHERE workspace = $1 AND label = ANY($2)

-- name: provided_labels
SELECT label FROM people_groups WHERE workspace = $1 AND origin = 'scim' AND label = ANY($2)

-- name: add_own_group
INSERT INTO people_groups (workspace, group_id, label, name, origin)
VALUES ($1, $2, $3, $4, 'csv')

-- name: leave_own_groups
DELETE FROM people_group_members m USING people_groups g
WHERE m.workspace = $1 AND m.person_id = ANY($2)
    AND g.workspace = m.workspace AND g.group_id = m.group_id AND g.origin = 'csv'

-- name: join_groups
INSERT INTO people_group_members (workspace, person_id, group_id)
SELECT $1, one.person_id, one.group_id
FROM unnest($2::text[], $3::text[]) AS one (person_id, group_id)
ON CONFLICT DO NOTHING

-- How an identity provider sees people and groups.

-- name: scim_at_email
SELECT * FROM people WHERE workspace = $1 AND email = $2

-- name: scim_count
SELECT count(*) FROM people
WHERE workspace = $1 AND NOT removed AND ($2::boolean IS NULL OR active = $2)

-- name: scim_page
SELECT * FROM people
WHERE workspace = $1 AND NOT removed AND ($2::boolean IS NULL OR active = $2)
ORDER BY person_id OFFSET $3 LIMIT $4

-- name: scim_by_id
SELECT * FROM people WHERE workspace = $1 AND person_id = $2 AND NOT removed

-- name: scim_by_username
SELECT * FROM people
WHERE workspace = $1 AND NOT removed
    AND (lower(user_name) = lower($2) OR (user_name IS NULL AND email = lower($2)))
ORDER BY person_id LIMIT 1000

-- name: scim_by_externalid
SELECT * FROM people
WHERE workspace = $1 AND external_id = $2 AND NOT removed ORDER BY person_id LIMIT 1000

-- name: scim_by_email
SELECT * FROM people WHERE workspace = $1 AND email = lower($2) AND NOT removed

-- name: scim_by_displayname
SELECT * FROM people
WHERE workspace = $1 AND lower(name) = lower($2) AND NOT removed ORDER BY person_id LIMIT 1000

-- name: groups_of
SELECT m.person_id, g.group_id, g.name
FROM people_group_members m
JOIN people_groups g ON g.workspace = m.workspace AND g.group_id = m.group_id
WHERE m.workspace = $1 AND m.person_id = ANY($2)
ORDER BY g.label

-- name: names_at
SELECT email, person_id, name FROM people
WHERE workspace = $1 AND email = ANY($2) AND NOT removed

-- name: reference
SELECT email FROM people
WHERE workspace = $1 AND NOT removed
    AND (person_id = $2 OR external_id = $2 OR lower(user_name) = lower($2) OR email = lower($2))
ORDER BY person_id <> $2, external_id IS DISTINCT FROM $2 LIMIT 1

-- name: leave_groups
DELETE FROM people_group_members WHERE workspace = $1 AND person_id = $2

-- name: group
SELECT * FROM people_groups WHERE workspace = $1 AND group_id = $2

-- name: group_at_label
SELECT * FROM people_groups WHERE workspace = $1 AND label = $2

-- name: group_count
SELECT count(*) FROM people_groups g
WHERE workspace = $1 AND ($2::text IS NULL OR label = $2)
    AND ($3::text IS NULL OR external_id = $3) AND ($4::text IS NULL OR group_id = $4)
    AND ($5::text IS NULL OR EXISTS (
        SELECT FROM people_group_members m
        WHERE m.workspace = $1 AND m.group_id = g.group_id AND m.person_id = $5
    ))

-- name: group_page
SELECT * FROM people_groups g
WHERE workspace = $1 AND ($2::text IS NULL OR label = $2)
    AND ($3::text IS NULL OR external_id = $3) AND ($4::text IS NULL OR group_id = $4)
    AND ($5::text IS NULL OR EXISTS (
        SELECT FROM people_group_members m
        WHERE m.workspace = $1 AND m.group_id = g.group_id AND m.person_id = $5
    ))
ORDER BY group_id OFFSET $6 LIMIT $7

-- name: group_members
SELECT m.group_id, m.person_id, p.email
FROM people_group_members m
JOIN people p ON p.workspace = m.workspace AND p.person_id = m.person_id
WHERE m.workspace = $1 AND m.group_id = ANY($2)
ORDER BY p.email LIMIT $3

-- name: put_group
INSERT INTO people_groups (workspace, group_id, label, name, external_id, origin)
VALUES ($1, $2, $3, $4, $5, 'scim')
ON CONFLICT (workspace, group_id) DO UPDATE SET
    label = excluded.label, name = excluded.name, external_id = excluded.external_id,
    origin = 'scim', updated_at = now()

-- name: remove_group
DELETE FROM people_groups WHERE workspace = $1 AND group_id = $2

-- name: touch_members
UPDATE people SET change = $3
WHERE workspace = $1 AND person_id IN (
    SELECT m.person_id FROM people_group_members m WHERE m.workspace = $1 AND m.group_id = $2
)

-- name: known_people
SELECT person_id FROM people WHERE workspace = $1 AND person_id = ANY($2) AND NOT removed

-- name: add_members
INSERT INTO people_group_members (workspace, group_id, person_id)
SELECT $1, $2, one.person_id FROM unnest($3::text[]) AS one (person_id)
ON CONFLICT DO NOTHING
RETURNING person_id

-- name: remove_members
DELETE FROM people_group_members
WHERE workspace = $1 AND group_id = $2 AND person_id = ANY($3)
RETURNING person_id

-- name: keep_members
DELETE FROM people_group_members
WHERE workspace = $1 AND group_id = $2 AND person_id <> ALL($3)
RETURNING person_id
