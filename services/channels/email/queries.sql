-- name: make
-- Keep what some new links open.
INSERT INTO link_tokens (
    token_digest, wanted, workspace, approval_id, approver, revision, channel, message_id,
    expires_at
)
SELECT digest, wanted, $3, $4, $5, $6, $7, $8, $9
FROM unnest($1::bytea[], $2::text[]) AS t (digest, wanted);

-- name: forget_old
-- Forget some links that are long over, with what was seen of them.
DELETE FROM link_tokens WHERE token_digest IN (
    SELECT token_digest FROM link_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT 20
);

-- name: take_notice
-- Take a notice that is not sent, and that nobody has been sending for a while.
INSERT INTO mail_notices (workspace, message_id) VALUES ($1, $2)
ON CONFLICT (workspace, message_id) DO UPDATE SET taken_at = now()
WHERE mail_notices.sent_at IS NULL AND mail_notices.taken_at < now() - $3::interval
RETURNING true;

-- name: notice_sent_at
-- Tell when a notice was sent, if it was.
SELECT sent_at FROM mail_notices WHERE workspace = $1 AND message_id = $2;

-- name: notice_sent
-- Note that a notice is out.
UPDATE mail_notices SET sent_at = now() WHERE workspace = $1 AND message_id = $2;

-- name: forget_notices
-- Forget some notices of long ago.
DELETE FROM mail_notices WHERE (workspace, message_id) IN (
    SELECT workspace, message_id FROM mail_notices WHERE sent_at < now() - $1::interval LIMIT 20
);

-- name: let_go_of_notice
-- Let anybody take a notice again.
DELETE FROM mail_notices WHERE workspace = $1 AND message_id = $2 AND sent_at IS NULL;

-- name: make_stop
-- Keep with what somebody may end what is mailed to them.
INSERT INTO stop_tokens (token_digest, workspace, email, channel, expires_at)
VALUES ($1, $2, $3, $4, $5);

-- name: forget_stops
-- A few that are over, each time that one is made.
DELETE FROM stop_tokens WHERE token_digest IN (
    SELECT token_digest FROM stop_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT 20
);
