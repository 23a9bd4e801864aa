-- Nothing: PostgreSQL's 11 is what hosts on one ledger share, and what each has of its own. Beside a file there is one process
-- that deletes, on one host. Both ledgers count their schemas alike, so that one number says what either holds.

PRAGMA user_version = 11;
