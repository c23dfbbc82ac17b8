-- What administrators see and do: pauses of sources, what was done by whom, and figures by day.

-- What the page of channels counts, each by a stretch of an index. They come first: building them
-- takes a while, and from the first ALTER TABLE on nobody reads.
CREATE INDEX cards_recent_idx ON cards (workspace, channel, sent_at DESC);
CREATE INDEX effects_failed_idx ON effects (workspace, first_at DESC) WHERE state = 'failed';

ALTER TABLE source_checkpoints
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN paused_by text,
    ADD COLUMN wanted_at timestamptz,
    ADD COLUMN failing_since timestamptz;
COMMENT ON COLUMN source_checkpoints.paused_at IS
    'Since when nobody is to poll it: while it is set, no poller gets the lease.';
COMMENT ON COLUMN source_checkpoints.wanted_at IS
    'When somebody last wanted it polled at once; nobody once that was done.';
COMMENT ON COLUMN source_checkpoints.failing_since IS 'The first of the errors without a break.';
GRANT SELECT ON source_checkpoints TO placet_worker;

CREATE TABLE admin_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    by_email text NOT NULL,
    area text NOT NULL,
    verb text NOT NULL,
    object text NOT NULL,
    detail text NOT NULL DEFAULT '',
    once text COLLATE "C",
    done boolean NOT NULL DEFAULT false,
    result text NOT NULL DEFAULT ''
);
COMMENT ON TABLE admin_actions IS
    'Who did what on the pages for administrators: written down before, and marked when it is done.';
COMMENT ON COLUMN admin_actions.once IS 'What the form carried, so that sent twice it is done once.';
CREATE INDEX admin_actions_area_idx ON admin_actions (workspace, area, action_id DESC);
CREATE UNIQUE INDEX admin_actions_once_idx ON admin_actions (workspace, once)
    WHERE once IS NOT NULL;

CREATE TABLE figures (
    workspace text NOT NULL,
    what text NOT NULL,
    day date NOT NULL,
    name text COLLATE "C" NOT NULL,
    bucket smallint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (workspace, what, day, name, bucket)
);
COMMENT ON TABLE figures IS
    'How often something happened on a day (UTC), by type or by approver, and how long it took.';
COMMENT ON COLUMN figures.bucket IS
    'Quarters of a doubling of seconds: 4 * log2(seconds); -1 where no time was taken, or nobody decided.';

CREATE TABLE figures_counted (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq bigint NOT NULL
);
COMMENT ON TABLE figures_counted IS 'How far of the log the figures are counted.';
INSERT INTO figures_counted (seq) VALUES (0);

SELECT keep_workspaces_apart(name) FROM unnest(ARRAY['admin_actions', 'figures']) AS name;

GRANT SELECT, INSERT ON admin_actions TO placet_app;
GRANT UPDATE (done, result) ON admin_actions TO placet_app;
GRANT SELECT ON figures TO placet_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON figures TO placet_worker;
GRANT SELECT ON figures_counted TO placet_app;
GRANT SELECT, UPDATE ON figures_counted TO placet_worker;

-- The page of keys, newest first.
CREATE INDEX api_keys_newest_idx ON api_keys (workspace, created_at DESC, key_id DESC);
