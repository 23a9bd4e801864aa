-- Erasure requests. Data subjects as keyed HMAC, never in clear.

CREATE TABLE erasures (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    scope        TEXT NOT NULL CHECK (scope IN ('subject', 'file', 'batch')),
    value        TEXT NOT NULL CHECK (length(value) > 0),
    reference    TEXT NOT NULL UNIQUE CHECK (length(reference) > 0),
    -- A civil date: what counts from it is counted on the calendar.
    received     TEXT NOT NULL CHECK (received GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    placed_at    INTEGER NOT NULL,
    closed_at    INTEGER,
    -- NULL where every copy was verified gone.
    close_reason TEXT CHECK (length(close_reason) > 0),
    CHECK (closed_at IS NOT NULL OR close_reason IS NULL)
) STRICT;
-- The claim reads every request that is open: closed ones must not slow it down.
CREATE INDEX erasures_open ON erasures (id) WHERE closed_at IS NULL;

-- The files that a request covers, found when it is entered and kept up by every intake while it is open:
-- a sweep of requests costs what they cover, not what is stored.
CREATE TABLE erasure_files (
    erasure INTEGER NOT NULL REFERENCES erasures (id),
    batch   INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    PRIMARY KEY (erasure, batch, file_id),
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX subjects_by_subject ON subjects (subject);

PRAGMA user_version = 4;
