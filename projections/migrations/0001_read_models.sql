-- Read models: what is asked of the events, made ready; rebuilt from the store at will.

CREATE TABLE approval_list (
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    status text NOT NULL,
    type text NOT NULL,
    requester text NOT NULL,
    source text,
    record_id text,
    round integer NOT NULL,
    subject text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    doc text NOT NULL,
    PRIMARY KEY (workspace, approval_id)
);
COMMENT ON TABLE approval_list IS 'Every approval as all surfaces show it; doc is its JSON.';
CREATE INDEX approval_list_status_idx ON approval_list (workspace, status, approval_id DESC);
CREATE INDEX approval_list_deciding_idx ON approval_list (approval_id) WHERE status = 'deciding';
CREATE INDEX approval_list_requester_idx ON approval_list (workspace, requester, approval_id DESC);
CREATE INDEX approval_list_type_idx ON approval_list (workspace, type, approval_id DESC);
CREATE INDEX approval_list_source_idx ON approval_list (workspace, source, record_id, round DESC)
    WHERE source IS NOT NULL;
CREATE INDEX approval_list_subject_idx ON approval_list (workspace, subject, approval_id DESC)
    WHERE subject IS NOT NULL;

CREATE TABLE approval_approvers (
    workspace text NOT NULL,
    approver text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, approver, approval_id)
);
COMMENT ON TABLE approval_approvers IS 'Who was ever asked to decide what.';
CREATE INDEX approval_approvers_approval_idx ON approval_approvers (workspace, approval_id);

CREATE TABLE pending_queue (
    workspace text NOT NULL,
    approver text NOT NULL,
    urgency smallint NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, approver, urgency, approval_id)
);
COMMENT ON TABLE pending_queue IS
    'What waits for whom, most urgent (0) first, then oldest: ids sort by time.';
CREATE INDEX pending_queue_approval_idx ON pending_queue (workspace, approval_id);

CREATE TABLE approval_history (
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    actor text,
    summary text NOT NULL,
    PRIMARY KEY (workspace, approval_id, version)
);
COMMENT ON TABLE approval_history IS 'The audit trail of each approval, a sentence an event; the facts stand in events.';

CREATE TABLE timers (
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, approval_id, kind)
);
COMMENT ON TABLE timers IS 'What becomes due; due_at is also the lease of whoever is at it.';
CREATE INDEX timers_due_idx ON timers (due_at);

CREATE TABLE source_checkpoints (
    workspace text NOT NULL,
    source text NOT NULL,
    cursor text,
    polled_at timestamptz,
    swept_at timestamptz,
    last_error text,
    last_error_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (workspace, source)
);
COMMENT ON COLUMN source_checkpoints.swept_at IS
    'When the last complete sweep began: all that was pending then was seen, or is withdrawn.';
CREATE TABLE reconciled (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL
);
COMMENT ON TABLE reconciled IS 'How far of the log the read models are known to hold.';
INSERT INTO reconciled (seq) VALUES (0);

-- An approval's JSON with the later of its own reading and its source's last sweep. The doc begins
-- {"verified_at":"…","id": or {"verified_at":null,"id":, whatever the payload holds further on.
CREATE FUNCTION verified(doc text, status text, swept_at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN status = 'pending' AND swept_at > nullif(split_part(doc, '"', 4), 'id')::timestamptz
    THEN '{"verified_at":"'
        || to_char(swept_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"'
        || substr(doc, strpos(doc, ',"id":'))
    ELSE doc
END;

-- Lets each role see and do what it may; a rebuild calls it for the tables that it swaps in.
CREATE FUNCTION protect_read_model(name text) RETURNS void
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
        'CREATE POLICY every_workspace ON %I TO placet_worker USING (true) WITH CHECK (true)', name
    );
    EXECUTE format('GRANT SELECT ON %I TO placet_app', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO placet_worker', name);
END
$$;

SELECT protect_read_model(name)
FROM unnest(ARRAY[
    'approval_list', 'approval_approvers', 'pending_queue', 'approval_history', 'timers',
    'source_checkpoints'
]) AS name;

GRANT SELECT, INSERT, UPDATE ON source_checkpoints TO placet_app;
GRANT SELECT, UPDATE ON reconciled TO placet_worker;
