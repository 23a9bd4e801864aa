//! The files of requests: how far they are, which are still to go, and which are still to be looked at.

use sqlx::PgConnection;

use crate::ledger::postgres::fault::during;
use crate::ledger::postgres::rows::{FileRow, count, records, select_files};
use crate::ledger::postgres::unverified::others_own;
use crate::ledger::{ErasureFiles, LedgerError};
use crate::model::{ErasureId, FileKey, FileRecord};

/// Whether nothing bears out that the file `f`, deleted or gone, is so: the last answer that said it was
/// never followed by a look. A look that contradicted it moved the file; where it is gone now, a later
/// one found that. `more`: a further condition on that answer's attempt `a`.
macro_rules! unverified_sql {
    ($($more:expr)?) => {
        concat!(
            "EXISTS (
             SELECT 1
             FROM attempt_files l -- CROSS keeps the order: by file, not by attempt
             JOIN attempts a ON a.id = l.attempt
             WHERE l.file_id = f.file_id
               AND a.batch = f.batch
               AND l.result IN (2, 3)
               AND l.finding IS NULL
               AND l.attempt = (
                   SELECT max(m.attempt)
                   FROM attempt_files m
                   JOIN attempts n ON n.id = m.attempt
                   WHERE m.file_id = f.file_id AND n.batch = f.batch AND m.result IN (2, 3)
               ) ", $($more,)? ")"
        )
    };
}

pub(super) use unverified_sql;

type Counts = (i64, i64, i64, i64, i64, i64, i64);

pub(in crate::ledger::postgres) async fn progress(
    tx: &mut PgConnection,
    open_only: bool,
    one: Option<ErasureId>,
) -> Result<Vec<(ErasureId, ErasureFiles)>, LedgerError> {
    let rows: Vec<Counts> = sqlx::query_as(concat!(
        "SELECT r.id,
                count(*) FILTER (WHERE f.state = 0),
                count(*) FILTER (WHERE f.state = 1),
                count(*) FILTER (WHERE f.state = 4),
                count(*) FILTER (WHERE f.state = 5),
                count(*) FILTER (WHERE f.state IN (2, 3) AND ",
        unverified_sql!(),
        "),
                count(*) FILTER (WHERE f.state IN (2, 3))
         FROM erasures r
         LEFT JOIN erasure_files e ON e.erasure = r.id
         LEFT JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id
         WHERE (r.closed_at IS NULL OR NOT $1)
           AND ($2 IS NULL OR r.id = $2)
         GROUP BY r.id
         ORDER BY r.id"
    ))
    .bind(open_only)
    .bind(one.map(|id| id.0))
    .fetch_all(tx)
    .await
    .map_err(during("counting the files of erasure requests"))?;
    rows.into_iter()
        .map(|(id, live, deleting, unknown, quarantined, unverified, ended)| {
            let files = ErasureFiles {
                live: count(live)?,
                deleting: count(deleting)?,
                unknown: count(unknown)?,
                quarantined: count(quarantined)?,
                unverified: count(unverified)?,
                verified: count(ended - unverified)?,
            };
            Ok((ErasureId(id), files))
        })
        .collect()
}

/// Before every key: a page starts after what it is given.
fn place(after: Option<&FileKey>) -> (i64, &str) {
    after.map_or((i64::MIN, ""), |key| (key.batch.0, key.file.as_str()))
}

pub(super) async fn files(
    tx: &mut PgConnection,
    id: ErasureId,
    after: Option<&FileKey>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let (batch, file) = place(after);
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "erasure_files e
         JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id",
        "WHERE e.erasure = $1
           AND (e.batch, e.file_id) > ($2, $3)
         ORDER BY e.batch, e.file_id
         LIMIT $4"
    ))
    .bind(id.0)
    .bind(batch)
    .bind(file)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading the files of an erasure request"))?;
    records(tx, rows).await
}

pub(super) async fn erasable(
    tx: &mut PgConnection,
    after: Option<&FileKey>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let (batch, file) = place(after);
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "(
             SELECT DISTINCT e.batch, e.file_id
             FROM erasures r
             JOIN erasure_files e ON e.erasure = r.id
             WHERE r.closed_at IS NULL
               AND (e.batch, e.file_id) > ($1, $2)
         ) k
         JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id",
        "WHERE f.state = 0
           AND NOT EXISTS (
               SELECT 1
               FROM files o
               CROSS JOIN erasures r
               JOIN erasure_files e ON e.erasure = r.id AND e.batch = o.batch AND e.file_id = o.file_id
               WHERE o.batch = c.original_batch
                 AND o.file_id = c.original_file
                 AND o.state IN (0, 1, 4)
                 AND r.closed_at IS NULL
           )
         ORDER BY f.batch, f.file_id
         LIMIT $3"
    ))
    .bind(batch)
    .bind(file)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what erasure requests cover"))?;
    records(tx, rows).await
}

pub(super) async fn unverified(
    tx: &mut PgConnection,
    seat: Option<i64>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "(
             SELECT DISTINCT e.batch, e.file_id
             FROM erasures r
             JOIN erasure_files e ON e.erasure = r.id
             WHERE r.closed_at IS NULL
         ) k
         JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id",
        "WHERE f.state IN (2, 3)
           AND ",
        unverified_sql!(others_own!()),
        "
         ORDER BY f.batch, f.file_id
         LIMIT $1"
    ))
    .bind(i64::from(page))
    .bind(seat)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading erased files that were not verified"))?;
    records(tx, rows).await
}
