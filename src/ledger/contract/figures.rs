//! What the faces show.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;

use super::coverage::Coverage;
use crate::ledger::LedgerError;
use crate::model::{
    Attempt, AttemptId, BatchAddress, BatchId, BatchKey, FileAddress, FileId, FileRecord, FileState,
    PolicyName, SweepId, Timestamp,
};

/// Counts of one policy (or of the unowned files).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Files by state name.
    pub by_state: BTreeMap<&'static str, u64>,
    /// Live files without a due time: kept for ever, or not eligible.
    pub without_due: u64,
    /// Due time of the oldest live file.
    pub next_due: Option<Timestamp>,
    /// Live files due at the instant asked for.
    pub due: u64,
    /// Live files past their deadline at that instant.
    pub overdue: u64,
    /// The oldest deadline that has passed.
    pub oldest_overdue: Option<Timestamp>,
}

/// Which attempts `history` wants.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only those that asked for this file.
    pub file: Option<FileId>,
    /// Only those of batches with this id.
    pub batch: Option<BatchId>,
    /// Only those of sweeps of this policy.
    pub policy: Option<PolicyName>,
    /// Only those of this sweep.
    pub sweep: Option<SweepId>,
    /// Intents from this instant on.
    pub since: Option<Timestamp>,
    /// Intents before this instant.
    pub until: Option<Timestamp>,
    /// Page on from below this attempt (newest first).
    pub before: Option<AttemptId>,
    /// At most so many.
    pub limit: u32,
}

/// One line of `ledger stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stat {
    /// What is counted.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// Its unit: `files`, `bytes`, `rows`.
    pub unit: &'static str,
}

/// What the faces show.
#[async_trait]
pub trait Figures: Coverage + Send + Sync {
    /// Every file with this id (file ids are unique per batch by contract only).
    async fn find(&self, file: &FileId) -> Result<Vec<FileRecord>, LedgerError>;

    /// One file by its full address.
    async fn locate(&self, address: &FileAddress) -> Result<Option<FileRecord>, LedgerError>;

    /// The ledger's key of a batch.
    async fn batch_key(&self, batch: &BatchAddress) -> Result<Option<BatchKey>, LedgerError>;

    /// Which of these ids the ledger holds in that batch, with their states.
    async fn states(
        &self,
        batch: BatchKey,
        files: &[FileId],
    ) -> Result<Vec<(FileId, FileState)>, LedgerError>;

    /// Live files of a policy; costs nothing that grows with the ledger.
    async fn live(&self, policy: &PolicyName) -> Result<u64, LedgerError>;

    /// Counts by policy; the key `None` stands for unowned files. Due and overdue at `now`.
    async fn tallies(&self, now: Timestamp) -> Result<BTreeMap<Option<PolicyName>, Tally>, LedgerError>;

    /// Number of live files falling due in each of the coming steps `(from, from + step]`, by policy.
    async fn falling_due(
        &self,
        from: Timestamp,
        bounds: &[Timestamp],
    ) -> Result<BTreeMap<PolicyName, Vec<u64>>, LedgerError>;

    /// Attempts with their files, newest first. A page costs what its file, sweep, batch, policy or time holds
    /// (the first of these that is asked for), never what the ledger does.
    async fn history(&self, filter: &HistoryFilter) -> Result<Vec<Attempt>, LedgerError>;

    /// Quarantined files with their last reason, at most `limit`.
    async fn quarantined(&self, limit: u32) -> Result<Vec<(FileRecord, String)>, LedgerError>;

    /// Sizes and counts.
    async fn stats(&self) -> Result<Vec<Stat>, LedgerError>;

    /// Checks structure, invariants and tallies; the problems found (none: clean).
    async fn check(&self, deep: bool) -> Result<Vec<String>, LedgerError>;

    /// Writes a whole, consistent copy (VACUUM INTO) to a path that does not exist yet.
    async fn backup(&self, to: &std::path::Path) -> Result<(), LedgerError>;

    /// Does the batch hold a file that nobody has asked to delete? (One that is neither deleted nor gone, and whose
    /// request is neither under way nor in doubt.)
    async fn batch_is_live(&self, batch: BatchKey) -> Result<bool, LedgerError>;

    /// Whether the ledger's path still leads to what was opened: `false` once the file was deleted,
    /// renamed or replaced under us. Asked at every tick; stop at `false` (faults.md D7).
    async fn intact(&self) -> Result<bool, LedgerError>;
}
