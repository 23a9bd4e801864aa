//! Batches one after the other: for whoever holds the ledger against what is at Extracta.

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::model::{BatchAddress, BatchKey, FileId, Timestamp};

/// A batch that the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBatch {
    /// The ledger's number of it: later ones are greater.
    pub key: BatchKey,
    /// Where it is.
    pub address: BatchAddress,
    /// Files of it that are neither deleted nor gone.
    pub files_left: u64,
}

/// Batches and what is left in them.
#[async_trait]
pub trait Batches: Send + Sync {
    /// Batches by key, after the one given, at most `page`.
    async fn known_batches(&self, after: Option<BatchKey>, page: u32)
    -> Result<Vec<KnownBatch>, LedgerError>;

    /// Number of batches after the one given.
    async fn count_batches(&self, after: Option<BatchKey>) -> Result<u64, LedgerError>;

    /// Files of these batches in state `live` or `unknown`. Reads the whole ledger once, however many
    /// batches are asked for: ask for many at once.
    async fn files_left_in(&self, batches: &[BatchKey]) -> Result<Vec<(BatchKey, FileId)>, LedgerError>;

    /// Notes files as gone that somebody else has deleted. Only those in state `live` or `unknown` when
    /// it is written move: one that a sweep has claimed meanwhile is the sweep's. Returns how many moved.
    async fn note_missing(
        &self,
        batch: BatchKey,
        files: &[FileId],
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError>;
}
