//! What is stored of a plan that waits, file by file.

use std::sync::Arc;

use crate::model::{BatchAddress, FileKey, Timestamp};

/// A file of a stored plan, with all that the plan's hash is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its place in the plan's order, from 0.
    pub place: u64,
    /// The file.
    pub key: FileKey,
    /// Its batch at Extracta; the ledger keeps it by its number, and gives it back.
    pub batch: Arc<BatchAddress>,
    /// Where its period starts.
    pub starts_at: Timestamp,
    /// Since when it is due.
    pub due_at: Timestamp,
}
