-- Whoever is at a timer holds it by a lease of its own, so that due_at stays what is due. A release
-- before this one moves due_at instead: then it is fired a lease later, and not lost.

ALTER TABLE timers ADD COLUMN leased_until timestamptz NOT NULL DEFAULT '-infinity';

COMMENT ON TABLE timers IS
    'What becomes due, and until when somebody is at it; due_at stays what it was.';
