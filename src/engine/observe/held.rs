//! Sets held files apart: what a hold keeps is not late.

use std::collections::BTreeMap;

use crate::ledger::{After, Ledger, LedgerError, Tally};
use crate::model::{BatchKey, FileId, FileRecord, FileState, Holds, PolicyName, Timestamp};

/// Files a page.
const PAGE: u32 = 10_000;

/// Pages looked at. Files beyond them count as not held: rather a false alarm than a silent breach.
const PAGES: usize = 20;

/// Takes held files out of the overdue ones of `tally`; returns how many due files are held.
///
/// # Errors
/// The ledger's.
pub(super) async fn set_apart(
    ledger: &dyn Ledger,
    policy: &PolicyName,
    holds: &Holds,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<u64, LedgerError> {
    if tally.due == 0 {
        return Ok(0);
    }
    let mut after: Option<After> = None;
    let (mut held, mut held_overdue) = (0, 0);
    let mut oldest: Option<Timestamp> = None;
    for _ in 0..PAGES {
        let page = ledger.due(policy, now, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(After {
            due_at: last.due_at.unwrap_or(now),
            key: last.key.clone(),
        });
        let (kept, free): (Vec<_>, Vec<_>) = page
            .iter()
            .partition(|file| holds.covering(file, Some(policy), now).is_some());
        held += kept.len() as u64;
        let late: Vec<&FileRecord> = kept.into_iter().filter(|file| is_late(file, now)).collect();
        held_overdue += late.len() as u64 + held_copies(ledger, policy, holds, now, &late).await?;
        let late = free.iter().filter(|file| is_late(file, now));
        oldest = oldest
            .into_iter()
            .chain(late.filter_map(|file| file.deadline_at))
            .min();
    }
    tally.overdue = tally.overdue.saturating_sub(held_overdue);
    // Where none was seen, what is left lies beyond the pages: the figure of all files stands.
    tally.oldest_overdue = oldest.or(tally.oldest_overdue).filter(|_| tally.overdue > 0);
    Ok(held)
}

/// Linked copies of held files are not listed as due, but they are counted as overdue.
async fn held_copies(
    ledger: &dyn Ledger,
    policy: &PolicyName,
    holds: &Holds,
    now: Timestamp,
    originals: &[&FileRecord],
) -> Result<u64, LedgerError> {
    let mut batches: BTreeMap<BatchKey, Vec<FileId>> = BTreeMap::new();
    for file in originals {
        batches
            .entry(file.key.batch)
            .or_default()
            .push(file.key.file.clone());
    }
    let mut found = 0;
    for (batch, files) in batches {
        let copies = ledger.copies_of(batch, &files).await?;
        found += copies
            .iter()
            .filter(|copy| copy.state == FileState::Live && copy.owner.as_ref() == Some(policy))
            .filter(|copy| is_late(copy, now) && holds.covering(copy, Some(policy), now).is_some())
            .count() as u64;
    }
    Ok(found)
}

fn is_late(file: &FileRecord, now: Timestamp) -> bool {
    file.deadline_at.is_some_and(|deadline| deadline < now)
}
