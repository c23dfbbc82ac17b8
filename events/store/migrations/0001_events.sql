-- The append-only store, the claims that name approvals, and the hash-chained log that is published.

DO $$
BEGIN
    -- Asked first: who may not make roles is refused before it is seen that there is nothing to do.
    IF to_regrole('placet_app') IS NULL THEN
        CREATE ROLE placet_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;  -- roles belong to the cluster: another database may have made it
END
$$;

DO $$
BEGIN
    IF to_regrole('placet_worker') IS NULL THEN
        CREATE ROLE placet_worker NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT placet_app, placet_worker TO %I', current_user);
END
$$;

GRANT USAGE ON SCHEMA placet TO placet_app, placet_worker;

-- The workspace that a connection speaks for: nothing, and so no row at all, until it says one.
CREATE FUNCTION current_workspace() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('placet.workspace', true), '');

CREATE TABLE events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    workspace text NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    type text NOT NULL,
    schema_version smallint NOT NULL,
    data text NOT NULL,
    command_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_stream_version_key UNIQUE (workspace, approval_id, version)
);

COMMENT ON TABLE events IS 'What happened to each approval; rows are added and never changed.';
COMMENT ON COLUMN events.data IS 'The JSON as written: text keeps the bytes, which jsonb would not.';

-- Positions are drawn before they commit: only the pair (xid, position) below the oldest running
-- transaction is a safe way to follow the table.
CREATE INDEX events_tail_idx ON events (xid, position);

CREATE TABLE claims (
    workspace text NOT NULL,
    kind text NOT NULL,
    key text COLLATE "C" NOT NULL,
    round integer NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    fingerprint text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT claims_pkey PRIMARY KEY (workspace, kind, key, round)
);

COMMENT ON TABLE claims IS
    'A key that names one approval for ever: an idempotency key, or a round of a source''s record.';

CREATE TABLE log (
    seq bigint PRIMARY KEY,
    position bigint NOT NULL UNIQUE,
    workspace text NOT NULL,
    hash bytea NOT NULL
);

COMMENT ON TABLE log IS 'Every event once, densely numbered in a safe order, each chained to the last.';

CREATE TABLE log_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL,
    xid xid8 NOT NULL,
    position bigint NOT NULL,
    hash bytea NOT NULL
);

INSERT INTO log_head (seq, xid, position, hash) VALUES (0, '0', 0, sha256(''));

CREATE TABLE publisher_cursor (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    published bigint NOT NULL
);

INSERT INTO publisher_cursor (published) VALUES (0);

-- Moves at most `batch` committed events into the log and returns how many. The lock on log_head
-- makes a second sequencer wait; the two statements after it each see what was committed before
-- them, and the horizon and the rows come from one statement, hence one snapshot.
CREATE FUNCTION sequence_log(batch integer) RETURNS integer
LANGUAGE plpgsql
SET search_path = placet, pg_temp
AS $$
DECLARE
    head log_head;
    next_event record;
    moved integer := 0;
BEGIN
    PERFORM 1 FROM log_head h
    WHERE EXISTS (
        SELECT FROM events e
        WHERE (e.xid, e.position) > (h.xid, h.position)
        AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
    );
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    SELECT * INTO STRICT head FROM log_head FOR UPDATE;
    FOR next_event IN
        SELECT e.xid, e.position, e.workspace,
            sha256(convert_to(
                concat_ws(
                    E'\n', e.workspace, e.approval_id, e.version, e.type, e.schema_version, e.data
                ),
                'UTF8'
            )) AS digest
        FROM events e
        WHERE (e.xid, e.position) > (head.xid, head.position)
        AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY e.xid, e.position
        LIMIT batch
    LOOP
        moved := moved + 1;
        head.seq := head.seq + 1;
        head.xid := next_event.xid;
        head.position := next_event.position;
        head.hash := sha256(head.hash || next_event.digest);
        INSERT INTO log (seq, position, workspace, hash)
        VALUES (head.seq, next_event.position, next_event.workspace, head.hash);
    END LOOP;
    UPDATE log_head
    SET seq = head.seq, xid = head.xid, position = head.position, hash = head.hash;
    RETURN moved;
END
$$;

ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE events FORCE ROW LEVEL SECURITY;
ALTER TABLE claims ENABLE ROW LEVEL SECURITY;
ALTER TABLE claims FORCE ROW LEVEL SECURITY;
ALTER TABLE log ENABLE ROW LEVEL SECURITY;
ALTER TABLE log FORCE ROW LEVEL SECURITY;

CREATE POLICY own_workspace ON events TO placet_app
    USING (workspace = current_workspace()) WITH CHECK (workspace = current_workspace());
CREATE POLICY every_workspace ON events TO placet_worker USING (true) WITH CHECK (true);
CREATE POLICY own_workspace ON claims TO placet_app
    USING (workspace = current_workspace()) WITH CHECK (workspace = current_workspace());
CREATE POLICY every_workspace ON claims TO placet_worker USING (true) WITH CHECK (true);
CREATE POLICY own_workspace ON log TO placet_app USING (workspace = current_workspace());
CREATE POLICY every_workspace ON log TO placet_worker USING (true) WITH CHECK (true);

-- Nobody may change or remove what happened: not these roles, and no other has a grant.
GRANT SELECT, INSERT ON events, claims TO placet_app, placet_worker;
GRANT SELECT ON log TO placet_app;
GRANT SELECT, INSERT ON log TO placet_worker;
GRANT SELECT ON log_head, publisher_cursor TO placet_app;
GRANT SELECT, UPDATE ON log_head, publisher_cursor TO placet_worker;
