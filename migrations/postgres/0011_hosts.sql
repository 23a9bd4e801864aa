-- What hosts on one ledger share, and what each has of its own: the spacing of their calls, and their clocks. No evidence.

-- When the next call of an account may leave, by the server's clock.
CREATE TABLE pacing (
    account  TEXT COLLATE "C",
    endpoint TEXT COLLATE "C",
    next_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account, endpoint)
);

-- Nobody waits for a day: what lies further off was booked before the server's clock was set back.
CREATE FUNCTION booked(next_at timestamptz) RETURNS timestamptz
LANGUAGE sql VOLATILE
AS $$ SELECT CASE WHEN next_at <= clock_timestamp() + INTERVAL '1 day' THEN next_at ELSE clock_timestamp() END $$;

-- Each host's last good reading. `clock` goes on holding the last of all, for whoever is new here and for gaps.
CREATE TABLE clocks (
    host        TEXT COLLATE "C" PRIMARY KEY CHECK (length(host) > 0),
    wall        BIGINT NOT NULL,
    boottime_ms BIGINT NOT NULL,
    -- Empty: its readings from before do not count any more.
    boot_id     TEXT COLLATE "C" NOT NULL,
    high_water  BIGINT NOT NULL
);

-- Whose anomaly it is, and when that host said so last, by the server's clock. NULL: from before there were hosts.
ALTER TABLE anomalies ADD COLUMN host TEXT COLLATE "C";
ALTER TABLE anomalies ADD COLUMN heard_at BIGINT;

-- A host that disagrees says so at every tick: one that has said nothing for a day is gone, and objects no more.
CREATE FUNCTION still_objects(heard_at bigint) RETURNS boolean
LANGUAGE sql VOLATILE
AS $$ SELECT heard_at IS NULL OR heard_at > server_ms() - 86400000 $$;

UPDATE retentiond_schema
SET version = 11;
