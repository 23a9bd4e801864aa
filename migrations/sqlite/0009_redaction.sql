-- The log's own retention: facts that are over go, with what names them; the hashes of their leaves stay.

CREATE TABLE redaction (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    -- Leaves before this one were looked at: their bytes are gone, or they are in `leaves_kept`.
    looked_at   INTEGER NOT NULL DEFAULT 0 CHECK (looked_at >= 0),
    -- What was over before this instant has gone, last at `at`; NULL: nothing ever went.
    before      INTEGER,
    at          INTEGER,
    leaves      INTEGER NOT NULL DEFAULT 0 CHECK (leaves >= 0),
    files       INTEGER NOT NULL DEFAULT 0 CHECK (files >= 0),
    -- When all that had to go had gone.
    finished_at INTEGER,
    -- Inside a redaction's own transaction, never outside: rows of facts go then, and only then.
    under_way   INTEGER NOT NULL DEFAULT 0 CHECK (under_way IN (0, 1)),
    CHECK ((before IS NULL) = (at IS NULL))
) STRICT;
INSERT INTO redaction (one) VALUES (1);

-- Leaves that are old enough to go and stay, because what they tell of is not over; and the files that they name.
CREATE TABLE leaves_kept (
    seq INTEGER PRIMARY KEY REFERENCES leaves (seq)
) STRICT;
CREATE TABLE leaves_kept_files (
    batch   INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    seq     INTEGER NOT NULL REFERENCES leaves_kept (seq),
    PRIMARY KEY (batch, file_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX leaves_kept_files_of ON leaves_kept_files (seq);

-- A file's row goes only where nothing refers to it any more: these find that out without reading all.
CREATE INDEX plan_files_of ON plan_files (batch, file_id);
CREATE INDEX plans_by_time ON plans (at);
CREATE INDEX erasure_files_of ON erasure_files (batch, file_id);

DROP TRIGGER files_stay;
CREATE TRIGGER files_stay BEFORE DELETE ON files
WHEN OLD.state NOT IN (2, 3) OR NOT (SELECT under_way FROM redaction) BEGIN
    SELECT raise(ABORT, 'a file row is never removed');
END;
DROP TRIGGER start_events_stay;
CREATE TRIGGER start_events_stay BEFORE DELETE ON start_events
WHEN NOT (SELECT under_way FROM redaction) BEGIN
    SELECT raise(ABORT, 'a start event is never removed');
END;

PRAGMA user_version = 9;
