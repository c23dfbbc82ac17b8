-- name: lock
-- One migration at a time.
SELECT pg_advisory_lock($1::bigint);

-- name: schema
-- Where everything stands.
CREATE SCHEMA IF NOT EXISTS placet;

-- name: table
-- What was applied, with the digest of the file as it was then.
CREATE TABLE IF NOT EXISTS placet.migrations (
    package text,
    name text,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, name)
);

-- name: applied
-- Every migration that this database has.
SELECT package, name, digest FROM placet.migrations;

-- name: done
-- Remember that one was applied.
INSERT INTO placet.migrations (package, name, digest) VALUES ($1, $2, $3);
