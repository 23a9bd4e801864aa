//! What somebody else removed at Extracta, and was seen to.

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::model::{AccountName, BatchAddress, FileId, Parent, Timestamp};

/// What a confirmed delete took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// These files of a batch.
    Files {
        /// The batch.
        batch: BatchAddress,
        /// The files, at least one.
        files: Vec<FileId>,
    },
    /// A batch with all its files.
    Batch(BatchAddress),
    /// A classification or template with everything in it.
    Parent {
        /// The classification or extraction.
        parent: Parent,
        /// The account that it belongs to.
        account: Option<AccountName>,
    },
}

/// Deletes that were not ours.
#[async_trait]
pub trait Others: Send + Sync {
    /// Moves the files that the ledger holds of `removed` to `gone`: those that are `live`, `unknown` or
    /// `quarantined`. Of one that is `deleting` our own attempt's outcome tells; it is left alone, and so
    /// are linked copies elsewhere. In pages, each a transaction of its own: after an error a repeat goes
    /// on. Returns how many moved. What the ledger does not know is passed over.
    async fn gone_by_others(
        &self,
        removed: &Removed,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError>;
}
