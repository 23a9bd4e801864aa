-- Start events, the files that wait for one, and the files to be decided again.

-- What happened outside, to which files, and when. A correction replaces a row and keeps it: the old time,
-- when it was replaced, and (in the row that replaces it) why.
CREATE TABLE start_events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    scope       TEXT NOT NULL CHECK (scope IN ('file', 'batch', 'label')),
    label_key   TEXT,
    value       TEXT NOT NULL CHECK (length(value) > 0),
    happened_at INTEGER NOT NULL CHECK (happened_at BETWEEN -377705023201000 AND 253402300799999),
    recorded_at INTEGER NOT NULL,
    reason      TEXT CHECK (length(reason) > 0),
    replaced_at INTEGER,
    CHECK ((scope = 'label') = (label_key IS NOT NULL))
) STRICT;
-- One time in force for each name and scope; and how the events of a page of files are found.
CREATE UNIQUE INDEX start_events_in_force ON start_events (scope, value, ifnull(label_key, ''), name)
    WHERE replaced_at IS NULL;

-- What was once recorded stays; of a row in force nothing changes but that it is replaced.
CREATE TRIGGER start_events_stay BEFORE DELETE ON start_events BEGIN
    SELECT raise(ABORT, 'a start event is never removed');
END;
CREATE TRIGGER start_events_are_kept BEFORE UPDATE ON start_events
WHEN OLD.replaced_at IS NOT NULL
  OR NEW.replaced_at IS NULL
  OR (NEW.id, NEW.name, NEW.scope, NEW.value, NEW.happened_at, NEW.recorded_at)
     IS NOT (OLD.id, OLD.name, OLD.scope, OLD.value, OLD.happened_at, OLD.recorded_at)
  OR NEW.label_key IS NOT OLD.label_key
  OR NEW.reason IS NOT OLD.reason
BEGIN
    SELECT raise(ABORT, 'a start event is replaced, never changed');
END;

-- Files whose facts changed under their hints: the few that have to be decided again.
CREATE INDEX files_undecided ON files (file_id, batch) WHERE rule_set = 0 AND state IN (0, 4);

-- Live files without a due time, oldest upload first: those whose start is missing too long are among them.
CREATE INDEX files_without_due ON files (policy, uploaded_at, batch, file_id)
    WHERE state = 0 AND due_at IS NULL;

PRAGMA user_version = 3;
