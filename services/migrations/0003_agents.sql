-- Keys of agents: programs that act by themselves, that ask and never decide.

ALTER TABLE api_keys ADD COLUMN agent boolean NOT NULL DEFAULT false;
ALTER TABLE api_keys ADD CONSTRAINT api_keys_agents_do_not_decide
    CHECK (NOT (agent AND scopes && ARRAY['approvals:decide', 'admin']));

-- As find_api_key, which the previous release still calls.
CREATE FUNCTION find_key(wanted text) RETURNS TABLE (
    workspace text, secret_digest bytea, principal text, scopes text[], expires_at timestamptz,
    revoked_at timestamptz, agent boolean
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = placet, pg_temp
AS $$
    SELECT k.workspace, k.secret_digest, k.principal, k.scopes, k.expires_at, k.revoked_at, k.agent
    FROM api_keys k WHERE k.key_id = wanted
$$;

GRANT EXECUTE ON FUNCTION find_key(text) TO placet_app;
