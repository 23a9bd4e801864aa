-- The log's own retention: facts that are over go, with what names them; the hashes of their leaves stay.

CREATE TABLE redaction (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    -- Leaves before this one were looked at: their bytes are gone, or they are in `leaves_kept`.
    looked_at   BIGINT NOT NULL DEFAULT 0 CHECK (looked_at >= 0),
    -- What was over before this instant has gone, last at `at`; NULL: nothing ever went.
    before      BIGINT,
    at          BIGINT,
    leaves      BIGINT NOT NULL DEFAULT 0 CHECK (leaves >= 0),
    files       BIGINT NOT NULL DEFAULT 0 CHECK (files >= 0),
    -- When all that had to go had gone.
    finished_at BIGINT,
    -- Inside a redaction's own transaction, never outside: rows of facts go then, and only then.
    under_way   BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK ((before IS NULL) = (at IS NULL))
);
INSERT INTO redaction (one) VALUES (1);

-- Leaves that are old enough to go and stay, because what they tell of is not over; and the files that they name.
CREATE TABLE leaves_kept (
    seq BIGINT PRIMARY KEY REFERENCES leaves (seq)
);
CREATE TABLE leaves_kept_files (
    batch   BIGINT NOT NULL,
    file_id TEXT COLLATE "C" NOT NULL,
    seq     BIGINT NOT NULL REFERENCES leaves_kept (seq),
    PRIMARY KEY (batch, file_id, seq)
);
CREATE INDEX leaves_kept_files_of ON leaves_kept_files (seq);

-- A file's row goes only where nothing refers to it any more: these find that out without reading all.
CREATE INDEX plan_files_of ON plan_files (batch, file_id);
CREATE INDEX plans_by_time ON plans (at);
CREATE INDEX erasure_files_of ON erasure_files (batch, file_id);

-- As `refuse`, outside a redaction.
CREATE FUNCTION refuse_unless_redacting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (SELECT under_way FROM redaction) THEN
        RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER files_stay ON files;
CREATE TRIGGER files_stay BEFORE TRUNCATE ON files
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a file row is never removed');
CREATE TRIGGER files_stay_until_redacted BEFORE DELETE ON files
FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_redacting('a file row is never removed');
CREATE TRIGGER files_stay_until_over BEFORE DELETE ON files
FOR EACH ROW WHEN (OLD.state NOT IN (2, 3)) EXECUTE FUNCTION refuse('a file row is never removed');

DROP TRIGGER start_events_stay ON start_events;
CREATE TRIGGER start_events_stay BEFORE TRUNCATE ON start_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a start event is never removed');
CREATE TRIGGER start_events_stay_until_redacted BEFORE DELETE ON start_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_unless_redacting('a start event is never removed');

UPDATE retentiond_schema
SET version = 9;
