//! The four statements: ends by attempts and by notes, what is live and due, what is unsettled. Each gives the
//! columns of a `FactRow`.

/// What `Holds` asks to decide on the file `f`: NULL where no hold ever named it, nor its batch, a label, its
/// policy or its original. Asked of every file, it costs a look-up or two.
macro_rules! holdable {
    () => {
        "CASE WHEN
             f.file_id IN (SELECT value FROM holds WHERE scope = 'file')
             OR f.batch IN (
                 SELECT b.id FROM holds h JOIN batches b ON b.batch = h.value WHERE h.scope = 'batch'
             )
             OR f.policy IN (
                 SELECT p.id FROM holds h JOIN policies p ON p.name = h.value WHERE h.scope = 'policy'
             )
             OR f.attributes IN (
                 SELECT t.id
                 FROM holds h, attributes t, json_each_text(t.labels::json) j
                 WHERE h.scope = 'label' AND j.key = h.label_key AND j.value = h.value
             )
             -- Asked only where there is any hold at all.
             OR (SELECT count(*) FROM holds) > 0 AND EXISTS (
                 SELECT 1 FROM copies c WHERE c.batch = f.batch AND c.file_id = f.file_id
             )
         THEN (
             SELECT json_build_array(
                 f.file_id, b.batch, c.original_file, ob.batch, coalesce(t.labels, '{}')::json
             )::text
             FROM batches b
             LEFT JOIN attributes t ON t.id = f.attributes
             LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
             LEFT JOIN batches ob ON ob.id = c.original_batch
             WHERE b.id = f.batch
         ) END"
    };
}

/// What an ended file's own record says of the time before `$at`, where that lies past its deadline.
macro_rules! hindered {
    ($at:literal) => {
        concat!(
            "CASE WHEN f.deadline_at < ",
            $at,
            " THEN
                 4 * (EXISTS (
                     SELECT 1
                     FROM attempt_files m
                     JOIN attempts o ON o.id = m.attempt
                     WHERE m.file_id = f.file_id AND o.batch = f.batch AND m.result = 4
                 ))::int
                 + 8 * (
                     EXISTS (
                         SELECT 1
                         FROM attempt_files m
                         JOIN attempts o ON o.id = m.attempt
                         WHERE m.file_id = f.file_id
                           AND o.batch = f.batch
                           AND (
                               m.result = 5
                               OR o.outcome = 'refused'
                               AND (SELECT count(*) FROM attempt_files x WHERE x.attempt = o.id) = 1
                           )
                     )
                     OR EXISTS (
                         SELECT 1
                         FROM notes g
                         WHERE g.batch = f.batch AND g.file_id = f.file_id AND g.event = 'given-up'
                     )
                 )::int
             ELSE 0 END"
        )
    };
}

/// [`holdable`] of an ended file, where it ended past its deadline.
macro_rules! holdable_before {
    ($at:literal) => {
        concat!("CASE WHEN f.deadline_at < ", $at, " THEN ", holdable!(), " END")
    };
}

macro_rules! address {
    () => {
        "CASE WHEN $2 THEN json_build_array(b.account, b.module, b.parent, b.batch, f.file_id)::text END"
    };
}

/// Ended by an attempt, at or after $1: the last one that said so, unless a later note did.
pub(super) const BY_ATTEMPTS: &str = concat!(
    "SELECT f.policy, l.result, a.settled_at, f.due_at, f.deadline_at,
            ((s.policy = $3)::int + 2 * (l.finding IS NOT DISTINCT FROM 'absent')::int + ",
    hindered!("a.settled_at"),
    ")::bigint, ",
    holdable_before!("a.settled_at"),
    ", ",
    address!(),
    " FROM attempts a
      JOIN sweeps s ON s.id = a.sweep
      JOIN attempt_files l ON l.attempt = a.id AND l.result IN (2, 3)
      JOIN files f ON f.file_id = l.file_id AND f.batch = a.batch
      LEFT JOIN batches b ON $2 AND b.id = f.batch
      WHERE a.settled_at >= $1
        AND f.state IN (2, 3)
        AND NOT EXISTS (
            SELECT 1
            FROM attempt_files m
            JOIN attempts o ON o.id = m.attempt
            WHERE m.file_id = l.file_id AND m.attempt > l.attempt AND o.batch = a.batch AND m.result IN (2, 3)
        )
        AND NOT EXISTS (
            SELECT 1
            FROM notes n
            WHERE n.batch = f.batch AND n.file_id = f.file_id AND n.to_state = 3 AND n.at > a.settled_at
        )"
);

/// Ended outside an attempt, at or after $1: by the last note that said so, unless a later attempt did.
pub(super) const BY_NOTES: &str = concat!(
    "SELECT f.policy,
            CASE n.event WHEN 'found-gone' THEN 10 WHEN 'resolved' THEN 11 ELSE 12 END::bigint,
            n.at, f.due_at, f.deadline_at,
            -- What a look finds gone after a request of which nobody knew the outcome was that request's doing.
            ((n.event = 'found-gone' AND $3 IS NOT DISTINCT FROM (
                SELECT s.policy
                FROM attempt_files m
                JOIN attempts o ON o.id = m.attempt
                JOIN sweeps s ON s.id = o.sweep
                WHERE m.file_id = f.file_id AND o.batch = f.batch
                ORDER BY m.attempt DESC
                LIMIT 1
            ))::int
            + 2 * (n.event IN ('found-gone', 'resolved'))::int + ",
    hindered!("n.at"),
    ")::bigint, ",
    holdable_before!("n.at"),
    ", ",
    address!(),
    " FROM notes n
      JOIN files f ON f.file_id = n.file_id AND f.batch = n.batch
      LEFT JOIN batches b ON $2 AND b.id = f.batch
      WHERE n.at >= $1
        AND n.to_state = 3
        AND f.state IN (2, 3)
        AND NOT EXISTS (
            SELECT 1
            FROM notes m
            WHERE m.batch = n.batch AND m.file_id = n.file_id AND m.to_state = 3 AND m.id > n.id
        )
        AND NOT EXISTS (
            SELECT 1
            FROM attempt_files m
            JOIN attempts o ON o.id = m.attempt
            WHERE m.file_id = n.file_id AND o.batch = n.batch AND m.result IN (2, 3) AND o.settled_at >= n.at
        )"
);

macro_rules! select_open {
    ($where:literal) => {
        concat!(
            "SELECT f.policy, f.state, f.due_at, f.due_at, f.deadline_at, 0::bigint, ",
            holdable!(),
            ", ",
            address!(),
            " FROM files f
              LEFT JOIN batches b ON $2 AND b.id = f.batch
              WHERE f.due_at < $1 AND ",
            $where
        )
    };
}

/// Live and due before $1, of policy $4: reads the index of what is due.
pub(super) const LIVE: &str = select_open!("f.state = 0 AND f.due_at IS NOT NULL AND f.policy = $4");

/// Due before $1, under way, unknown or given up.
pub(super) const UNSETTLED: &str = select_open!("f.state IN (1, 4, 5)");
