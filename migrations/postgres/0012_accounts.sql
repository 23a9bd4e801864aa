-- Several accounts: a batch is named by its account too, since two accounts may use the same ids. '' is the account
-- without a name, in which everything before this version lies.

ALTER TABLE batches
    ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (account ~ '^[a-z0-9-]{0,63}$'),
    DROP CONSTRAINT batches_batch_parent_module_key,
    ADD CONSTRAINT batches_once UNIQUE (batch, parent, module, account);

-- Into which account an upload went.
ALTER TABLE uploads
    ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (account ~ '^[a-z0-9-]{0,63}$');

-- Each account has the breakers `auth` and `api` of its own; all others are everybody's.
ALTER TABLE breakers
    ADD COLUMN account TEXT COLLATE "C" NOT NULL DEFAULT ''
        CHECK (account ~ '^[a-z0-9-]{0,63}$' AND (account = '' OR kind IN ('auth', 'api')));
DROP INDEX breakers_open;
CREATE UNIQUE INDEX breakers_open ON breakers (kind, account) WHERE closed_at IS NULL;

UPDATE retentiond_schema
SET version = 12;
