//! An upload: what was about to be sent, and whether its end is known.

use serde::{Deserialize, Serialize};

use super::{AccountName, BatchId, Labels, Parent, Timestamp};

/// Number of an upload, as shown to operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(pub i64);

/// Who made the request, or saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadSource {
    /// The verb `upload`.
    Upload,
    /// A client, through the gateway.
    Gateway,
    /// A client that says so at the intake endpoint.
    Intake,
}

impl UploadSource {
    /// All sources.
    pub const ALL: [Self; 3] = [Self::Upload, Self::Gateway, Self::Intake];

    /// The name in the ledger and in print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Gateway => "gateway",
            Self::Intake => "intake",
        }
    }
}

/// What is known of an upload's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadState {
    /// Begun, and under way as far as is known.
    Open,
    /// There may be files whose ids nobody knows.
    Doubtful,
    /// Its answer came, and every file of it is in the ledger.
    Recorded,
    /// Known to have brought nothing: not sent, or refused.
    Nothing,
    /// It was in doubt; a listing of its batch showed no file that the ledger lacks.
    Reconciled,
    /// It was in doubt; an operator settled it, with a reason.
    Resolved,
}

impl UploadState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Doubtful,
        Self::Recorded,
        Self::Nothing,
        Self::Reconciled,
        Self::Resolved,
    ];

    /// The name in the ledger and in print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Doubtful => "doubtful",
            Self::Recorded => "recorded",
            Self::Nothing => "nothing",
            Self::Reconciled => "reconciled",
            Self::Resolved => "resolved",
        }
    }

    /// Whether nothing is left to be found out.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Open | Self::Doubtful => false,
            Self::Recorded | Self::Nothing | Self::Reconciled | Self::Resolved => true,
        }
    }
}

/// A document that was sent: enough to recognise it, not to name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadedDocument {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Its length, in bytes.
    pub bytes: u64,
}

/// An upload as it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// Who makes the request, or sees it.
    pub source: UploadSource,
    /// The classification or extraction, where it is known already.
    pub parent: Option<Parent>,
    /// The account that it goes into; `None`: the one without a name.
    pub account: Option<AccountName>,
    /// The batch that it goes into; `None`: a new one, or not known yet.
    pub batch: Option<BatchId>,
    /// Files in the request; `None` where nobody counted them.
    pub files: Option<u64>,
    /// The documents, in the request's order; may be empty where nobody looked at them.
    pub documents: Vec<UploadedDocument>,
    /// Labels that its files are recorded with.
    pub labels: Labels,
    /// Document type that its files are recorded with.
    pub document_type: Option<String>,
    /// Data subject of its files as keyed HMAC in lower-case hex, never in clear.
    pub subject: Option<String>,
    /// When.
    pub begun_at: Timestamp,
    /// Still open after this instant, it was interrupted.
    pub patient_until: Timestamp,
}

/// An upload in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// Its number.
    pub id: UploadId,
    /// Who made the request, or saw it.
    pub source: UploadSource,
    /// What is known of its end.
    pub state: UploadState,
    /// The classification or extraction, where it is known.
    #[serde(flatten)]
    pub parent: Option<Parent>,
    /// The account; `None`: the one without a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// The batch, where it is known.
    #[serde(rename = "batch_id")]
    pub batch: Option<BatchId>,
    /// Files in the request; `None` where nobody counted them.
    pub files: Option<u64>,
    /// Files that the ledger holds because of it.
    pub recorded: u64,
    /// Labels that its files are recorded with.
    pub labels: Labels,
    /// Document type that its files are recorded with.
    pub document_type: Option<String>,
    /// Data subject of its files as keyed HMAC.
    #[serde(skip)]
    pub subject: Option<String>,
    /// When it began.
    pub begun_at: Timestamp,
    /// Still open after this instant, it was interrupted.
    pub patient_until: Timestamp,
    /// When its present state was written; `None` while it is open.
    pub settled_at: Option<Timestamp>,
    /// Why it stands so, in words or as the operator's code.
    pub reason: Option<String>,
}

impl Upload {
    /// Whether there may be files at Extracta whose ids nobody knows: it is doubtful, or it should have
    /// ended long ago.
    #[must_use]
    pub fn is_in_doubt(&self, now: Timestamp) -> bool {
        match self.state {
            UploadState::Doubtful => true,
            UploadState::Open => self.patient_until < now,
            UploadState::Recorded
            | UploadState::Nothing
            | UploadState::Reconciled
            | UploadState::Resolved => false,
        }
    }
}
