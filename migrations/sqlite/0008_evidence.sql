-- Evidence: every fact is a leaf of a Merkle tree, written in the fact's own transaction.

-- Content may be redacted, the hash never: the tree stays whole.
CREATE TABLE leaves (
    seq     INTEGER PRIMARY KEY CHECK (seq >= 0),
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL CHECK (length(kind) > 0),
    hash    BLOB NOT NULL CHECK (length(hash) = 32),
    content TEXT
) STRICT;

-- What opens the commitments of a leaf: apart, so that it can go while the leaf stays. `sealed` holds in clear what
-- is not found elsewhere in the ledger; the files of an attempt are those of its row.
CREATE TABLE leaf_salts (
    seq    INTEGER PRIMARY KEY REFERENCES leaves (seq),
    salt   BLOB NOT NULL CHECK (length(salt) = 32),
    sealed TEXT CHECK (json_type(sealed) = 'object')
) STRICT;

-- The tree's right edge: the roots of its whole subtrees, the largest first. `before`: how much there was
-- before the first leaf, which says so.
CREATE TABLE tree (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    size   INTEGER NOT NULL CHECK (size >= 0),
    edge   BLOB NOT NULL CHECK (length(edge) % 32 = 0),
    before TEXT NOT NULL CHECK (json_type(before) = 'object')
) STRICT;
INSERT INTO tree (one, size, edge, before)
SELECT 1, 0, x'', json_object(
    'transactions', (SELECT sequence FROM lineage),
    'sweeps', (SELECT count(*) FROM sweeps),
    'attempts', (SELECT count(*) FROM attempts),
    'attempt_files', (SELECT count(*) FROM attempt_files),
    'notes', (SELECT count(*) FROM notes),
    'holds', (SELECT count(*) FROM holds),
    'erasures', (SELECT count(*) FROM erasures),
    'approvals', (SELECT count(*) FROM approvals),
    'breakers', (SELECT count(*) FROM breakers)
);

CREATE TABLE checkpoints (
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
) STRICT;

CREATE TRIGGER leaves_stay BEFORE DELETE ON leaves BEGIN
    SELECT raise(ABORT, 'a leaf is never removed');
END;
CREATE TRIGGER leaves_keep_their_hash BEFORE UPDATE OF seq, at, kind, hash ON leaves BEGIN
    SELECT raise(ABORT, 'a leaf is never changed');
END;
CREATE TRIGGER leaves_are_redacted_at_most BEFORE UPDATE OF content ON leaves WHEN NEW.content IS NOT NULL BEGIN
    SELECT raise(ABORT, 'a leaf is never changed');
END;

PRAGMA user_version = 8;
