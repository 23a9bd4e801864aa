//! What a restored backup lacks, brought back: leaves in pages that each are durable, then a look at every file that
//! ended by them. Nothing is deleted here: a file that came back to life goes at the next sweep.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use crate::evidence::{LostFact, LostLeaf};
use crate::extracta::{Listing, Remote};
use crate::ledger::{KnownBatch, Ledger, LedgerError, LostLine};
use crate::model::{AccountName, BatchAddress, FileId, FileState, Finding, Timestamp};

/// Leaves in one transaction; more where a request would be left without its outcome.
const PAGE: usize = 200;

/// The time, asked at each step.
pub type Now<'a> = &'a (dyn Fn() -> Timestamp + Sync);

/// What a look at the files that ended found.
#[derive(Debug, Default, Serialize)]
pub struct Looked {
    /// Batches looked at.
    pub batches: u64,
    /// Files that are gone, as was on record.
    pub absent: u64,
    /// Files that are there again: the next sweep deletes them.
    pub revived: u64,
    /// Batches that could not be looked at, and why.
    pub unclear: Vec<(BatchAddress, String)>,
}

impl Looked {
    /// Adds what a look in another account found.
    pub fn add(&mut self, other: Self) {
        self.batches += other.batches;
        self.absent += other.absent;
        self.revived += other.revived;
        self.unclear.extend(other.unclear);
    }
}

/// Brings back what is missing yet. May be interrupted at any point and called again.
///
/// # Errors
/// The ledger's.
pub async fn bring_back(
    ledger: &dyn Ledger,
    line: &LostLine,
    lost: &[LostLeaf],
    now: Now<'_>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<(), LedgerError> {
    let begun = ledger.begin_recovery(line, now()).await?;
    let mut rest = &lost[lost.partition_point(|leaf| leaf.seq < begun.next)..];
    while !rest.is_empty() {
        let (page, after) = rest.split_at(page_of(rest));
        ledger.bring_back(page, now()).await?;
        rest = after;
        progress((lost.len() - rest.len()) as u64, lost.len() as u64);
    }
    Ok(())
}

/// How many leaves come together: a request and its outcome are never apart.
fn page_of(rest: &[LostLeaf]) -> usize {
    let mut open = BTreeSet::new();
    for (place, leaf) in rest.iter().enumerate() {
        if let LostFact::Intent { attempt, .. } = &leaf.fact {
            open.insert(*attempt);
        } else if let LostFact::Outcome { attempt, .. } = &leaf.fact {
            open.remove(attempt);
        } else if leaf.fact == LostFact::Interrupted {
            open.clear();
        }
        if place + 1 >= PAGE && open.is_empty() {
            return place + 1;
        }
    }
    rest.len()
}

/// The files that ended by these leaves, batch by batch.
#[must_use]
pub fn ended(lost: &[LostLeaf]) -> BTreeMap<BatchAddress, BTreeSet<FileId>> {
    let mut files: BTreeMap<BatchAddress, BTreeSet<FileId>> = BTreeMap::new();
    for leaf in lost {
        let (LostFact::Outcome { files: went, .. } | LostFact::Moved { files: went, .. }) = &leaf.fact else {
            continue;
        };
        for (file, to) in went {
            if matches!(to, FileState::Deleted | FileState::Gone) {
                let batch = files.entry(file.batch.clone()).or_default();
                batch.insert(file.file.clone());
            }
        }
    }
    files
}

/// Looks at files of one account that are deleted or gone by what was brought back. One that is there again becomes unknown, and
/// the next sweep looks, plans and deletes it as any other.
///
/// # Errors
/// The ledger's. A batch that cannot be looked at is no error: it is in the result.
pub async fn look(
    ledger: &dyn Ledger,
    remote: &dyn Remote,
    files: &BTreeMap<BatchAddress, BTreeSet<FileId>>,
    now: Now<'_>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Looked, LedgerError> {
    let mut looked = Looked::default();
    let mut proven = false;
    let mut not_known = Vec::new();
    let batches = files.len() as u64;
    for (place, (batch, files)) in files.iter().enumerate() {
        let Some(key) = ledger.batch_key(batch).await? else {
            continue;
        };
        let files: Vec<FileId> = files.iter().cloned().collect();
        let states = ledger.states(key, &files).await?;
        let over = |state: &FileState| matches!(state, FileState::Deleted | FileState::Gone);
        let over: Vec<FileId> = states
            .into_iter()
            .filter(|(_, state)| over(state))
            .map(|(file, _)| file)
            .collect();
        if over.is_empty() {
            continue;
        }
        match remote.list(batch).await {
            Listing::Files(listed) => {
                proven = true;
                let there: HashSet<FileId> = listed.into_iter().map(|listed| listed.file).collect();
                let findings = judged(over, &there, &mut looked);
                ledger.verified(key, &findings, now()).await?;
            }
            Listing::NoBatch => not_known.push((batch.clone(), key, over)),
            Listing::CannotTell { reason } => looked.unclear.push((batch.clone(), reason)),
        }
        progress(place as u64 + 1, batches);
    }
    for (batch, key, over) in not_known {
        // With the key of another account every batch looks like that.
        if proven || account_is_proven(ledger, remote, batch.account.as_ref()).await? {
            proven = true;
            let findings = judged(over, &HashSet::new(), &mut looked);
            ledger.verified(key, &findings, now()).await?;
        } else {
            let reason = "the API knows neither this batch nor any other of the ledger: is it the right key?";
            looked.unclear.push((batch, reason.to_owned()));
        }
    }
    Ok(looked)
}

fn judged(files: Vec<FileId>, there: &HashSet<FileId>, looked: &mut Looked) -> Vec<(FileId, Finding)> {
    looked.batches += 1;
    let judge = |file: FileId| {
        let finding = if there.contains(&file) {
            looked.revived += 1;
            Finding::StillThere
        } else {
            looked.absent += 1;
            Finding::Absent
        };
        (file, finding)
    };
    files.into_iter().map(judge).collect()
}

/// Whether the API shows any batch of the ledger that still has files.
async fn account_is_proven(
    ledger: &dyn Ledger,
    remote: &dyn Remote,
    account: Option<&AccountName>,
) -> Result<bool, LedgerError> {
    const TRIED: usize = 3;
    const PAGE: u32 = 200;
    let known = ledger.known_batches(None, PAGE).await?;
    let ours = |batch: &KnownBatch| batch.files_left > 0 && batch.address.account.as_ref() == account;
    for batch in known.into_iter().filter(ours).take(TRIED) {
        if matches!(remote.list(&batch.address).await, Listing::Files(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}
