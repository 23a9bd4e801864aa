//! What the ledger already knows of a file's upload time.
//!
//! A row without `uploaded_at` stands for "now". Recorded a second time it would move the start of
//! the period to the later now, and a nightly job that records the same answers again would keep
//! files for ever. So an assumed time only ever fills a gap: what the ledger knows is used instead.

use async_trait::async_trait;

use crate::ledger::{Figures, LedgerError};
use crate::model::{BatchAddress, FileAddress, FileId, Timestamp};

/// Asks for upload times that are already on record.
#[async_trait]
pub trait Recall: Send + Sync {
    /// Those of `files` in `batch` that are known, with their upload times.
    async fn uploads(
        &self,
        batch: &BatchAddress,
        files: &[FileId],
    ) -> Result<Vec<(FileId, Timestamp)>, LedgerError>;
}

#[async_trait]
impl<T: Figures + ?Sized> Recall for T {
    async fn uploads(
        &self,
        batch: &BatchAddress,
        files: &[FileId],
    ) -> Result<Vec<(FileId, Timestamp)>, LedgerError> {
        let Some(key) = self.batch_key(batch).await? else {
            return Ok(Vec::new());
        };
        let mut known = Vec::new();
        for (file, _) in self.states(key, files).await? {
            let address = FileAddress {
                batch: batch.clone(),
                file,
            };
            if let Some(record) = self.locate(&address).await? {
                known.push((address.file, record.uploaded_at));
            }
        }
        Ok(known)
    }
}
