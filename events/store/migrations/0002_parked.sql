-- Messages that could not be read, kept with their reason until somebody retries them.

CREATE TABLE parked (
    parked_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL,
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    digest bytea NOT NULL,
    key bytea,
    value bytea,
    headers jsonb NOT NULL DEFAULT '[]',
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 1,
    resolved_at timestamptz,
    UNIQUE (workspace, consumer, topic, partition, record_offset, digest)
);
COMMENT ON TABLE parked IS
    'Messages that could not be read, and rows of a source that could not be mapped (topic source:NAME).';
CREATE INDEX parked_open_idx ON parked (workspace, parked_id) WHERE resolved_at IS NULL;

ALTER TABLE parked ENABLE ROW LEVEL SECURITY;
ALTER TABLE parked FORCE ROW LEVEL SECURITY;
CREATE POLICY own_workspace ON parked TO placet_app
    USING (workspace = current_workspace()) WITH CHECK (workspace = current_workspace());
CREATE POLICY every_workspace ON parked TO placet_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON parked TO placet_app, placet_worker;
