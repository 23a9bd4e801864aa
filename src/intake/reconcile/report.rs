//! What a reconciliation found.

use serde::Serialize;

use crate::model::{BatchAddress, ExtractionId, FileAddress, Parent, Timestamp, UploadId};

/// Said with every result: what no reconciliation can find.
pub const BLIND_SPOT: &str = "The API cannot list a classification's batches: a batch that nobody recorded is not found here, and \
     neither are its files. Only extractions list theirs.";

/// So many files that the ledger lacks are listed; all are counted.
pub const LISTED_ORPHANS: usize = 10_000;

/// A file that is at Extracta, and was in no ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// Where it is.
    #[serde(flatten)]
    pub address: FileAddress,
    /// The time inside its id, where it is a push id: when it was made, as far as anything tells.
    pub id_time: Option<Timestamp>,
    /// Whether it is in the ledger now.
    pub recorded: bool,
}

/// Something that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unclear {
    /// The classification or extraction.
    #[serde(flatten)]
    pub parent: Parent,
    /// The batch; `None`: the extraction's list of batches.
    #[serde(rename = "batch_id")]
    pub batch: Option<crate::model::BatchId>,
    /// Why, in words.
    pub reason: String,
}

/// What a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// Whether it went on where an interrupted run stopped; what that one found is not in here.
    pub resumed: bool,
    /// Batches looked at.
    pub batches: u64,
    /// Files listed.
    pub files: u64,
    /// Files that the ledger lacked: the first [`LISTED_ORPHANS`].
    pub orphans: Vec<Orphan>,
    /// All of those.
    pub orphans_total: u64,
    /// Those of them that are in the ledger now.
    pub orphans_recorded: u64,
    /// Live files that are not there any more, noted as gone by others.
    pub gone: u64,
    /// Linked copies that the ledger did not know, and knows now.
    pub copies: u64,
    /// Batches that the API does not know. Their files are left as they are: a wrong key looks the same.
    pub missing_batches: Vec<BatchAddress>,
    /// What could not be looked at.
    pub unclear: Vec<Unclear>,
    /// Uploads in doubt that are settled now.
    pub settled_uploads: Vec<UploadId>,
    /// Uploads that are still in doubt.
    pub uploads_in_doubt: Vec<UploadId>,
    /// Those of them whose batch nobody knows.
    pub without_batch: u64,
}

impl Reconciled {
    /// Whether no file of this extraction is left unrecorded, and everything of it could be looked at.
    pub(super) fn unrecorded_in(&self, extraction: &ExtractionId) -> bool {
        let here = |parent: &Parent| matches!(parent, Parent::Extraction(id) if id == extraction);
        let listed = self.orphans_total <= self.orphans.len() as u64;
        listed
            && !self.unclear.iter().any(|unclear| here(&unclear.parent))
            && !self
                .orphans
                .iter()
                .any(|orphan| !orphan.recorded && here(&orphan.address.batch.parent))
    }

    /// Whether nothing is left for anybody to do.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.orphans_total == self.orphans_recorded
            && self.missing_batches.is_empty()
            && self.unclear.is_empty()
            && self.uploads_in_doubt.is_empty()
    }
}
