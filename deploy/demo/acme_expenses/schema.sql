CREATE TABLE reports (
    id               TEXT PRIMARY KEY,
    currency         TEXT NOT NULL,
    description      TEXT NOT NULL,
    submitter_email  TEXT NOT NULL,
    submitter_name   TEXT NOT NULL,
    submitter_record TEXT NOT NULL,
    approver_email   TEXT NOT NULL,
    approver_name    TEXT NOT NULL,
    approver_record  TEXT NOT NULL,
    line_items       TEXT NOT NULL,    -- JSON: [[item, category, cents], ...]
    total_cents      INTEGER NOT NULL CHECK (total_cents > 0),
    status           TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'rejected', 'cancelled')),
    version          INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    decided_by       TEXT,
    decided_at       TEXT,
    decision_reason  TEXT,
    listed_at        TEXT,             -- null: listed at once; otherwise hidden from lists until then
    CHECK ((status = 'pending') = (decided_at IS NULL))
) STRICT;

CREATE INDEX reports_by_update ON reports (updated_at, id);
CREATE INDEX reports_by_status ON reports (status, updated_at, id);

CREATE TABLE notes (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    report_id  TEXT NOT NULL REFERENCES reports (id),
    text       TEXT NOT NULL,
    author     TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX notes_by_report ON notes (report_id, number);

CREATE TABLE answers (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    key         TEXT NOT NULL UNIQUE,  -- the Idempotency-Key that a request came with
    fingerprint TEXT NOT NULL,         -- of that request
    status      INTEGER NOT NULL,
    headers     TEXT NOT NULL,         -- JSON object
    body        TEXT NOT NULL          -- JSON, as it was answered
) STRICT;

PRAGMA user_version = 1;
