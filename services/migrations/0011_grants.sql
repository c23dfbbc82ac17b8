-- People's own tokens at sources that are answered by nobody else's.

CREATE TABLE grants (
    workspace text NOT NULL,
    source text COLLATE "C" NOT NULL,
    email text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    renewable boolean NOT NULL,
    expires_at timestamptz,
    granted_at timestamptz NOT NULL DEFAULT now(),
    renewing_until timestamptz,
    broken_at timestamptz,
    broken_why text,
    PRIMARY KEY (workspace, source, email)
);
COMMENT ON TABLE grants IS 'One for each person and source.';
COMMENT ON COLUMN grants.sealed IS
    'The tokens, encrypted with PLACET_SECRET_KEY, for this workspace, source and person only.';
COMMENT ON COLUMN grants.version IS 'Counts the tokens: whoever renews some replaces those alone.';
COMMENT ON COLUMN grants.expires_at IS 'None where the token says no end.';
COMMENT ON COLUMN grants.renewing_until IS
    'Until then one process is renewing it: of those that rotate, only the first is taken.';
CREATE INDEX grants_person_idx ON grants (workspace, email);
CREATE INDEX grants_broken_idx ON grants (workspace, broken_at) WHERE broken_at IS NOT NULL;

CREATE TABLE grant_requests (
    state_digest bytea PRIMARY KEY,
    workspace text NOT NULL,
    source text NOT NULL,
    email text COLLATE "C" NOT NULL,
    session_digest bytea NOT NULL,
    verifier text NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE grant_requests IS
    'Who was sent to connect their account and is not back yet; a row is taken once.';
CREATE INDEX grant_requests_person_idx ON grant_requests (workspace, email, expires_at DESC);
CREATE INDEX grant_requests_expires_idx ON grant_requests (workspace, expires_at);

SELECT keep_workspaces_apart(name) FROM unnest(ARRAY['grants', 'grant_requests']) AS name;

GRANT SELECT, INSERT, UPDATE, DELETE ON grants, grant_requests TO placet_app;
