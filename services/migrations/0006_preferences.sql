-- How people want to be told: what they said themselves, laid over what placet.yaml says.

CREATE TABLE notification_preferences (
    workspace text NOT NULL,
    email text COLLATE "C" NOT NULL,
    said text NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    change bigint NOT NULL,
    PRIMARY KEY (workspace, email)
);
COMMENT ON TABLE notification_preferences IS
    'By address: also of people whom only placet.yaml knows, and of strangers.';
COMMENT ON COLUMN notification_preferences.said IS 'JSON: what was said, as callers write it.';
COMMENT ON COLUMN notification_preferences.change IS
    'The change of the directory that touched them last.';
CREATE INDEX notification_preferences_change_idx
    ON notification_preferences (workspace, change);

CREATE TABLE stop_tokens (
    token_digest bytea PRIMARY KEY,
    workspace text NOT NULL,
    email text NOT NULL,
    channel text NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE stop_tokens IS
    'What ends the messages on a channel from within a mail program: of a token only the SHA-256.';
CREATE INDEX stop_tokens_expires_idx ON stop_tokens (expires_at);

-- A token is looked up before it is known whose workspace it is of: see find_api_key.
CREATE FUNCTION find_stop_token(wanted bytea) RETURNS TABLE (
    workspace text, email text, channel text
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = placet, pg_temp
AS $$
    SELECT t.workspace, t.email, t.channel
    FROM stop_tokens t WHERE t.token_digest = wanted AND t.expires_at > now()
$$;

SELECT keep_workspaces_apart(name)
FROM unnest(ARRAY['notification_preferences', 'stop_tokens']) AS name;

GRANT SELECT, INSERT, UPDATE ON notification_preferences TO placet_app;
GRANT SELECT ON notification_preferences TO placet_worker;
GRANT SELECT, INSERT, DELETE ON stop_tokens TO placet_worker;
GRANT SELECT ON stop_tokens TO placet_app;
GRANT EXECUTE ON FUNCTION find_stop_token(bytea) TO placet_app;
