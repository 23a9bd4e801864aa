//! The four statements: ends by attempts and by notes, what is live and due, what is unsettled. Each gives the
//! columns of a `FactRow`.

/// Whether a hold covered the file `f` at some time from `$from` on and before `$until`, as `Hold::covers`
/// sees it. The first condition is asked of every file and costs a look-up or two; the second of the few
/// that any hold ever named.
macro_rules! held {
    ($from:literal, $until:literal) => {
        concat!(
            "(
                 f.file_id IN (SELECT value FROM holds WHERE scope = 'file')
                 OR f.batch IN (
                     SELECT b.id FROM holds h JOIN batches b ON b.batch = h.value WHERE h.scope = 'batch'
                 )
                 OR f.policy IN (
                     SELECT p.id FROM holds h JOIN policies p ON p.name = h.value WHERE h.scope = 'policy'
                 )
                 OR f.attributes IN (
                     SELECT t.id
                     FROM holds h, attributes t, jsonb_each_PORT(t.labels) j
                     WHERE h.scope = 'label' AND j.key = h.label_key AND j.value = h.value
                 )
                 OR EXISTS (SELECT 1 FROM copies c WHERE c.batch = f.batch AND c.file_id = f.file_id)
             ) AND EXISTS (
                 SELECT 1
                 FROM holds h
                 LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
                 WHERE h.placed_at < ",
            $until,
            "
                   AND (h.ends_at IS NULL OR h.ends_at > ",
            $from,
            ")
                   AND CASE h.scope
                       WHEN 'file' THEN h.value IN (f.file_id, c.original_file)
                       WHEN 'batch' THEN EXISTS (
                           SELECT 1
                           FROM batches b
                           WHERE b.batch = h.value AND b.id IN (f.batch, c.original_batch)
                       )
                       WHEN 'policy' THEN h.value = (SELECT p.name FROM policies p WHERE p.id = f.policy)
                       ELSE EXISTS (
                           SELECT 1
                           FROM attributes t, jsonb_each_PORT(t.labels) j
                           WHERE t.id = f.attributes AND j.key = h.label_key AND j.value = h.value
                       )
                   END
             )"
        )
    };
}

/// What an ended file's own record says of the time before `$at`, where that lies past its deadline.
macro_rules! hindered {
    ($at:literal) => {
        concat!(
            "CASE WHEN f.deadline_at < ",
            $at,
            " THEN
                 4 * (",
            held!("f.due_at", $at),
            ")
                 + 8 * EXISTS (
                     SELECT 1
                     FROM attempt_files m
                     JOIN attempts o ON o.id = m.attempt
                     WHERE m.file_id = f.file_id AND o.batch = f.batch AND m.result = 4
                 )
                 + 16 * (
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
                 )
             ELSE 0 END"
        )
    };
}

macro_rules! address {
    () => {
        "iif($2, b.module, NULL), b.parent, b.batch, iif($2, f.file_id, NULL)"
    };
}

/// Ended by an attempt, at or after $1: the last one that said so, unless a later note did.
pub(super) const BY_ATTEMPTS: &str = concat!(
    "SELECT f.policy, l.result, a.settled_at, f.due_at, f.deadline_at,
            (s.policy = $3) + 2 * (l.finding IS 'absent') + ",
    hindered!("a.settled_at"),
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
            CASE n.event WHEN 'found-gone' THEN 10 WHEN 'resolved' THEN 11 ELSE 12 END,
            n.at, f.due_at, f.deadline_at,
            -- What a look finds gone after a request of which nobody knew the outcome was that request's doing.
            (n.event = 'found-gone' AND $3 IS (
                SELECT s.policy
                FROM attempt_files m
                JOIN attempts o ON o.id = m.attempt
                JOIN sweeps s ON s.id = o.sweep
                WHERE m.file_id = f.file_id AND o.batch = f.batch
                ORDER BY m.attempt DESC
                LIMIT 1
            ))
            + 2 * (n.event IN ('found-gone', 'resolved')) + ",
    hindered!("n.at"),
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
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT f.policy, f.state, f.due_at, f.due_at, f.deadline_at, 4 * (",
            held!("$3", "$3 + 1"),
            "), ",
            address!(),
            " FROM files f ",
            $from,
            " LEFT JOIN batches b ON $2 AND b.id = f.batch
              WHERE f.due_at < $1 AND ",
            $where
        )
    };
}

/// Live and due before $1, of policy $4: reads the index of what is due.
pub(super) const LIVE: &str = select_open!(
    "INDEXED BY files_due",
    "f.state = 0 AND f.due_at IS NOT NULL AND f.policy = $4"
);

/// Due before $1, under way, unknown or given up.
pub(super) const UNSETTLED: &str = select_open!("INDEXED BY files_unsettled", "f.state IN (1, 4, 5)");
