-- Uploads, version 2: what was about to be sent, or was seen passing, written before its first byte leaves.
-- An upload whose end nobody knows is in doubt until somebody settles it: files whose ids no ledger holds
-- can never be deleted. No file names, no links.

CREATE TABLE uploads (
    id            INTEGER PRIMARY KEY,
    source        TEXT NOT NULL CHECK (source IN ('upload', 'gateway', 'intake')),
    state         TEXT NOT NULL
                  CHECK (state IN ('open', 'doubtful', 'recorded', 'nothing', 'reconciled', 'resolved')),
    -- Where to; NULL until it is known.
    module        TEXT CHECK (module IN ('classification', 'extraction')),
    parent        TEXT CHECK (length(parent) > 0),
    batch         TEXT CHECK (length(batch) > 0),
    -- Files in the request; NULL where nobody counted them.
    files         INTEGER CHECK (files >= 0),
    -- Files that the ledger holds because of it.
    recorded      INTEGER NOT NULL DEFAULT 0 CHECK (recorded >= 0),
    -- What its files are to be recorded with, should they be found later.
    labels        TEXT NOT NULL CHECK (json_type(labels) = 'object'),
    document_type TEXT CHECK (length(document_type) > 0),
    subject       TEXT CHECK (length(subject) > 0),
    begun_at      INTEGER NOT NULL,
    -- Still open after this instant, it was interrupted.
    patient_until INTEGER NOT NULL,
    settled_at    INTEGER,
    reason        TEXT,
    CHECK ((module IS NULL) = (parent IS NULL)),
    CHECK (batch IS NULL OR parent IS NOT NULL),
    CHECK ((state = 'open') = (settled_at IS NULL))
) STRICT;
CREATE INDEX uploads_unsettled ON uploads (id) WHERE state IN ('open', 'doubtful');

-- What was in the request, in its order: enough to recognise a document, not to name it.
CREATE TABLE upload_files (
    upload INTEGER NOT NULL REFERENCES uploads (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    bytes  INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 2;
