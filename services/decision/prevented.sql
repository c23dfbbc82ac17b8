-- name: add
-- Add what was refused to the counts of today.
INSERT INTO figures AS held (workspace, day, what, name, bucket, count)
SELECT p.workspace, (now() AT TIME ZONE 'UTC')::date, 'prevented', p.code, -1, p.count
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS p (workspace, code, count)
ON CONFLICT (workspace, what, day, name, bucket) DO UPDATE SET count = held.count + excluded.count;
