//! Uploads: an intent before the request, the files' ids with its settlement.

use async_trait::async_trait;

use super::{Hinted, Recorded};
use crate::ledger::LedgerError;
use crate::model::{BatchAddress, NewUpload, Timestamp, Upload, UploadId, UploadSource, UploadState};
use crate::rules::policy::RuleDigest;

/// What is to be written of an upload's end.
#[derive(Debug, Clone)]
pub struct UploadEnd<'a> {
    /// How it ended: every state but `Open`.
    pub state: UploadState,
    /// The batch, if it is known now. It takes the place of what the intent said.
    pub batch: Option<&'a BatchAddress>,
    /// Files to be recorded in the same transaction, with the rule set of their hints: recorded as
    /// [`Intake::record`](super::Intake::record) does. Also a doubtful upload may bring some.
    pub files: Option<(&'a [Hinted], &'a RuleDigest)>,
    /// Why, in words or as the operator's code. No file ids, no names.
    pub reason: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// Intents of uploads, and their ends.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Commits an intent: to be called before the request's first byte leaves.
    async fn begin_upload(&self, upload: &NewUpload) -> Result<UploadId, LedgerError>;

    /// Writes an upload's end and records its files, all or nothing, in one transaction. `Conflict` when
    /// there is no such upload, or it is settled; one in doubt can be settled, or doubted again with more
    /// known of it.
    async fn end_upload(&self, id: UploadId, end: &UploadEnd<'_>) -> Result<Recorded, LedgerError>;

    /// Makes every open upload of `source` doubtful, apart from those of another process that is alive: for whoever
    /// alone of its process makes such uploads, and has just started. Returns how many there were.
    async fn interrupt_uploads(&self, source: UploadSource, at: Timestamp) -> Result<u64, LedgerError>;

    /// Uploads that are not settled, oldest first, at most `limit`. Costs what they are, not what was
    /// ever uploaded.
    async fn unsettled_uploads(&self, limit: u32) -> Result<Vec<Upload>, LedgerError>;

    /// The latest uploads of all states, newest first, below `before` if given, at most `limit`.
    async fn uploads(&self, before: Option<UploadId>, limit: u32) -> Result<Vec<Upload>, LedgerError>;
}
