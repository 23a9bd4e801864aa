//! An outcome that is told a second time: its commit may have been done, and its answer lost.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::fault::{conflict, during};
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
    let found: Option<(i64, String, Option<i64>, Option<String>)> = sqlx::query_as(
        "SELECT settled_at, outcome, http_status, detail
         FROM attempts
         WHERE id = ?1 AND settled_at IS NOT NULL",
    )
    .bind(attempt.0)
    .fetch_optional(&mut *tx)
    .await
    .map_err(during(context))?;
    let told = (
        settlement.at.as_millis(),
        settlement.outcome.to_owned(),
        settlement.http_status.map(i64::from),
        settlement.detail.clone(),
    );
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
    let of_state = |(state, files): (&FileState, &Vec<&FileId>)| -> Vec<(String, i64)> {
        files
            .iter()
            .map(|file| (file.to_string(), state.code()))
            .collect()
    };
    let mut moved: Vec<(String, i64)> = moves.iter().flat_map(of_state).collect();
    moved.sort_unstable();
    if found == Some(told) && results == moved {
        return Ok(());
    }
    Err(conflict(format!("attempt {}", attempt.0), "it is not under way"))
}
