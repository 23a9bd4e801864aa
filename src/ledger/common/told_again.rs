//! An outcome that is told a second time: its commit may have been done, and its answer lost.

use std::collections::BTreeMap;

use super::problem::conflict;
use crate::ledger::{LedgerError, Settlement};
use crate::model::{AttemptId, FileId, FileState};

/// What an attempt that is over says of itself: `settled_at`, outcome, HTTP status, detail.
pub(in crate::ledger) type SettledRow = (i64, String, Option<i64>, Option<String>);

/// `Ok` if what is kept is this outcome, to the letter; `Conflict` if somebody else has settled the attempt. `results`: its
/// files that have one, with its code, in the order of their ids.
pub(in crate::ledger) fn told_again(
    attempt: AttemptId,
    settlement: &Settlement,
    moves: &BTreeMap<FileState, Vec<&FileId>>,
    kept: Option<SettledRow>,
    results: &[(String, i64)],
) -> Result<(), LedgerError> {
    let told = (
        settlement.at.as_millis(),
        settlement.outcome.to_owned(),
        settlement.http_status.map(i64::from),
        settlement.detail.clone(),
    );
    let of_state = |(state, files): (&FileState, &Vec<&FileId>)| -> Vec<(String, i64)> {
        files
            .iter()
            .map(|file| (file.to_string(), state.code()))
            .collect()
    };
    let mut moved: Vec<(String, i64)> = moves.iter().flat_map(of_state).collect();
    moved.sort_unstable();
    if kept == Some(told) && results == moved {
        return Ok(());
    }
    Err(conflict(format!("attempt {}", attempt.0), "it is not under way"))
}
