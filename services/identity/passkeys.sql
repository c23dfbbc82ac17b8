-- name: listed
-- Somebody's passkeys, oldest first.
SELECT credential_id, name, public_key, uses, created_at, last_used_at FROM passkeys
WHERE workspace = $1 AND email = $2 ORDER BY created_at, credential_id;

-- name: add
-- Keep a new passkey, unless somebody has it or has too many.
INSERT INTO passkeys (workspace, email, credential_id, name, public_key, uses)
SELECT $1, $2, $3, $4, $5, $6
WHERE (SELECT count(*) FROM passkeys WHERE workspace = $1 AND email = $2) < $7
ON CONFLICT DO NOTHING RETURNING 1;

-- name: used
-- Note what a passkey counts now; nothing where it counted as far already, and does count.
UPDATE passkeys SET uses = $4, last_used_at = now()
WHERE workspace = $1 AND email = $2 AND credential_id = $3 AND (uses < $4 OR $4 = 0)
RETURNING 1;

-- name: remove
-- Take a passkey away.
DELETE FROM passkeys WHERE workspace = $1 AND email = $2 AND credential_id = $3 RETURNING 1;

-- name: remove_all
-- Take all passkeys of somebody away.
DELETE FROM passkeys WHERE workspace = $1 AND email = $2 RETURNING 1;

-- name: forget_challenges
-- Drop what nobody confirmed, and all but the newest of somebody's.
DELETE FROM passkey_challenges WHERE workspace = $1 AND (expires_at < now()
    OR (email = $2 AND challenge_digest IN (
        SELECT challenge_digest FROM passkey_challenges
        WHERE workspace = $1 AND email = $2 ORDER BY expires_at DESC OFFSET $3)));

-- name: challenge
-- Keep what a passkey is asked to confirm.
INSERT INTO passkey_challenges
    (workspace, email, challenge_digest, session_digest, answer, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6));

-- name: take
-- Take what was to be confirmed, once.
DELETE FROM passkey_challenges WHERE workspace = $1 AND challenge_digest = $2
RETURNING email, session_digest, answer, expires_at > now() AS in_time;
