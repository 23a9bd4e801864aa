-- Nothing: PostgreSQL's 10 is who is there, and how work is shared out. Beside a file there is one process
-- that deletes, on one host. Both ledgers count their schemas alike, so that one number says what either holds.

PRAGMA user_version = 10;
