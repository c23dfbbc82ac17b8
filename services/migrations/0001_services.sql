-- What the services keep for themselves: keys, effects, cards, the mailbox and the rate limits.

CREATE TABLE api_keys (
    workspace text NOT NULL,
    key_id text COLLATE "C" NOT NULL UNIQUE,
    secret_digest bytea NOT NULL,
    principal text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (workspace, key_id)
);

-- A key is looked up before it is known whose workspace it opens. The function runs as the owner,
-- who is a member of placet_worker and so sees all of them, whether or not it is a superuser.
CREATE FUNCTION find_api_key(wanted text) RETURNS TABLE (
    workspace text, secret_digest bytea, principal text, scopes text[], expires_at timestamptz,
    revoked_at timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = placet, pg_temp
AS $$
    SELECT k.workspace, k.secret_digest, k.principal, k.scopes, k.expires_at, k.revoked_at
    FROM api_keys k WHERE k.key_id = wanted
$$;

CREATE TABLE effects (
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    effect text NOT NULL,
    state text NOT NULL DEFAULT 'started' CHECK (state IN ('started', 'done', 'failed')),
    attempts integer NOT NULL DEFAULT 1,
    sent boolean NOT NULL DEFAULT false,
    first_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    last_error text,
    PRIMARY KEY (workspace, approval_id, version, effect)
);
COMMENT ON TABLE effects IS
    'What is done outside, written down before it happens; due_at is also the lease of who does it.';
COMMENT ON COLUMN effects.sent IS 'Something left this machine whose answer may not have come back.';
CREATE INDEX effects_due_idx ON effects (effect, due_at) WHERE state = 'started';

CREATE TABLE cards (
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    approver text NOT NULL,
    channel text NOT NULL,
    revision text NOT NULL,
    reference text,
    digest text NOT NULL,
    shown text NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, approval_id, approver, channel, revision)
);
COMMENT ON TABLE cards IS 'Each card that was sent, and what it shows now: open, superseded or settled.';
CREATE INDEX cards_open_idx ON cards (workspace, approval_id) WHERE shown = 'open';

CREATE TABLE outbox_messages (
    workspace text NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    approver text NOT NULL,
    subject text NOT NULL,
    body_text text NOT NULL,
    body_html text NOT NULL,
    shown text NOT NULL CHECK (shown IN ('open', 'superseded', 'settled')),
    sent_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, message_id)
);
COMMENT ON TABLE outbox_messages IS 'The dev mailbox: what a channel would have sent, and as edited since.';
CREATE INDEX outbox_messages_newest_idx ON outbox_messages (workspace, sent_at DESC, message_id DESC);

CREATE TABLE rate_limits (
    workspace text NOT NULL,
    bucket text NOT NULL,
    tokens double precision NOT NULL,
    filled_at timestamptz NOT NULL,
    blocked_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (workspace, bucket)
);
COMMENT ON TABLE rate_limits IS 'One token bucket a source or channel, shared by every process.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'api_keys', 'effects', 'cards', 'outbox_messages', 'rate_limits'
    ]
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format(
            'CREATE POLICY own_workspace ON %I TO placet_app '
            'USING (workspace = current_workspace()) WITH CHECK (workspace = current_workspace())',
            name
        );
        EXECUTE format(
            'CREATE POLICY every_workspace ON %I TO placet_worker USING (true) WITH CHECK (true)',
            name
        );
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON
    api_keys, effects, cards, outbox_messages, rate_limits
    TO placet_app, placet_worker;
GRANT EXECUTE ON FUNCTION find_api_key(text) TO placet_app;
