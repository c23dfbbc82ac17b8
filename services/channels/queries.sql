-- name: send
-- Put a message into the mailbox, once.
INSERT INTO outbox_messages
    (workspace, message_id, approval_id, approver, subject, body_text, body_html, shown)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING;

-- name: find
-- Tell whether a message is there.
SELECT message_id FROM outbox_messages WHERE workspace = $1 AND message_id = $2;

-- name: update
-- Let a message show something else, and let the reminders of it be as open as it is.
WITH reminders AS (
    UPDATE outbox_messages SET shown = $6, updated_at = now()
    WHERE workspace = $1 AND message_id > $2 || '_' AND message_id < $2 || '`' AND shown <> $6
)
UPDATE outbox_messages
SET subject = $3, body_text = $4, body_html = $5, shown = $6, updated_at = now()
WHERE workspace = $1 AND message_id = $2
RETURNING message_id;

-- name: list
-- A page of messages, newest first, after a place in that order.
SELECT message_id, approval_id, approver, subject, shown, sent_at, updated_at
FROM outbox_messages
WHERE workspace = $1 AND ($2::text IS NULL OR approver = $2) AND (sent_at, message_id) < ($3, $4)
ORDER BY sent_at DESC, message_id DESC
LIMIT $5;

-- name: get
-- One message.
SELECT message_id, approval_id, approver, subject, shown, sent_at, updated_at, body_text, body_html
FROM outbox_messages
WHERE workspace = $1 AND message_id = $2;
