//! Files that no policy reaches: unowned ones, and those without a due time.

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::model::{BatchAddress, FileKey, FileRecord, PolicyName, Timestamp};

/// Where a page of [`Coverage::without_due`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AfterUpload {
    /// Upload time of the last file.
    pub uploaded_at: Timestamp,
    /// Key of the last file.
    pub key: FileKey,
}

/// What narrows the search for files that nothing would ever delete.
#[async_trait]
pub trait Coverage: Send + Sync {
    /// Live files of `policy` whose hint has no due time, uploaded at or before `until`, oldest upload first
    /// (then by batch and id), at most `page`. Costs what it gives.
    async fn without_due(
        &self,
        policy: &PolicyName,
        until: Timestamp,
        after: Option<&AfterUpload>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError>;

    /// Live files that no policy owns, by batch, those with most files first, at most `limit` batches.
    async fn unowned_by_batch(&self, limit: u32) -> Result<Vec<(BatchAddress, u64)>, LedgerError>;
}
