-- name: sent_cards
SELECT revision, digest
  FROM cards
 WHERE workspace = $1 AND approval_id = $2 AND approver = $3 AND channel = $4
