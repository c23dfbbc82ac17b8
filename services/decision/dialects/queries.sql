-- What dialects keep beside approvals.

-- name: add_version
-- One more version of an agent, unless somebody else was adding one at the same moment.
INSERT INTO agent_versions (workspace, agent_id, version, version_id, config, message, created_by)
SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6
FROM agent_versions
WHERE workspace = $1 AND agent_id = $2
ON CONFLICT DO NOTHING
RETURNING version, created_at;

-- name: current_version
-- What holds for an agent now.
SELECT version, config FROM agent_versions
WHERE workspace = $1 AND agent_id = $2
ORDER BY version DESC
LIMIT 1;

-- name: keep_action
-- Keep an action, once for each id and each key.
INSERT INTO gated_actions (
    workspace, action_id, kind, approval_id, doc, idempotency_key, fingerprint
)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING;

-- name: action
-- One action.
SELECT action_id, approval_id, doc, fingerprint, created_at FROM gated_actions
WHERE workspace = $1 AND kind = $2 AND action_id = $3;

-- name: action_of_key
-- The action that a key came with before.
SELECT action_id, approval_id, doc, fingerprint, created_at FROM gated_actions
WHERE workspace = $1 AND kind = $2 AND idempotency_key = $3;

-- name: link_issues
-- Let an approval belong to some issues.
INSERT INTO issue_approvals (workspace, issue_id, approval_id)
SELECT $1, unnest($2::text[]), $3
ON CONFLICT DO NOTHING;

-- name: open_of_issue
-- Approvals of an issue that are not known to be final, a page after an id.
SELECT i.approval_id FROM issue_approvals i
LEFT JOIN approval_list l USING (workspace, approval_id)
WHERE i.workspace = $1 AND i.issue_id = $2 AND i.approval_id > $3
AND (l.status IS NULL OR l.status = ANY('{pending,deciding}'))
ORDER BY i.approval_id
LIMIT $4;

-- name: latest_of_issue
-- The approval of an issue that was asked for last.
SELECT approval_id FROM issue_approvals
WHERE workspace = $1 AND issue_id = $2
ORDER BY approval_id DESC
LIMIT 1;
