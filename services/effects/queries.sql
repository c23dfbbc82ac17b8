-- name: take
-- Write an effect down, or take it over once its lease or its delay is over.
INSERT INTO effects AS held (workspace, approval_id, version, effect, due_at)
VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5))
ON CONFLICT (workspace, approval_id, version, effect) DO UPDATE
SET due_at = excluded.due_at, attempts = held.attempts + 1
WHERE held.state = 'started' AND held.due_at <= now()
RETURNING attempts, sent, first_at;

-- name: sending
-- Something is about to leave this machine.
UPDATE effects SET sent = true
WHERE workspace = $1 AND approval_id = $2 AND version = $3 AND effect = $4;

-- name: leaving
-- Something is about to leave this machine, unless somebody else has taken it over meanwhile.
UPDATE effects
SET sent = true, due_at = greatest(due_at, now() + make_interval(secs => $6))
WHERE workspace = $1 AND approval_id = $2 AND version = $3 AND effect = $4
AND state = 'started' AND attempts = $5
RETURNING attempts;

-- name: done
-- It happened.
UPDATE effects SET state = 'done', last_error = NULL
WHERE workspace = $1 AND approval_id = $2 AND version = $3 AND effect = $4;

-- name: failed
-- It is given up.
UPDATE effects SET state = 'failed', last_error = $5
WHERE workspace = $1 AND approval_id = $2 AND version = $3 AND effect = $4;

-- name: later
-- It is to be tried again after a while.
UPDATE effects
SET due_at = now() + make_interval(secs => $5), last_error = $6, sent = sent AND $7
WHERE workspace = $1 AND approval_id = $2 AND version = $3 AND effect = $4 AND state = 'started';

-- name: due
-- What waits to be tried again.
SELECT workspace, approval_id, version, effect FROM effects
WHERE effect = $1 AND state = 'started' AND due_at <= now()
ORDER BY due_at
LIMIT $2;
