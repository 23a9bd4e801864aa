//! Reads what an attempt that is over came to, for an outcome that is told again.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::fault::during;
use crate::ledger::common::told_again::{SettledRow, told_again};
use crate::ledger::{LedgerError, Settlement};
use crate::model::{AttemptId, FileId, FileState};

/// An attempt that is over: `Ok` if this is its outcome, to the letter; `Conflict` if somebody else has settled it.
pub(super) async fn settled_so(
    tx: &mut SqliteConnection,
    attempt: AttemptId,
    settlement: &Settlement,
    moves: &BTreeMap<FileState, Vec<&FileId>>,
) -> Result<(), LedgerError> {
    let context = "reading an outcome";
    let found: Option<SettledRow> = sqlx::query_as(
        "SELECT settled_at, outcome, http_status, detail
         FROM attempts
         WHERE id = ?1 AND settled_at IS NOT NULL",
    )
    .bind(attempt.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(during(context))?;
    let results: Vec<(String, i64)> = sqlx::query_as(
        "SELECT file_id, result
         FROM attempt_files
         WHERE attempt = ?1 AND result IS NOT NULL
         ORDER BY file_id",
    )
    .bind(attempt.0)
    .fetch_all(tx)
    .await
    .map_err(during(context))?;
    told_again(attempt, settlement, moves, found, &results)
}
