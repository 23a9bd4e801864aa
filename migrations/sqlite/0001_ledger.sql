-- The ledger, version 1. Times are integer UTC milliseconds; states are FileState::code().
-- A released migration is never edited: a change is a new file.

PRAGMA application_id = 1383353956; -- 0x52744e64, 'RtNd'

-- Names that many rows share, stored once ------------------------------------------------------

CREATE TABLE batches (
    id     INTEGER PRIMARY KEY CHECK (id > 0),
    module TEXT NOT NULL CHECK (module IN ('classification', 'extraction')),
    parent TEXT NOT NULL CHECK (length(parent) > 0),
    batch  TEXT NOT NULL CHECK (length(batch) > 0),
    -- Files of it that are neither deleted nor gone.
    files_left INTEGER NOT NULL DEFAULT 0 CHECK (files_left >= 0),
    UNIQUE (batch, parent, module)
) STRICT;

CREATE TABLE attributes (
    id            INTEGER PRIMARY KEY CHECK (id > 0),
    document_type TEXT CHECK (length(document_type) > 0),
    labels        TEXT NOT NULL CHECK (json_type(labels) = 'object')
) STRICT;
-- NULLs are distinct to a UNIQUE constraint, and '' is no document type.
CREATE UNIQUE INDEX attributes_once ON attributes (labels, ifnull(document_type, ''));

-- Policy 0 stands for "no policy owns it".
CREATE TABLE policies (
    id   INTEGER PRIMARY KEY CHECK (id >= 0),
    name TEXT UNIQUE CHECK (length(name) > 0),
    CHECK ((id = 0) = (name IS NULL))
) STRICT;
INSERT INTO policies (id, name) VALUES (0, NULL);

-- Rule set 0 stands for "to be decided again": no digest is in force under that number.
CREATE TABLE rule_sets (
    id           INTEGER PRIMARY KEY CHECK (id >= 0),
    digest       TEXT UNIQUE,
    description  TEXT NOT NULL,
    cursor_batch INTEGER NOT NULL DEFAULT 0,
    cursor_file  TEXT NOT NULL DEFAULT '',
    CHECK ((id = 0) = (digest IS NULL))
) STRICT;
INSERT INTO rule_sets (id, digest, description) VALUES (0, NULL, '');

-- Which rule set was in force from when on; the last row is the present one.
CREATE TABLE rule_adoptions (
    id         INTEGER PRIMARY KEY,
    rule_set   INTEGER NOT NULL REFERENCES rule_sets (id) CHECK (rule_set > 0),
    adopted_at INTEGER NOT NULL
) STRICT;

-- Files ------------------------------------------------------------------------------------------

-- Thin on purpose: every byte here is paid once per file, and again in each index.
CREATE TABLE files (
    batch        INTEGER NOT NULL REFERENCES batches (id),
    file_id      TEXT NOT NULL CHECK (length(file_id) BETWEEN 1 AND 512),
    state        INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    policy       INTEGER NOT NULL REFERENCES policies (id),
    uploaded_at  INTEGER NOT NULL CHECK (uploaded_at BETWEEN -377705023201000 AND 253402300799999),
    processed_at INTEGER CHECK (processed_at BETWEEN -377705023201000 AND 253402300799999),
    due_at       INTEGER,
    deadline_at  INTEGER CHECK (deadline_at IS NULL OR due_at IS NOT NULL),
    attributes   INTEGER REFERENCES attributes (id),
    rule_set     INTEGER NOT NULL REFERENCES rule_sets (id),
    -- The id leads: it serves `explain` and holds without an index of its own (a fifth of the file),
    -- and ids that carry their time arrive in order.
    PRIMARY KEY (file_id, batch)
) STRICT, WITHOUT ROWID;

-- What the tick reads: a policy's live files by due time. It leads with the policy, so that an
-- observed policy's backlog costs the others nothing, and covers the count of what is overdue.
CREATE INDEX files_due ON files (policy, due_at, batch, file_id, deadline_at)
    WHERE state = 0 AND due_at IS NOT NULL;
-- The few that are under way, unknown or given up.
CREATE INDEX files_unsettled ON files (state, batch, file_id) WHERE state IN (1, 4, 5);

-- Data subjects as keyed HMAC, never in clear.
CREATE TABLE subjects (
    batch   INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    subject TEXT NOT NULL CHECK (length(subject) > 0),
    PRIMARY KEY (batch, file_id),
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
) STRICT, WITHOUT ROWID;

-- Linked copies. The original need not be recorded.
CREATE TABLE copies (
    batch          INTEGER NOT NULL,
    file_id        TEXT NOT NULL,
    original_batch INTEGER NOT NULL REFERENCES batches (id),
    original_file  TEXT NOT NULL CHECK (length(original_file) > 0),
    PRIMARY KEY (batch, file_id),
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX copies_of_file ON copies (original_file, original_batch);
CREATE INDEX copies_of_batch ON copies (original_batch);

-- How often a file was refused, and the last reason.
CREATE TABLE strikes (
    batch   INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    strikes INTEGER NOT NULL CHECK (strikes >= 0),
    reason  TEXT NOT NULL,
    PRIMARY KEY (batch, file_id),
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
) STRICT, WITHOUT ROWID;

-- Files counted by what the faces and the limits ask for, so that neither grows with the ledger.
-- `rule_set` only where a hint can be acted on (live, unknown), else 0.
CREATE TABLE tallies (
    policy   INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    rule_set INTEGER NOT NULL,
    has_due  INTEGER NOT NULL CHECK (has_due IN (0, 1)),
    files    INTEGER NOT NULL CHECK (files >= 0),
    PRIMARY KEY (policy, state, rule_set, has_due)
) STRICT, WITHOUT ROWID;

-- Bulk work counts for itself, a page at a time (a trigger would cost a third of its rate): new files by
-- the statement that inserts them, changed hints by `tallies::{take_off, put_on}` around the change.
-- Moves between states are counted by the triggers here. `ledger check` compares all with the files.
CREATE TRIGGER files_come_in_live BEFORE INSERT ON files WHEN NEW.state <> 0 BEGIN
    SELECT raise(ABORT, 'a file comes in as live');
END;

CREATE TRIGGER files_end AFTER UPDATE OF state ON files
WHEN (OLD.state IN (2, 3)) <> (NEW.state IN (2, 3)) BEGIN
    UPDATE batches SET files_left = files_left + iif(NEW.state IN (2, 3), -1, 1) WHERE id = NEW.batch;
END;

CREATE TRIGGER files_move AFTER UPDATE OF state ON files BEGIN
    UPDATE tallies
    SET files = files - 1
    WHERE policy = OLD.policy
      AND state = OLD.state
      AND rule_set = iif(OLD.state IN (0, 4), OLD.rule_set, 0)
      AND has_due = (OLD.due_at IS NOT NULL);
    INSERT INTO tallies (policy, state, rule_set, has_due, files)
    VALUES (NEW.policy, NEW.state, iif(NEW.state IN (0, 4), NEW.rule_set, 0), NEW.due_at IS NOT NULL, 1)
    ON CONFLICT DO UPDATE SET files = files + 1;
END;

-- A file that was ever known stays known: the proof of its deletion hangs on it.
CREATE TRIGGER files_stay BEFORE DELETE ON files BEGIN
    SELECT raise(ABORT, 'a file row is never removed');
END;

-- Runs, plans, attempts --------------------------------------------------------------------------

CREATE TABLE sweeps (
    id         INTEGER PRIMARY KEY,
    policy     INTEGER NOT NULL REFERENCES policies (id) CHECK (policy > 0),
    occurrence INTEGER,
    trigger    TEXT NOT NULL CHECK (trigger IN ('schedule', 'catch-up', 'manual', 'approval')),
    rule_set   INTEGER NOT NULL REFERENCES rule_sets (id) CHECK (rule_set > 0),
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    state      TEXT NOT NULL CHECK (state IN ('open', 'done', 'stopped', 'cut', 'postponed')),
    -- Files that an intent of this sweep was committed for, each once; what was released is taken off.
    sent       INTEGER NOT NULL DEFAULT 0 CHECK (sent >= 0),
    summary    TEXT NOT NULL DEFAULT '{}' CHECK (json_type(summary) = 'object'),
    CHECK ((state = 'open') = (ended_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX sweeps_occurrence ON sweeps (policy, occurrence) WHERE occurrence IS NOT NULL;
CREATE INDEX sweeps_by_policy ON sweeps (policy, id);

CREATE TABLE schedules (
    policy     INTEGER PRIMARY KEY REFERENCES policies (id),
    first_seen INTEGER NOT NULL
) STRICT;

CREATE TABLE plans (
    id        INTEGER PRIMARY KEY,
    hash      TEXT NOT NULL UNIQUE CHECK (length(hash) > 0),
    policy    INTEGER NOT NULL REFERENCES policies (id),
    sweep     INTEGER NOT NULL REFERENCES sweeps (id),
    at        INTEGER NOT NULL,
    files     INTEGER NOT NULL CHECK (files >= 0),
    waits_for TEXT
) STRICT;
CREATE INDEX plans_waiting ON plans (at) WHERE waits_for IS NOT NULL;

CREATE TABLE plan_files (
    plan    INTEGER NOT NULL REFERENCES plans (id),
    batch   INTEGER NOT NULL,
    file_id TEXT NOT NULL,
    PRIMARY KEY (plan, batch, file_id),
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
    id          INTEGER PRIMARY KEY,
    plan        INTEGER NOT NULL REFERENCES plans (id),
    given_at    INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    used_at     INTEGER,
    used_by     INTEGER REFERENCES sweeps (id),
    CHECK ((used_at IS NULL) = (used_by IS NULL))
) STRICT;

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY,
    sweep        INTEGER NOT NULL REFERENCES sweeps (id),
    kind         TEXT NOT NULL CHECK (kind IN ('deleteFiles', 'deleteExtraction')),
    batch        INTEGER NOT NULL REFERENCES batches (id),
    intent_at    INTEGER NOT NULL,
    boottime_ms  INTEGER NOT NULL,
    settled_at   INTEGER,
    outcome      TEXT,
    http_status  INTEGER CHECK (http_status BETWEEN 0 AND 65535),
    detail       TEXT,
    CHECK ((settled_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX attempts_by_sweep ON attempts (sweep, id);
CREATE INDEX attempts_open ON attempts (id) WHERE settled_at IS NULL;

CREATE TABLE attempt_files (
    attempt     INTEGER NOT NULL REFERENCES attempts (id),
    file_id     TEXT NOT NULL,
    result      INTEGER CHECK (result BETWEEN 0 AND 5),
    verified_at INTEGER,
    finding     TEXT CHECK (finding IN ('absent', 'still-there')),
    PRIMARY KEY (attempt, file_id),
    CHECK ((verified_at IS NULL) = (finding IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_files_by_file ON attempt_files (file_id, attempt);
CREATE INDEX attempt_files_unverified ON attempt_files (attempt) WHERE result IN (2, 3) AND finding IS NULL;

-- Moves outside an attempt: a probe, a listing, an operator.
CREATE TABLE notes (
    id         INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    batch      INTEGER NOT NULL,
    file_id    TEXT NOT NULL,
    event      TEXT NOT NULL,
    from_state INTEGER NOT NULL CHECK (from_state BETWEEN 0 AND 5),
    to_state   INTEGER NOT NULL CHECK (to_state BETWEEN 0 AND 5),
    reason     TEXT NOT NULL,
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
) STRICT;
CREATE INDEX notes_by_file ON notes (batch, file_id);

-- What stops deletion ----------------------------------------------------------------------------

CREATE TABLE holds (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    scope          TEXT NOT NULL CHECK (scope IN ('file', 'batch', 'label', 'policy')),
    label_key      TEXT,
    value          TEXT NOT NULL,
    reason         TEXT NOT NULL,
    reference      TEXT,
    owner          TEXT,
    review_by      INTEGER,
    placed_at      INTEGER NOT NULL,
    released_at    INTEGER,
    release_reason TEXT,
    ends_at        INTEGER,
    CHECK ((scope = 'label') = (label_key IS NOT NULL)),
    CHECK ((released_at IS NULL) = (ends_at IS NULL)),
    CHECK ((released_at IS NULL) = (release_reason IS NULL))
) STRICT;
-- The claim reads every hold that may still cover: ended ones must not slow it down.
CREATE INDEX holds_by_end ON holds (ends_at);

CREATE TABLE breakers (
    id        INTEGER PRIMARY KEY,
    kind      TEXT NOT NULL
              CHECK (kind IN ('clock', 'auth', 'api', 'disk', 'integrity', 'collateral', 'rollback')),
    opened_at INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    closed_at INTEGER,
    closed_by TEXT,
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX breakers_open ON breakers (kind) WHERE closed_at IS NULL;

CREATE TABLE pauses (
    id         INTEGER PRIMARY KEY,
    since      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    cleared_at INTEGER
) STRICT;
CREATE UNIQUE INDEX pauses_one ON pauses (cleared_at IS NULL) WHERE cleared_at IS NULL;

CREATE TABLE clock (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    wall        INTEGER NOT NULL,
    boottime_ms INTEGER NOT NULL,
    boot_id     TEXT NOT NULL,
    high_water  INTEGER NOT NULL
) STRICT;

CREATE TABLE anomalies (
    id          INTEGER PRIMARY KEY,
    identity    TEXT NOT NULL UNIQUE,
    seen_at     INTEGER NOT NULL,
    skew_ms     INTEGER NOT NULL,
    resolved_at INTEGER
) STRICT;
CREATE INDEX anomalies_standing ON anomalies (id) WHERE resolved_at IS NULL;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which ledger this is, and how far it has come: held against the anchor file beside it, so that an
-- older copy that was put in its place is noticed. `suspicion` stays until an operator accepts it.
CREATE TABLE lineage (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    ledger    TEXT NOT NULL CHECK (length(ledger) = 32),
    sequence  INTEGER NOT NULL CHECK (sequence >= 0),
    suspicion TEXT
) STRICT;
INSERT INTO lineage (one, ledger, sequence) VALUES (1, lower(hex(randomblob(16))), 0);

PRAGMA user_version = 1;
