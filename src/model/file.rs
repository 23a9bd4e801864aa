//! A tracked file: what was recorded of it, its state, and what the rules last said.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BatchAddress, FileAddress, FileId, Occurred, PolicyName, Timestamp};

/// Labels that an uploader declared: key → value.
pub type Labels = BTreeMap<String, String>;

/// The ledger's short name of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchKey(pub i64);

/// The ledger's key of a file: file ids are unique per batch by contract only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Short name of the batch.
    pub batch: BatchKey,
    /// The file's id at Extracta.
    pub file: FileId,
}

/// Where a file stands. The only changes are those of `outcome::next_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileState {
    /// At Extracta, as far as is known.
    Live,
    /// An intent is committed; the request may be under way.
    Deleting,
    /// Deletion confirmed by code and body.
    Deleted,
    /// Not there any more, without a confirmation of ours.
    Gone,
    /// The request's outcome is not known; to be probed.
    Unknown,
    /// Given up after repeated refusals; waits for an operator.
    Quarantined,
}

impl FileState {
    /// All states, in the order of their codes.
    pub const ALL: [Self; 6] = [
        Self::Live,
        Self::Deleting,
        Self::Deleted,
        Self::Gone,
        Self::Unknown,
        Self::Quarantined,
    ];

    /// The integer that stands for the state in the ledger.
    #[must_use]
    pub const fn code(self) -> i64 {
        match self {
            Self::Live => 0,
            Self::Deleting => 1,
            Self::Deleted => 2,
            Self::Gone => 3,
            Self::Unknown => 4,
            Self::Quarantined => 5,
        }
    }

    /// The state of a ledger code, or `None` for a foreign number.
    #[must_use]
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// The state's name as it is printed: `live`, `deleting`, …
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Gone => "gone",
            Self::Unknown => "unknown",
            Self::Quarantined => "quarantined",
        }
    }
}

/// A file as it comes in: the facts of one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Full address at Extracta.
    pub address: FileAddress,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When Extracta finished processing it, if known.
    pub processed_at: Option<Timestamp>,
    /// Document type, if known.
    pub document_type: Option<String>,
    /// Declared labels.
    pub labels: Labels,
    /// Data subject as keyed HMAC in lower-case hex, never in clear.
    pub subject: Option<String>,
    /// The classification file that this extraction file is a linked copy of.
    pub copy_of: Option<FileAddress>,
}

/// A file as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Ledger key.
    pub key: FileKey,
    /// The batch at Extracta (shared by all files of the batch).
    pub batch: std::sync::Arc<BatchAddress>,
    /// State at the time of reading.
    pub state: FileState,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When Extracta finished processing it, if known.
    pub processed_at: Option<Timestamp>,
    /// Document type, if known.
    pub document_type: Option<std::sync::Arc<str>>,
    /// Declared labels.
    pub labels: std::sync::Arc<Labels>,
    /// Data subject as keyed HMAC in lower-case hex.
    pub subject: Option<String>,
    /// Set on a linked copy: the classification file it is a copy of. A copy is matched, held and
    /// timed as its original.
    pub copy_of: Option<FileAddress>,
    /// The start events on record that cover it.
    pub occurred: std::sync::Arc<Occurred>,
    /// The owner policy that the rules last found: a hint, decided again before any deletion.
    pub owner: Option<PolicyName>,
    /// When the rules last found it due: a hint. `None`: never, or not eligible.
    pub due_at: Option<Timestamp>,
    /// When the rules last found it overdue: a hint.
    pub deadline_at: Option<Timestamp>,
}

impl FileRecord {
    /// Full address at Extracta.
    #[must_use]
    pub fn address(&self) -> FileAddress {
        FileAddress {
            batch: (*self.batch).clone(),
            file: self.key.file.clone(),
        }
    }
}
