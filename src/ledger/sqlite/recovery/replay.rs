//! One lost leaf as the fact that it was. Times are those of then; numbers are given anew, since what was
//! written after the backup came back may have taken the old ones.

use std::collections::{BTreeMap, HashSet};

use sqlx::SqliteConnection;

use super::super::controls::{breakers, close_breaker, open_breaker, pause, set_pause};
use super::super::fault::during;
use super::super::leaves::{self, Sealing};
use super::super::rows::{file_id, ids};
use super::super::settle::{move_files, settle, states};
use super::super::sweeps::{Past, open_past};
use super::super::{erasures, holds, intern, notes, sweeps};
use super::Standing;
use crate::evidence::{Fact, LostFact, LostLeaf};
use crate::ledger::{BroughtBack, LedgerError, Settlement};
use crate::model::{
    AttemptId, AttemptKind, BatchAddress, BatchKey, BreakerKind, ErasureId, FileAddress, FileId, FileState,
    Finding, HoldId, Pause, Timestamp,
};
use crate::outcome::{FileEvent, next_state};

/// The note on an attempt that was brought back.
const DETAIL: &str = "brought back from an export";

pub(super) async fn replay(
    tx: &mut SqliteConnection,
    standing: &mut Standing,
    leaf: &LostLeaf,
    now: Timestamp,
    done: &mut BroughtBack,
) -> Result<(), LedgerError> {
    let at = leaf.at;
    match &leaf.fact {
        LostFact::Hold { hold, new } => {
            let placed = holds::add(tx, new, at).await?;
            standing.holds.insert(*hold, placed.hold.0);
            done.holds += 1;
        }
        LostFact::Release {
            hold,
            reason,
            ends_at,
        } => {
            let hold = HoldId(*standing.holds.get(hold).unwrap_or(hold));
            done.releases += u64::from(holds::release_once(tx, hold, reason, at, *ends_at).await?);
        }
        LostFact::ErasureRequest { erasure, new } => {
            let (entered, fresh) = erasures::enter_again(tx, new, at).await?;
            standing.erasures.insert(*erasure, entered.0);
            done.erasures += u64::from(fresh);
        }
        LostFact::ErasureClosed { erasure, reason } => {
            let erasure = *standing.erasures.get(erasure).unwrap_or(erasure);
            match reason {
                Some(reason) => {
                    let closed = erasures::close_once(tx, ErasureId(erasure), reason, at).await?;
                    done.closings += u64::from(closed);
                }
                None => standing.verified.push((erasure, at)),
            }
        }
        LostFact::SweepOpened {
            sweep,
            policy,
            occurrence,
            trigger,
            rules,
            resumed,
        } => {
            // One that went on was begun under a number of then, or the backup holds it.
            if !resumed {
                let past = Past {
                    policy,
                    occurrence: *occurrence,
                    trigger: *trigger,
                    rules,
                    at,
                };
                standing.sweeps.insert(*sweep, open_past(tx, &past).await?);
            }
        }
        LostFact::SweepClosed { sweep, state, sent } => {
            if let Some(sweep) = standing.sweeps.get(sweep) {
                sweeps::close_past(tx, *sweep, *state, *sent, at).await?;
            }
        }
        LostFact::Intent {
            attempt,
            sweep,
            call,
            files,
        } => {
            let sweep = *standing.sweeps.get(sweep).unwrap_or(sweep);
            if let Some(asked) = intent(tx, sweep, *call, files, at, done).await? {
                standing.attempts.insert(*attempt, asked);
                done.attempts += 1;
            }
        }
        LostFact::Outcome {
            attempt,
            outcome,
            http_status,
            files,
        } => {
            if let Some(attempt) = standing.attempts.remove(attempt) {
                let asked = asked(tx, attempt).await?;
                let files = files.iter().filter(|(file, _)| asked.contains(&file.file));
                let files: Vec<_> = files.map(|(file, to)| (file.file.clone(), event(*to))).collect();
                done.ended += ended(files.iter().map(|(_, event)| *event));
                let settlement = Settlement {
                    at,
                    outcome: label(outcome),
                    http_status: *http_status,
                    detail: Some(DETAIL.to_owned()),
                    files,
                };
                settle(tx, AttemptId(attempt), &settlement).await?;
            }
        }
        LostFact::Interrupted => interrupted(tx, standing, at).await?,
        LostFact::Moved { event, reason, files } => {
            if let Some(event) = notes::event_of(event) {
                moved(tx, event, reason, files, at, done).await?;
            }
        }
        LostFact::Verification { absent, still_there } => {
            looked(tx, absent, Finding::Absent, at).await?;
            looked(tx, still_there, Finding::StillThere, at).await?;
        }
        LostFact::BreakerOpened { kind, reason } => {
            // Of a copy's place in its line and of its bytes the copy itself tells; others heal.
            if *kind == BreakerKind::Collateral {
                open_breaker(tx, *kind, reason, at).await?;
            }
        }
        LostFact::BreakerClosed { kind, by } => {
            let open = breakers(tx).await?;
            if *kind == BreakerKind::Collateral && open.iter().any(|b| b.kind == *kind && b.opened_at <= at) {
                close_breaker(tx, *kind, by, at).await?;
            }
        }
        LostFact::Pause { until, reason } if now < *until => {
            let reason = reason.clone();
            let until = *until;
            let paused = Pause {
                until,
                reason,
                since: at,
            };
            set_pause(tx, Some(&paused), at).await?;
        }
        LostFact::Resume => {
            if pause(tx).await?.is_some_and(|pause| pause.since <= at) {
                set_pause(tx, None, at).await?;
            }
        }
        LostFact::Pause { .. } | LostFact::Other => {}
    }
    Ok(())
}

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
async fn intent(
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

fn ended(events: impl Iterator<Item = FileEvent>) -> u64 {
    let ends = |event: &FileEvent| {
        next_state(FileState::Deleting, *event)
            .is_ok_and(|to| matches!(to, FileState::Deleted | FileState::Gone))
    };
    events.filter(ends).count() as u64
}

/// `Outcome::label` of then; one that is not known says nothing.
fn label(outcome: &str) -> &'static str {
    const LABELS: [&str; 8] = [
        "not-sent",
        "confirmed",
        "gone",
        "auth",
        "too-large",
        "refused",
        "wait",
        "server-error",
    ];
    LABELS
        .into_iter()
        .find(|label| *label == outcome)
        .unwrap_or("unknown")
}

/// Batches of the files that the ledger knows.
async fn by_batch<'f>(
    tx: &mut SqliteConnection,
    files: impl Iterator<Item = &'f FileAddress>,
) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
    let mut named: BTreeMap<&BatchAddress, Vec<FileId>> = BTreeMap::new();
    for file in files {
        named.entry(&file.batch).or_default().push(file.file.clone());
    }
    let mut known = Vec::with_capacity(named.len());
    for (batch, files) in named {
        if let Some(key) = intern::known_batch(tx, batch).await? {
            known.push((key, files));
        }
    }
    Ok(known)
}

/// Only files that the event takes where it took them then: one that is there already is left alone.
async fn moved(
    tx: &mut SqliteConnection,
    event: FileEvent,
    reason: &str,
    files: &[(FileAddress, FileState)],
    at: Timestamp,
    done: &mut BroughtBack,
) -> Result<(), LedgerError> {
    for to in FileState::ALL {
        let went = files
            .iter()
            .filter(|(_, state)| *state == to)
            .map(|(file, _)| file);
        for (batch, files) in by_batch(tx, went).await? {
            let now = states(tx, batch, files.iter()).await?;
            let fits = now
                .into_iter()
                .filter(|(_, from)| *from != to && next_state(*from, event) == Ok(to));
            let fits: Vec<FileId> = fits.map(|(file, _)| file).collect();
            let moved = notes::note(tx, batch, &fits, event, reason, at).await?;
            done.ended += if matches!(to, FileState::Deleted | FileState::Gone) {
                moved
            } else {
                0
            };
        }
    }
    Ok(())
}

async fn looked(
    tx: &mut SqliteConnection,
    files: &[FileAddress],
    finding: Finding,
    at: Timestamp,
) -> Result<(), LedgerError> {
    for (batch, files) in by_batch(tx, files.iter()).await? {
        let found: Vec<(FileId, Finding)> = files.into_iter().map(|file| (file, finding)).collect();
        notes::verified(tx, batch, &found, at).await?;
    }
    Ok(())
}
