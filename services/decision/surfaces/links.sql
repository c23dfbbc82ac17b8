-- name: find
-- What a token opens, in whichever workspace.
SELECT workspace, approval_id, approver, revision, wanted, channel, message_id, sent_at, expires_at
FROM find_link($1);

-- name: visits
-- Who came by the links of a mail; $3 is the one of them that is asked about.
SELECT v.at, v.method, v.user_agent, v.verdict, v.token_digest = $3 AS same_link
FROM link_tokens t
JOIN link_visits v USING (token_digest)
WHERE t.workspace = $1 AND t.message_id = $2
ORDER BY v.at
LIMIT 200;

-- name: visited
-- Keep a visit, unless so many are kept already.
INSERT INTO link_visits (workspace, token_digest, at, method, user_agent, verdict)
SELECT $1, $2, $3, $4, $5, $6
WHERE (SELECT count(*) FROM link_visits WHERE token_digest = $2) < $7;
