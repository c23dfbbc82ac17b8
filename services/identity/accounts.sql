-- name: forget_sign_ins
-- Drop those who never came back.
DELETE FROM sign_ins WHERE workspace = $1 AND expires_at < now();

-- name: begin
-- Keep what must come back with somebody.
INSERT INTO sign_ins
    (workspace, state_digest, browser_digest, nonce, verifier, return_to, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7));

-- name: take
-- Take what was kept, once.
DELETE FROM sign_ins WHERE workspace = $1 AND state_digest = $2
RETURNING browser_digest, nonce, verifier, return_to, expires_at > now() AS in_time;

-- name: bind
-- Bind an account to somebody, unless it, or they, are bound already.
INSERT INTO identities (workspace, issuer, subject, email) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING;

-- name: bound
-- Whose an account is.
SELECT email FROM identities WHERE workspace = $1 AND issuer = $2 AND subject = $3;

-- name: release
-- Let somebody's accounts go, so that the next sign-in binds anew.
DELETE FROM identities WHERE workspace = $1 AND email = $2 RETURNING subject;
