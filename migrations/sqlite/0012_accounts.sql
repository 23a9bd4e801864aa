-- Several accounts: a batch is named by its account too, since two accounts may use the same ids. '' is the account
-- without a name, in which everything before this version lies.

-- SQLite cannot widen a UNIQUE in place. The rows keep their numbers, which all else refers to by; whoever runs this
-- has foreign keys off, or dropping the old table would be refused.
DROP TRIGGER files_end;
CREATE TABLE batches_by_account (
    id     INTEGER PRIMARY KEY CHECK (id > 0),
    module TEXT NOT NULL CHECK (module IN ('classification', 'extraction')),
    parent TEXT NOT NULL CHECK (length(parent) > 0),
    batch  TEXT NOT NULL CHECK (length(batch) > 0),
    -- Files of it that are neither deleted nor gone.
    files_left INTEGER NOT NULL DEFAULT 0 CHECK (files_left >= 0),
    account TEXT NOT NULL DEFAULT '' CHECK (account NOT GLOB '*[^a-z0-9-]*' AND length(account) <= 63),
    UNIQUE (batch, parent, module, account)
) STRICT;
INSERT INTO batches_by_account (id, module, parent, batch, files_left)
SELECT id, module, parent, batch, files_left
FROM batches
ORDER BY id;
DROP TABLE batches;
ALTER TABLE batches_by_account RENAME TO batches;
CREATE TRIGGER files_end AFTER UPDATE OF state ON files
WHEN (OLD.state IN (2, 3)) <> (NEW.state IN (2, 3)) BEGIN
    UPDATE batches SET files_left = files_left + iif(NEW.state IN (2, 3), -1, 1) WHERE id = NEW.batch;
END;

-- Into which account an upload went.
ALTER TABLE uploads ADD COLUMN account TEXT NOT NULL DEFAULT ''
    CHECK (account NOT GLOB '*[^a-z0-9-]*' AND length(account) <= 63);

-- Each account has the breakers `auth` and `api` of its own; all others are everybody's.
ALTER TABLE breakers ADD COLUMN account TEXT NOT NULL DEFAULT ''
    CHECK (account NOT GLOB '*[^a-z0-9-]*' AND (account = '' OR kind IN ('auth', 'api')));
DROP INDEX breakers_open;
CREATE UNIQUE INDEX breakers_open ON breakers (kind, account) WHERE closed_at IS NULL;

PRAGMA user_version = 12;
