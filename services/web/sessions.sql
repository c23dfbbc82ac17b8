-- name: find
-- A session that is not over, whichever workspace it opens.
SELECT workspace, email, assurance, extract(epoch FROM now() - last_used_at) AS idle_s, left_s
FROM find_session($1, make_interval(secs => $2));

-- name: create
-- Keep a new session.
INSERT INTO sessions
    (token_digest, workspace, email, assurance, signed_in_by, issuer, subject, expires_at)
VALUES ($2, $1, $3, $4, $5, $6, $7, now() + make_interval(secs => $8));

-- name: keep_few
-- End the oldest sessions of somebody who has more than a few.
UPDATE sessions SET ended_at = now()
WHERE workspace = $1 AND ended_at IS NULL AND token_digest IN (
    SELECT token_digest FROM sessions
    WHERE workspace = $1 AND email = $2 AND ended_at IS NULL
    ORDER BY created_at DESC, token_digest OFFSET $3
);

-- name: forget
-- Drop what was over long ago, some at a time.
DELETE FROM sessions WHERE workspace = $1 AND token_digest IN (
    SELECT token_digest FROM sessions
    WHERE workspace = $1 AND expires_at < now() - make_interval(days => $2) LIMIT 100
);

-- name: replace
-- Give a session another token; how long it lasts stays as it was.
UPDATE sessions SET token_digest = $3, last_used_at = now()
WHERE workspace = $1 AND token_digest = $2 AND ended_at IS NULL
RETURNING 1;

-- name: touch
-- Note that a session is being used.
UPDATE sessions SET last_used_at = now()
WHERE workspace = $1 AND token_digest = $2 AND ended_at IS NULL;

-- name: end
-- End a session.
UPDATE sessions SET ended_at = now()
WHERE workspace = $1 AND token_digest = $2 AND ended_at IS NULL;

-- name: end_all_of
-- End every session of somebody.
UPDATE sessions SET ended_at = now()
WHERE workspace = $1 AND email = $2 AND ended_at IS NULL;
