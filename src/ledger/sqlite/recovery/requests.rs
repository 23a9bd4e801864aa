//! Delete requests of a line that was lost, from their intent to their outcome.

pub(super) use crate::ledger::common::recovery::Said;
use crate::ledger::common::recovery::{ended, label};
use std::collections::{BTreeMap, HashSet};

use sqlx::SqliteConnection;

use super::super::fault::during;
use super::super::intern;
use super::super::leaves::{self, Sealing};
use super::super::rows::{file_id, ids};
use super::super::settle::{move_files, settle, states};
use super::Standing;
use crate::evidence::Fact;
use crate::ledger::{BroughtBack, LedgerError, Settlement};
use crate::model::{AttemptId, AttemptKind, BatchKey, FileAddress, FileId, FileState, Timestamp};
use crate::outcome::{FileEvent, next_state};

/// The note on an attempt that was brought back.
const DETAIL: &str = "brought back from an export";

/// Requests without an outcome: nobody knows theirs. The next sweep looks.
pub(super) async fn interrupted(
    tx: &mut SqliteConnection,
    standing: &mut Standing,
    at: Timestamp,
) -> Result<(), LedgerError> {
    for attempt in std::mem::take(&mut standing.attempts).into_values() {
        let files = asked(tx, attempt).await?;
        let settlement = Settlement {
            at,
            outcome: "unknown",
            http_status: None,
            detail: Some("interrupted".to_owned()),
            files: files.into_iter().map(|file| (file, FileEvent::Lost)).collect(),
        };
        settle(tx, AttemptId(attempt), &settlement).await?;
    }
    Ok(())
}

/// The attempt's new number; `None` where the ledger knows none of its files, or none that could be asked for.
pub(super) async fn intent(
    tx: &mut SqliteConnection,
    sweep: i64,
    call: AttemptKind,
    files: &[FileAddress],
    at: Timestamp,
    done: &mut BroughtBack,
) -> Result<Option<i64>, LedgerError> {
    let Some(first) = files.first() else {
        return Ok(None);
    };
    let Some(batch) = intern::known_batch(tx, &first.batch).await? else {
        done.strangers += files.len() as u64;
        return Ok(None);
    };
    let known = states(tx, batch, files.iter().map(|file| &file.file)).await?;
    done.strangers += (files.len() - known.len()) as u64;
    let mut by_state: BTreeMap<FileState, Vec<FileId>> = BTreeMap::new();
    for (file, state) in known {
        if next_state(state, FileEvent::Claimed).is_ok() {
            by_state.entry(state).or_default().push(file);
        }
    }
    let mut claimed: Vec<FileId> = by_state.values().flatten().cloned().collect();
    if claimed.is_empty() {
        return Ok(None);
    }
    claimed.sort_unstable();
    for (state, files) in &by_state {
        move_files(tx, batch, files, *state, FileState::Deleting).await?;
    }
    let attempt = write_attempt(tx, sweep, call, batch, &claimed, at).await?;
    let sealing = Sealing::new()?;
    let fact = Fact::Intent {
        attempt,
        sweep,
        call: call.name().to_owned(),
        files: sealing.attempted("files", &first.batch, &claimed),
    };
    leaves::append_sealed(tx, at, fact, sealing).await?;
    Ok(Some(attempt))
}

async fn write_attempt(
    tx: &mut SqliteConnection,
    sweep: i64,
    call: AttemptKind,
    batch: BatchKey,
    files: &[FileId],
    at: Timestamp,
) -> Result<i64, LedgerError> {
    let context = "bringing a request back";
    // The other clock's reading was of another boot.
    let attempt: i64 = sqlx::query_scalar(
        "INSERT INTO attempts (sweep, kind, batch, intent_at, boottime_ms)
         VALUES (?1, ?2, ?3, ?4, 0)
         RETURNING id",
    )
    .bind(sweep)
    .bind(call.name())
    .bind(batch.0)
    .bind(at.as_millis())
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query(
        "INSERT INTO attempt_files (attempt, file_id)
         SELECT ?1, value
         FROM json_each(?2)",
    )
    .bind(attempt)
    .bind(ids(files))
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query(
        "UPDATE sweeps
         SET sent = sent + ?2
         WHERE id = ?1",
    )
    .bind(sweep)
    .bind(leaves::to_i64(files.len() as u64))
    .execute(tx)
    .await
    .map_err(during(context))?;
    Ok(attempt)
}

/// The outcome of a request that was brought back; how many files ended by it.
pub(super) async fn settled(
    tx: &mut SqliteConnection,
    attempt: i64,
    said: &Said<'_>,
) -> Result<u64, LedgerError> {
    let asked = asked(tx, attempt).await?;
    let files = said.files.iter().filter(|(file, _)| asked.contains(&file.file));
    let files: Vec<_> = files.map(|(file, to)| (file.file.clone(), event(*to))).collect();
    let ended = ended(files.iter().map(|(_, event)| *event));
    let settlement = Settlement {
        at: said.at,
        outcome: label(said.outcome),
        http_status: said.http_status,
        detail: Some(DETAIL.to_owned()),
        files,
    };
    settle(tx, AttemptId(attempt), &settlement).await?;
    Ok(ended)
}

async fn asked(tx: &mut SqliteConnection, attempt: i64) -> Result<HashSet<FileId>, LedgerError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT file_id
         FROM attempt_files
         WHERE attempt = ?1",
    )
    .bind(attempt)
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of an attempt"))?;
    rows.into_iter().map(file_id).collect()
}

/// The event that takes a file under way to a state.
const fn event(to: FileState) -> FileEvent {
    match to {
        FileState::Live => FileEvent::Released,
        FileState::Deleted => FileEvent::Confirmed,
        FileState::Gone => FileEvent::FoundGone,
        FileState::Quarantined => FileEvent::GivenUp,
        FileState::Unknown | FileState::Deleting => FileEvent::Lost,
    }
}
