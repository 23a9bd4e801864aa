//! The plan of one sweep: what would be deleted, in which order, and its hash.
//!
//! Made from the files that the ledger offers, one at a time; `limits` judges it, the engine sends it
//! chunk by chunk. Knows nothing of what was sent before or of how a request looks.

mod build;
mod chunk;
mod lines;
mod short_id;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;

pub use build::PlanBuilder;
pub use chunk::Chunk;
pub use lines::{PlanHasher, PlanLines, VERSION};

use super::policy::{Mode, RuleDigest};
use crate::model::{BatchAddress, BatchKey, FileId, PolicyName, Timestamp};
use short_id::ShortId;

/// What files of one batch share that are due for one reason.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    key: BatchKey,
    batch: Arc<BatchAddress>,
    reason: Arc<str>,
}

/// One file that a plan would delete: 56 bytes, so that a million due files fit in 56 MB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    id: ShortId,
    place: Arc<Place>,
    /// Where its period starts.
    pub starts_at: Timestamp,
    /// Since when it is due.
    pub due_at: Timestamp,
    /// When it becomes overdue.
    pub deadline_at: Timestamp,
}

const _: () = assert!(
    size_of::<PlannedFile>() == 56,
    "a plan of a million files has to stay lean"
);

/// What one sweep of one policy would do. An observing policy has a plan too; nobody sends it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The policy swept.
    pub policy: PolicyName,
    /// Its mode when the plan was made.
    pub mode: Mode,
    /// The rules that it was made by.
    pub rules: RuleDigest,
    /// When it was made.
    pub at: Timestamp,
    /// Every due file, oldest due time first, then batch, then file id.
    pub files: Vec<PlannedFile>,
    /// Live files of the policy when it was made.
    pub live: u64,
    /// Due but on hold.
    pub held: u64,
    /// What became of the other files that were looked at.
    pub others: Others,
    /// SHA-256 over policy, rule digest and files (not over `at`): equal plans have equal hashes. Hex; of
    /// what text, [`PlanHasher`] says.
    pub hash: String,
}

/// Counts of files that were looked at and are neither due nor due on hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Others {
    /// Their time has not come (on hold or not).
    pub not_yet: u64,
    /// Not due by their policy, but an erasure request takes them.
    pub by_request: u64,
    /// A binding floor keeps them although an erasure request covers them.
    pub bound: u64,
    /// A floor keeps them for ever.
    pub kept_forever: u64,
    /// Their start is missing or in doubt.
    pub not_eligible: u64,
    /// No policy matches.
    pub unowned: u64,
    /// Another policy owns them.
    pub owned_by_others: u64,
}

/// One planned file as `plan --json` shows it.
#[derive(Debug, Serialize)]
pub struct PlannedFileView<'a> {
    /// The file.
    pub file_id: &'a str,
    /// `batch_id`, and `classification_id` or `extraction_id`.
    #[serde(flatten)]
    pub batch: &'a BatchAddress,
    /// The policy.
    pub policy: &'a PolicyName,
    /// Where its period starts.
    pub starts_at: Timestamp,
    /// Since when it is due.
    pub due_at: Timestamp,
    /// When it becomes overdue.
    pub deadline_at: Timestamp,
    /// Why it is due, in one sentence.
    pub reason: &'a str,
}

impl PlannedFile {
    /// The file's id.
    #[must_use]
    pub fn file(&self) -> FileId {
        FileId::new(self.id()).expect("it was a file id when it was planned")
    }

    /// The file's id as text.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The ledger's batch key.
    #[must_use]
    pub fn key(&self) -> BatchKey {
        self.place.key
    }

    /// The batch at Extracta (shared).
    #[must_use]
    pub fn batch(&self) -> &Arc<BatchAddress> {
        &self.place.batch
    }

    /// Why it is due, in one sentence.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.place.reason
    }

    /// The order of a plan.
    pub(super) fn order(&self) -> (Timestamp, &BatchAddress, &str) {
        (self.due_at, &self.place.batch, self.id())
    }
}

impl Plan {
    /// Due files, those on hold not among them.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.files.len() as u64
    }

    /// The plan reduced to the files whose place in [`files`](Self::files) is marked: it may shrink, never
    /// grow. The hash is that of the files which are left. Nothing is copied: a plan may be large.
    #[must_use]
    pub fn only(mut self, marked: &[bool]) -> Self {
        let mut marks = marked.iter();
        self.files.retain(|_| marks.next().copied().unwrap_or(false));
        self.hashed()
    }

    /// The plan reduced to its `count` oldest files.
    #[must_use]
    pub fn oldest(mut self, count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count >= self.files.len() {
            return self;
        }
        self.files.truncate(count);
        self.hashed()
    }

    /// The places of the files by batch and id, to look some up: see [`place_of`](Self::place_of).
    #[must_use]
    pub fn places_by_key(&self) -> Vec<u32> {
        let most =
            u32::try_from(self.files.len()).expect("a plan holds fewer than four thousand million files");
        let mut places: Vec<u32> = (0..most).collect();
        places.sort_unstable_by_key(|at| {
            let file = &self.files[*at as usize];
            (file.key(), file.id())
        });
        places
    }

    /// The place of a file, by the result of [`places_by_key`](Self::places_by_key).
    #[must_use]
    pub fn place_of(&self, places: &[u32], batch: BatchKey, file: &str) -> Option<usize> {
        let found = places.binary_search_by(|at| {
            let known = &self.files[*at as usize];
            (known.key(), known.id()).cmp(&(batch, file))
        });
        found.ok().map(|at| places[at] as usize)
    }

    /// One file as `plan --json` shows it.
    #[must_use]
    pub fn view<'a>(&'a self, file: &'a PlannedFile) -> PlannedFileView<'a> {
        PlannedFileView {
            file_id: file.id(),
            batch: file.batch(),
            policy: &self.policy,
            starts_at: file.starts_at,
            due_at: file.due_at,
            deadline_at: file.deadline_at,
            reason: file.reason(),
        }
    }

    fn hashed(mut self) -> Self {
        self.hash = hash(&self.policy, &self.rules, &self.files);
        self
    }
}

fn hash(policy: &PolicyName, rules: &RuleDigest, files: &[PlannedFile]) -> String {
    let mut hasher = PlanHasher::new(policy, rules, files.len() as u64);
    for file in files {
        hasher.add(file.batch(), file.id(), file.starts_at, file.due_at);
    }
    hasher.finish()
}

/// One hash over the hashes of several policies' plans, in the order given. Hex.
pub fn hash_of_hashes<'a>(hashes: impl Iterator<Item = &'a str>) -> String {
    use sha2::{Digest, Sha256};
    let mut all = Sha256::new();
    for hash in hashes {
        all.update(hash);
        all.update([0x1e]);
    }
    hex::encode(all.finalize())
}
