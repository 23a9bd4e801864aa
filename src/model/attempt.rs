//! An attempt: one delete request, from its intent to its verification.

use serde::{Deserialize, Serialize};

use super::{BatchAddress, FileId, FileState, PolicyName, SweepId, Timestamp};

/// Number of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptId(pub i64);

/// Which call an attempt makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttemptKind {
    /// `DELETE /documentClassification/deleteFiles`, many files of one batch.
    DeleteFiles,
    /// `DELETE /deleteExtraction` with all three ids: one file.
    DeleteExtraction,
}

impl AttemptKind {
    /// The API's own name of the call.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeleteFiles => "deleteFiles",
            Self::DeleteExtraction => "deleteExtraction",
        }
    }
}

/// What a later, independent look (getResults) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The file is not listed any more.
    Absent,
    /// The file is still listed.
    StillThere,
}

/// One file within an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptFile {
    /// The file.
    pub file_id: FileId,
    /// The state that the answer led to; `None` while under way.
    pub result: Option<FileState>,
    /// When it was looked at again.
    pub verified_at: Option<Timestamp>,
    /// What that look found.
    pub finding: Option<Finding>,
}

/// An attempt with its files, as `history` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Its number.
    pub attempt: AttemptId,
    /// The sweep it belongs to.
    pub sweep: SweepId,
    /// The policy swept.
    pub policy: PolicyName,
    /// The call made.
    pub call: AttemptKind,
    /// The batch at Extracta.
    #[serde(flatten)]
    pub batch: BatchAddress,
    /// When the intent was committed.
    pub intent_at: Timestamp,
    /// When the outcome was committed.
    pub settled_at: Option<Timestamp>,
    /// What the answer meant: `confirmed`, `gone`, `refused`, `unknown`, …; `None` while under way.
    pub outcome: Option<String>,
    /// HTTP status, if an answer came.
    pub http_status: Option<u16>,
    /// A short, cleaned note on the answer: never ids, links or names.
    pub detail: Option<String>,
    /// The files asked for.
    pub files: Vec<AttemptFile>,
}
