-- Webhooks: who is told, what each was to be told, and every attempt to tell it.

CREATE TABLE webhook_endpoints (
    workspace text NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    kind text NOT NULL DEFAULT 'subscription' CHECK (kind IN ('subscription', 'callback')),
    url text NOT NULL,
    event_types text[] NOT NULL DEFAULT '{}',
    types text[] NOT NULL DEFAULT '{}',
    requester text,
    description text NOT NULL DEFAULT '',
    secret text,
    previous_secret text,
    previous_until timestamptz,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'removed')),
    disabled_at timestamptz,
    disabled_reason text,
    failing_since timestamptz,
    warned integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, endpoint_id)
);
COMMENT ON TABLE webhook_endpoints IS
    'Subscriptions, and one endpoint for each origin that approvals name as their callback.';
COMMENT ON COLUMN webhook_endpoints.url IS 'Of a callback: its origin; each delivery has its own URL.';
COMMENT ON COLUMN webhook_endpoints.warned IS
    'How much of the time until it is disabled, in percent, was last warned of.';

CREATE TABLE webhook_callback_secrets (
    workspace text PRIMARY KEY,
    secret text NOT NULL,
    previous_secret text,
    previous_until timestamptz
);
COMMENT ON TABLE webhook_callback_secrets IS 'What signs the callbacks that approvals name.';

CREATE TABLE webhook_deliveries (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL,
    endpoint_id text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    url text,
    approval_id text COLLATE "C",
    version integer,
    body text,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'delivered', 'failed', 'held')),
    due_at timestamptz NOT NULL DEFAULT now(),
    tries integer NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    UNIQUE (workspace, endpoint_id, message_id)
) WITH (autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE webhook_deliveries IS
    'What an endpoint is to be told, once each; due_at is also the lease of who is telling it.';
COMMENT ON COLUMN webhook_deliveries.body IS
    'Of a message that no event stands for; any other is made from its event.';
COMMENT ON COLUMN webhook_deliveries.tries IS
    'Since it was last asked for; attempts counts those before a replay too.';

-- The sweep steps from endpoint to endpoint, so that one that hangs holds up no other.
CREATE INDEX webhook_deliveries_waiting_idx
    ON webhook_deliveries (workspace, endpoint_id, due_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_newest_idx
    ON webhook_deliveries (workspace, endpoint_id, number);
CREATE INDEX webhook_deliveries_stuck_idx
    ON webhook_deliveries (workspace, endpoint_id, state, number)
    WHERE state IN ('failed', 'held');

CREATE TABLE webhook_attempts (
    workspace text NOT NULL,
    delivery bigint NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    status integer,
    error text,
    duration_ms integer NOT NULL,
    answer text NOT NULL DEFAULT '',
    PRIMARY KEY (delivery, number)
);
COMMENT ON TABLE webhook_attempts IS 'Every attempt, with the first 2 KiB of what was answered.';

-- What Kafka never brought, because it lost its data, is found in the log; what was logged before
-- this release was nobody's to be told.
CREATE TABLE webhook_reconciled (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL
);
COMMENT ON TABLE webhook_reconciled IS 'How far of the log the deliveries are known to hold.';
INSERT INTO webhook_reconciled (seq) SELECT seq FROM log_head;

-- Lets each role see what it may of a table: placet_app its own workspace's rows.
CREATE FUNCTION keep_workspaces_apart(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = placet, pg_temp
AS $$
BEGIN
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
END
$$;

SELECT keep_workspaces_apart(name)
FROM unnest(ARRAY[
    'webhook_endpoints', 'webhook_callback_secrets', 'webhook_deliveries', 'webhook_attempts'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON
    webhook_endpoints, webhook_callback_secrets, webhook_deliveries, webhook_attempts
    TO placet_app, placet_worker;
GRANT DELETE ON webhook_endpoints, webhook_deliveries, webhook_attempts TO placet_worker;
GRANT SELECT, UPDATE ON webhook_reconciled TO placet_worker;
