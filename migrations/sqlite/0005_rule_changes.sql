-- Changed rules wait for an approval where files would go sooner than under the set in force.

-- The policy file of each adopted set: what is in force must outlive a restart under a changed file.
CREATE TABLE rule_texts (
    rule_set INTEGER PRIMARY KEY REFERENCES rule_sets (id) CHECK (rule_set > 0),
    text     TEXT NOT NULL
) STRICT;

CREATE TABLE rule_changes (
    id             INTEGER PRIMARY KEY,
    before         INTEGER NOT NULL REFERENCES rule_sets (id) CHECK (before > 0),
    after          INTEGER NOT NULL REFERENCES rule_sets (id) CHECK (after > 0),
    seen_at        INTEGER NOT NULL,
    impact         TEXT NOT NULL CHECK (json_type(impact) = 'object'),
    approved_until INTEGER,
    -- Adopted, withdrawn, or another one took its place.
    ended_at       INTEGER,
    CHECK (before <> after)
) STRICT;
CREATE UNIQUE INDEX rule_changes_open ON rule_changes (ended_at IS NULL) WHERE ended_at IS NULL;

PRAGMA user_version = 5;
