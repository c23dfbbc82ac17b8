-- name: forget_requests
-- Drop those who never came back, and of one person all but the newest few.
DELETE FROM grant_requests
WHERE workspace = $1 AND (
    expires_at < now()
    OR state_digest IN (
        SELECT state_digest FROM grant_requests WHERE workspace = $1 AND email = $2
        ORDER BY expires_at DESC OFFSET $3
    )
);

-- name: begin
-- Keep what must come back with somebody.
INSERT INTO grant_requests
    (workspace, state_digest, source, email, session_digest, verifier, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7));

-- name: take
-- Take what was kept, once.
DELETE FROM grant_requests WHERE workspace = $1 AND state_digest = $2
RETURNING source, email, session_digest, verifier, expires_at > now() AS in_time;

-- name: forget_broken
-- Drop what was broken for long: nobody connected it again.
DELETE FROM grants WHERE workspace = $1 AND broken_at < now() - make_interval(secs => $2);

-- name: put
-- Keep the tokens that somebody granted, in place of those before.
INSERT INTO grants (workspace, source, email, sealed, renewable, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
ON CONFLICT (workspace, source, email) DO UPDATE SET
    sealed = excluded.sealed,
    renewable = excluded.renewable,
    expires_at = excluded.expires_at,
    version = grants.version + 1,
    granted_at = now(),
    renewing_until = NULL,
    broken_at = NULL,
    broken_why = NULL;

-- name: find
-- What somebody granted; how long it lasts by the clock of the database.
SELECT sealed, version, renewable, granted_at, broken_why,
    extract(epoch FROM expires_at - now())::double precision AS left_s
FROM grants WHERE workspace = $1 AND source = $2 AND email = $3;

-- name: of_person
-- Everything that somebody granted.
SELECT source, sealed, version, renewable, granted_at, broken_why,
    extract(epoch FROM expires_at - now())::double precision AS left_s
FROM grants WHERE workspace = $1 AND email = $2;

-- name: lease
-- The right to renew these tokens, unless somebody has it.
UPDATE grants SET renewing_until = now() + make_interval(secs => $5)
WHERE workspace = $1 AND source = $2 AND email = $3 AND version = $4 AND broken_at IS NULL
    AND (renewing_until IS NULL OR renewing_until < now())
RETURNING true;

-- name: let_go
-- Let others try to renew.
UPDATE grants SET renewing_until = NULL
WHERE workspace = $1 AND source = $2 AND email = $3 AND version = $4;

-- name: renew
-- Keep new tokens in place of those that were renewed.
UPDATE grants SET
    sealed = $5,
    renewable = $6,
    expires_at = now() + make_interval(secs => $7),
    version = version + 1,
    renewing_until = NULL,
    broken_at = NULL,
    broken_why = NULL
WHERE workspace = $1 AND source = $2 AND email = $3 AND version = $4;

-- name: break
-- Note that these tokens work no more.
UPDATE grants SET broken_at = now(), broken_why = $5, renewing_until = NULL
WHERE workspace = $1 AND source = $2 AND email = $3 AND version = $4 AND broken_at IS NULL;

-- name: remove
-- Forget what somebody granted.
DELETE FROM grants WHERE workspace = $1 AND source = $2 AND email = $3 RETURNING true;

-- name: remove_all
-- Forget everything that somebody granted, and whatever they are about to.
WITH requests AS (DELETE FROM grant_requests WHERE workspace = $1 AND email = $2)
DELETE FROM grants WHERE workspace = $1 AND email = $2 RETURNING source;
