-- name: find
-- A key by its id, whichever workspace it opens.
SELECT workspace, secret_digest, principal, scopes, expires_at, revoked_at, agent
FROM find_key($1);

-- name: create
-- Keep a new key, by its hash.
INSERT INTO api_keys (workspace, key_id, secret_digest, principal, name, scopes, expires_at, agent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: revoke
-- End a key.
UPDATE api_keys SET revoked_at = now()
WHERE workspace = $1 AND key_id = $2 AND revoked_at IS NULL
RETURNING key_id;

-- name: list
-- Keys, newest first, without what is kept of their secrets.
SELECT key_id, principal, name, scopes, agent, created_at, expires_at, revoked_at FROM api_keys
WHERE workspace = $1 AND ($2::timestamptz IS NULL OR (created_at, key_id) < ($2, $3))
ORDER BY created_at DESC, key_id DESC
LIMIT $4;
