-- Links in e-mails: what each opens, who opened it, and which later words were already sent.

CREATE TABLE link_tokens (
    token_digest bytea PRIMARY KEY,
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    approver text COLLATE "C" NOT NULL,
    revision text NOT NULL,
    wanted text NOT NULL CHECK (wanted IN ('approved', 'rejected')),
    channel text NOT NULL,
    message_id text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE link_tokens IS
    'Of a token only the SHA-256 is kept. Whether it was used stands in the events: the answer''s '
    'command id names it.';
CREATE INDEX link_tokens_approval_idx ON link_tokens (workspace, approval_id);
CREATE INDEX link_tokens_message_idx ON link_tokens (workspace, message_id);
CREATE INDEX link_tokens_expires_idx ON link_tokens (expires_at);

CREATE TABLE link_visits (
    workspace text NOT NULL,
    token_digest bytea NOT NULL REFERENCES link_tokens ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT now(),
    method text NOT NULL,
    user_agent text NOT NULL,
    verdict text
);
COMMENT ON COLUMN link_visits.verdict IS 'Why this looks like a program; null for a person.';
CREATE INDEX link_visits_token_idx ON link_visits (token_digest, at);

-- A link is looked up before it is known whose workspace it opens: see find_api_key.
CREATE FUNCTION find_link(wanted_digest bytea) RETURNS TABLE (
    workspace text, approval_id text, approver text, revision text, wanted text, channel text,
    message_id text, sent_at timestamptz, expires_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = placet, pg_temp
AS $$
    SELECT t.workspace, t.approval_id, t.approver, t.revision, t.wanted, t.channel, t.message_id,
        t.sent_at, t.expires_at
    FROM link_tokens t WHERE t.token_digest = wanted_digest
$$;

CREATE TABLE mail_notices (
    workspace text NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    PRIMARY KEY (workspace, message_id)
);
COMMENT ON TABLE mail_notices IS
    'That what somebody was mailed about is over: mail cannot be edited, so it is told, once.';

SELECT keep_workspaces_apart(name)
FROM unnest(ARRAY['link_tokens', 'link_visits', 'mail_notices']) AS name;

GRANT SELECT, INSERT, DELETE ON link_tokens TO placet_worker;
GRANT SELECT ON link_tokens TO placet_app;
GRANT SELECT, INSERT ON link_visits TO placet_app;
GRANT SELECT, DELETE ON link_visits TO placet_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_notices TO placet_worker;
GRANT SELECT ON mail_notices TO placet_app;
GRANT EXECUTE ON FUNCTION find_link(bytea) TO placet_app;
