//! The plan of one sweep.

use crate::model::{BatchAddress, BatchKey, FileId, PolicyName, Timestamp};
use std::sync::Arc;

/// One file that a plan would delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// The ledger's batch key.
    pub key: BatchKey,
    /// The batch at Extracta (shared).
    pub batch: Arc<BatchAddress>,
    /// The file.
    pub file: FileId,
    /// Where its period starts.
    pub starts_at: Timestamp,
    /// Since when it is due.
    pub due_at: Timestamp,
    /// When it becomes overdue.
    pub deadline_at: Timestamp,
    /// Why it is due, in one sentence.
    pub reason: Arc<str>,
}

/// What one sweep of one policy would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The policy swept.
    pub policy: PolicyName,
    /// When it was made.
    pub at: Timestamp,
    /// Every due file, oldest due time first, then batch, then file id.
    pub files: Vec<PlannedFile>,
    /// Live files of the policy when it was made.
    pub live: u64,
    /// Due but on hold.
    pub held: u64,
    /// SHA-256 over policy, rule digest and files (not over `at`): equal plans have equal hashes. Hex.
    pub hash: String,
}
