//! Does the ledger contradict itself? Ours, each a statement that finds what must not be; `deep` has the server look
//! through every table and index as well, where the extension `amcheck` is there for us. (Pages have checksums where
//! the cluster was made with them: the server holds each page that it reads against its own.)

use sqlx::{AssertSqlSafe, PgConnection};

use super::fault::during;
use crate::ledger::LedgerError;

/// Most findings named for one check: the rest are as wrong.
const SHOWN: i64 = 20;

/// What each finds, and how; every statement gives one text a finding.
const INVARIANTS: &[(&str, &str)] = &[
    (
        "a tally differs from the files it counts",
        "SELECT format('policy %s, state %s: %s tallied, %s counted', policy, state, sum(tallied), sum(counted))
         FROM (
             SELECT policy, state, rule_set, has_due, files AS tallied, 0 AS counted
             FROM tallies
             UNION ALL
             SELECT policy, state, CASE WHEN state IN (0, 4) THEN rule_set ELSE 0 END, due_at IS NOT NULL, 0, count(*)
             FROM files
             GROUP BY 1, 2, 3, 4
         ) k
         GROUP BY policy, state, rule_set, has_due
         HAVING sum(tallied) <> sum(counted)
         LIMIT $1",
    ),
    (
        "a batch's count of files left differs from its files",
        "SELECT format('batch %s: %s counted, %s there', b.id, b.files_left, coalesce(k.files, 0))
         FROM batches b
         LEFT JOIN (
             SELECT batch, count(*) AS files
             FROM files
             WHERE state NOT IN (2, 3)
             GROUP BY batch
         ) k ON k.batch = b.id
         WHERE b.files_left <> coalesce(k.files, 0)
         LIMIT $1",
    ),
    (
        "an attempt has no files",
        "SELECT format('attempt %s', a.id)
         FROM attempts a
         WHERE NOT EXISTS (SELECT 1 FROM attempt_files l WHERE l.attempt = a.id)
         LIMIT $1",
    ),
    (
        "an attempt is settled, but not each of its files, or the other way round",
        "SELECT format('attempt %s, file %s', a.id, l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE (a.settled_at IS NULL) <> (l.result IS NULL)
         LIMIT $1",
    ),
    (
        "an attempt names a file that the ledger does not hold",
        "SELECT format('attempt %s, file %s', a.id, l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.batch = a.batch AND f.file_id = l.file_id)
         LIMIT $1",
    ),
    (
        "a file is `deleting` without an attempt under way",
        "SELECT format('batch %s, file %s', f.batch, f.file_id)
         FROM files f
         WHERE f.state IN (1, 4, 5) AND f.state = 1
           AND NOT EXISTS (
               SELECT 1
               FROM attempt_files l
               JOIN attempts a ON a.id = l.attempt
               WHERE l.file_id = f.file_id AND a.batch = f.batch AND a.settled_at IS NULL
           )
         LIMIT $1",
    ),
    (
        "an attempt is under way for a file that is not `deleting`",
        "SELECT format('attempt %s, file %s', a.id, l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id
         WHERE a.settled_at IS NULL AND f.state <> 1
         LIMIT $1",
    ),
    (
        "a file is `deleted` without an attempt that was confirmed",
        "SELECT format('batch %s, file %s', f.batch, f.file_id)
         FROM files f
         WHERE f.state = 2
           AND NOT EXISTS (
               SELECT 1
               FROM attempt_files l
               JOIN attempts a ON a.id = l.attempt
               WHERE l.file_id = f.file_id AND a.batch = f.batch AND l.result = 2
           )
         LIMIT $1",
    ),
    (
        "a file is `gone` without an attempt or a note that says so",
        "SELECT format('batch %s, file %s', f.batch, f.file_id)
         FROM files f
         WHERE f.state = 3
           AND NOT EXISTS (
               SELECT 1
               FROM attempt_files l
               JOIN attempts a ON a.id = l.attempt
               WHERE l.file_id = f.file_id AND a.batch = f.batch AND l.result = 3
           )
           AND NOT EXISTS (
               SELECT 1
               FROM notes n
               WHERE n.batch = f.batch AND n.file_id = f.file_id AND n.to_state = 3
           )
         LIMIT $1",
    ),
    (
        // More than its attempts is possible: a file may be linked as a copy after it was counted.
        "a sweep has counted fewer files than it sent",
        "SELECT format('sweep %s: %s counted, %s sent', s.id, s.sent, count(DISTINCT k.file))
         FROM sweeps s
         LEFT JOIN (
             SELECT a.sweep, format('%s/%s', a.batch, l.file_id) AS file
             FROM attempts a
             JOIN attempt_files l ON l.attempt = a.id
             WHERE l.result IS DISTINCT FROM 0
               AND NOT EXISTS (SELECT 1 FROM copies c WHERE c.batch = a.batch AND c.file_id = l.file_id)
         ) k ON k.sweep = s.id
         GROUP BY s.id
         HAVING s.sent < count(DISTINCT k.file)
         LIMIT $1",
    ),
    (
        "the evidence tree and its leaves differ",
        "SELECT format('size %s, leaves %s, the last %s', t.size, k.leaves, k.last)
         FROM tree t, (SELECT count(*) AS leaves, max(seq) AS last FROM leaves) k
         WHERE t.size <> k.leaves OR t.size <> coalesce(k.last + 1, 0)
         LIMIT $1",
    ),
    (
        "a checkpoint is larger than the evidence tree",
        "SELECT format('checkpoint %s: %s leaves, the tree has %s', c.id, c.size, t.size)
         FROM checkpoints c, tree t
         WHERE c.size > t.size
         LIMIT $1",
    ),
];

pub(super) async fn check(tx: &mut PgConnection, deep: bool) -> Result<Vec<String>, LedgerError> {
    let mut problems = Vec::new();
    if deep {
        problems.extend(server(tx).await?);
    }
    for (problem, statement) in INVARIANTS {
        let found: Vec<String> = sqlx::query_scalar(*statement)
            .bind(SHOWN)
            .fetch_all(&mut *tx)
            .await
            .map_err(during("checking invariants"))?;
        problems.extend(found.into_iter().map(|row| format!("{problem}: {row}")));
    }
    Ok(problems)
}

/// What `amcheck` finds in the ledger's tables. A broken index it does not list, it fails.
async fn server(tx: &mut PgConnection) -> Result<Vec<String>, LedgerError> {
    let context = "looking through tables and indexes";
    // Quoted by the server; without the right to call it the extension is as good as not there.
    let schema: Option<String> = sqlx::query_scalar(
        "SELECT quote_ident(n.nspname)
         FROM pg_extension e
         JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'amcheck'
           AND has_schema_privilege(n.oid, 'USAGE')
           AND (
               SELECT bool_and(has_function_privilege(p.oid, 'EXECUTE'))
               FROM pg_proc p
               WHERE p.pronamespace = n.oid AND p.proname IN ('bt_index_check', 'verify_heapam')
           )",
    )
    .fetch_optional(&mut *tx)
    .await
    .map_err(during(context))?;
    let Some(schema) = schema else {
        return Ok(Vec::new());
    };
    let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT format('table %s, block %s: %s', c.relname, v.blkno, v.msg)
         FROM pg_class c, LATERAL {schema}.verify_heapam(c.oid::regclass) v
         WHERE c.relnamespace = 'retentiond'::regnamespace AND c.relkind = 'r'
         LIMIT $1"
    )))
    .bind(SHOWN)
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query(AssertSqlSafe(format!(
        "SELECT {schema}.bt_index_check(i.indexrelid::regclass, true)
         FROM pg_index i
         JOIN pg_class c ON c.oid = i.indexrelid
         JOIN pg_am m ON m.oid = c.relam
         WHERE c.relnamespace = 'retentiond'::regnamespace AND m.amname = 'btree' AND i.indisvalid"
    )))
    .execute(tx)
    .await
    .map_err(during(context))?;
    Ok(found)
}
