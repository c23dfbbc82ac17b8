-- name: begin
-- Write down what is about to be done.
INSERT INTO admin_actions (workspace, by_email, area, verb, object, detail, once)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (workspace, once) WHERE once IS NOT NULL DO NOTHING
RETURNING action_id;

-- name: end
-- Note what came of it.
UPDATE admin_actions SET done = $3, result = $4 WHERE workspace = $1 AND action_id = $2;

-- name: latest
-- What was done in an area, the latest first.
SELECT action_id, at, by_email, verb, object, detail, done, result FROM admin_actions
WHERE workspace = $1 AND area = $2
ORDER BY action_id DESC
LIMIT $3;
