//! One lost leaf as the fact that it was. Times are those of then; numbers are given anew, since what was
//! written after the backup came back may have taken the old ones.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::super::controls::{breakers, close_breaker, open_breaker, pause, set_pause};
use super::super::settle::states;
use super::super::{erasures, holds, intern, notes};
use super::Standing;
use super::requests::{Said, intent, interrupted, settled};
use super::sweeps::{Past, close_past, open_past};
use crate::evidence::{LostFact, LostLeaf};
use crate::ledger::{BroughtBack, LedgerError};
use crate::model::{
    BatchAddress, BatchKey, BreakerKind, ErasureId, FileAddress, FileId, FileState, Finding, HoldId, Pause,
    Timestamp,
};
use crate::outcome::{FileEvent, next_state};

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
                close_past(tx, *sweep, *state, *sent, at).await?;
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
                let said = Said {
                    outcome,
                    http_status: *http_status,
                    files,
                    at,
                };
                done.ended += settled(tx, attempt, &said).await?;
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
                open_breaker(tx, *kind, None, reason, at).await?;
            }
        }
        LostFact::BreakerClosed { kind, by } => {
            let open = breakers(tx).await?;
            if *kind == BreakerKind::Collateral && open.iter().any(|b| b.kind == *kind && b.opened_at <= at) {
                close_breaker(tx, *kind, None, by, at).await?;
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
