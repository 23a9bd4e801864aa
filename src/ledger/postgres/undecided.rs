//! Files whose facts changed under their hints, by a record or a start event: rule set 0.

use sqlx::PgConnection;

use super::fault::during;
use super::rows::{FileRow, records, select_files};
use crate::ledger::LedgerError;
use crate::model::FileRecord;

/// Up to `page` of them.
pub(super) async fn page(tx: &mut PgConnection, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.rule_set = 0 AND f.state IN (0, 4) -- literals, or the partial index is not taken
         ORDER BY f.file_id, f.batch
         LIMIT $1"
    ))
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files to be decided again"))?;
    records(tx, rows).await
}
