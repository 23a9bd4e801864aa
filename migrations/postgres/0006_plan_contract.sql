-- What a plan's hash is made of, so that it can be computed again over what is stored. A plan that waits from
-- before lacks it, and its hash is another one: it waits no longer, and the next sweep makes it anew.

UPDATE plans SET waits_for = NULL WHERE waits_for IS NOT NULL;
DELETE FROM approvals WHERE used_at IS NULL;
DROP TABLE plan_files;

ALTER TABLE plans ADD COLUMN rule_set BIGINT REFERENCES rule_sets (id) CHECK (rule_set > 0);

CREATE TABLE plan_files (
    plan      BIGINT NOT NULL REFERENCES plans (id),
    -- In the plan's order, from 0: the hash is over the files one after the other.
    place     BIGINT NOT NULL CHECK (place >= 0),
    batch     BIGINT NOT NULL,
    file_id   TEXT COLLATE "C" NOT NULL,
    starts_at BIGINT NOT NULL,
    due_at    BIGINT NOT NULL,
    PRIMARY KEY (plan, place),
    FOREIGN KEY (batch, file_id) REFERENCES files (batch, file_id)
);

UPDATE retentiond_schema
SET version = 6;
