-- name: by_programs
-- The latest visits to an approval's links that look like those of programs.
SELECT v.at, t.approver, v.verdict, v.user_agent
FROM link_tokens t
JOIN link_visits v USING (token_digest)
WHERE t.workspace = $1 AND t.approval_id = $2 AND v.verdict IS NOT NULL
ORDER BY v.at DESC
LIMIT $3;
