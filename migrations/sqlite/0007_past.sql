-- What a decision of the past rested on, and how it is found: `explain` and `history`.

-- Policy files of a rule set that a later one replaced: the same periods, but perhaps other modes, other
-- lines. The present one is in rule_texts.
CREATE TABLE earlier_rule_texts (
    id          INTEGER PRIMARY KEY,
    rule_set    INTEGER NOT NULL REFERENCES rule_sets (id) CHECK (rule_set > 0),
    text        TEXT NOT NULL,
    replaced_at INTEGER NOT NULL
) STRICT;
CREATE INDEX earlier_rule_texts_of ON earlier_rule_texts (rule_set, id);

-- Every event that was ever recorded for a scope, replaced ones too.
CREATE INDEX start_events_of ON start_events (scope, value);

-- Requests by batch, and by time.
CREATE INDEX attempts_by_batch ON attempts (batch, id);
CREATE INDEX attempts_by_intent ON attempts (intent_at, id);

PRAGMA user_version = 7;
