-- What clients of other approval systems expect beside approvals: agents' versions, what stands on
-- an approval, and which approvals belong to an issue. How anything was decided is never in here.

CREATE TABLE agent_versions (
    workspace text NOT NULL,
    agent_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    version_id text COLLATE "C" NOT NULL,
    config text NOT NULL,
    message text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, agent_id, version)
);
COMMENT ON TABLE agent_versions IS
    'What an agent is configured to; the highest version says whether its runs wait for a person.';
COMMENT ON COLUMN agent_versions.config IS 'JSON, as message is: jsonb and text cannot hold NUL.';

CREATE TABLE gated_actions (
    workspace text NOT NULL,
    action_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CHECK (kind IN ('execution', 'hire')),
    approval_id text COLLATE "C",
    doc text,
    idempotency_key text COLLATE "C",
    fingerprint text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace, action_id),
    CHECK ((approval_id IS NULL) <> (doc IS NULL)),
    CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
);
COMMENT ON TABLE gated_actions IS
    'An execution or a hire: what stands on an approval names it, and is read from it; what needed '
    'none holds itself as JSON in doc.';
CREATE UNIQUE INDEX gated_actions_once_idx ON gated_actions (workspace, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE TABLE issue_approvals (
    workspace text NOT NULL,
    issue_id text COLLATE "C" NOT NULL,
    approval_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (workspace, issue_id, approval_id)
);
COMMENT ON TABLE issue_approvals IS
    'Which approvals a comment on an issue is for, known before the ask is answered.';

SELECT keep_workspaces_apart(name)
FROM unnest(ARRAY['agent_versions', 'gated_actions', 'issue_approvals']) AS name;

GRANT SELECT, INSERT ON agent_versions, gated_actions, issue_approvals TO placet_app;
