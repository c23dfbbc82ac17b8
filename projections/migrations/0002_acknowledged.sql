-- Whether somebody has heard how an approval ended: what nobody has heard can be listed.

ALTER TABLE approval_list ADD COLUMN acknowledged boolean NOT NULL DEFAULT false;

CREATE INDEX approval_list_unheard_idx ON approval_list (workspace, approval_id DESC)
    WHERE source IS NULL AND NOT acknowledged
    AND status IN ('approved', 'rejected', 'withdrawn', 'expired');
