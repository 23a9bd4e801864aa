//! Deletions, confirmed or found gone, that nobody has looked at a second time: a crash came between.

use sqlx::PgConnection;

use super::fault::during;
use super::rows::{FileRow, records, select_files};
use crate::ledger::LedgerError;
use crate::model::{FileRecord, Timestamp};

pub(super) async fn unverified(
    tx: &mut PgConnection,
    since: Timestamp,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "attempt_files l
         JOIN attempts a ON a.id = l.attempt
         JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id",
        "WHERE l.result IN (2, 3) AND l.finding IS NULL -- literals: they take the partial index
           AND f.state IN (2, 3)
           AND a.settled_at >= $1
         ORDER BY l.attempt, l.file_id
         LIMIT $2"
    ))
    .bind(since.as_millis())
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading deletions that were not verified"))?;
    records(tx, rows).await
}
