-- Who is signed in, how they did it, and the second factors that they have.

CREATE TABLE sessions (
    token_digest bytea PRIMARY KEY,
    workspace text NOT NULL,
    email text COLLATE "C" NOT NULL,
    assurance text NOT NULL CHECK (assurance IN ('session', 'step_up')),
    signed_in_by text NOT NULL CHECK (signed_in_by IN ('dev', 'oidc')),
    issuer text,
    subject text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
COMMENT ON TABLE sessions IS 'Of a token only the SHA-256 is kept: who reads this cannot sign in.';
CREATE INDEX sessions_person_idx ON sessions (workspace, email, created_at DESC)
    WHERE ended_at IS NULL;
CREATE INDEX sessions_expires_idx ON sessions (workspace, expires_at);

-- A session is looked up before it is known whose workspace it opens: see find_api_key.
CREATE FUNCTION find_session(wanted bytea, idle interval) RETURNS TABLE (
    workspace text, email text, assurance text, last_used_at timestamptz, left_s double precision
)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = placet, pg_temp
AS $$
    SELECT s.workspace, s.email, s.assurance, s.last_used_at,
        extract(epoch FROM least(s.expires_at, s.last_used_at + idle) - now())
    FROM sessions s
    WHERE s.token_digest = wanted AND s.ended_at IS NULL
        AND s.expires_at > now() AND s.last_used_at + idle > now()
$$;

CREATE TABLE sign_ins (
    state_digest bytea PRIMARY KEY,
    workspace text NOT NULL,
    browser_digest bytea NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    return_to text,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE sign_ins IS
    'Who was sent to the identity provider and is not back yet; a row is taken once.';
CREATE INDEX sign_ins_expires_idx ON sign_ins (workspace, expires_at);

CREATE TABLE identities (
    workspace text NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    email text COLLATE "C" NOT NULL,
    bound_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, issuer, subject),
    UNIQUE (workspace, issuer, email)
);
COMMENT ON TABLE identities IS
    'Which account of an identity provider is whose: bound when it first signs in.';

CREATE TABLE passkeys (
    credential_id bytea PRIMARY KEY,
    workspace text NOT NULL,
    email text COLLATE "C" NOT NULL,
    name text NOT NULL,
    public_key bytea NOT NULL,
    uses bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
COMMENT ON COLUMN passkeys.uses IS 'What the passkey counted when it was last used.';
CREATE INDEX passkeys_person_idx ON passkeys (workspace, email);

CREATE TABLE passkey_challenges (
    challenge_digest bytea PRIMARY KEY,
    workspace text NOT NULL,
    email text COLLATE "C" NOT NULL,
    session_digest bytea NOT NULL,
    answer text,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE passkey_challenges IS 'What a passkey was asked to confirm; a row is taken once.';
COMMENT ON COLUMN passkey_challenges.answer IS
    'JSON: the approval, and the form that answers it; none where a passkey is being added.';
CREATE INDEX passkey_challenges_expires_idx ON passkey_challenges (workspace, expires_at);

SELECT keep_workspaces_apart(name)
FROM unnest(ARRAY[
    'sessions', 'sign_ins', 'identities', 'passkeys', 'passkey_challenges'
]) AS name;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    sessions, sign_ins, identities, passkeys, passkey_challenges
    TO placet_app;
GRANT EXECUTE ON FUNCTION find_session(bytea, interval) TO placet_app;
