//! The log's own retention: facts that are over go, with all that names them; the hashes of their leaves stay.
//!
//! A fact is over when nothing can come of it any more: its files are deleted or gone, no hold or open request
//! covers them, nothing newer is on record of them. What is not over stays whole, however old it is.

use async_trait::async_trait;
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::model::Timestamp;

/// How far a redaction has come: what its next step looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedactionStep {
    /// Holds, requests, stops, uploads, plans.
    Records,
    /// Leaves that an earlier redaction let stay, from this one on.
    Kept(u64),
    /// Leaves that none has looked at.
    Leaves,
    /// Files, by their attempts: those after this intent and number.
    Attempts(i64, i64),
    /// Files, by moves outside attempts: those after this one.
    Moves(i64),
}

impl RedactionStep {
    /// Where each redaction begins.
    pub const FIRST: Self = Self::Records;
}

/// What went in a step, or in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Gone {
    /// Leaves without their bytes and salts.
    pub leaves: u64,
    /// Files.
    pub files: u64,
    /// Other records.
    pub records: u64,
}

impl std::ops::AddAssign for Gone {
    fn add_assign(&mut self, other: Self) {
        self.leaves += other.leaves;
        self.files += other.files;
        self.records += other.records;
    }
}

impl Gone {
    /// Whether anything went.
    #[must_use]
    pub fn is_something(self) -> bool {
        self != Self::default()
    }
}

/// What has gone from a ledger so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Redacted {
    /// What was over before this instant has gone.
    pub before: Timestamp,
    /// When it last went.
    pub at: Timestamp,
}

impl Redacted {
    /// For whoever asks after something that may have gone.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!(
            "what was over before {} was redacted, last on {} (`[evidence] keep`)",
            self.before, self.at
        )
    }
}

/// What would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Redactable {
    /// Leaves that would lose their bytes.
    pub leaves: u64,
    /// Leaves as old that would stay, since what they tell of is not over.
    pub kept: u64,
}

/// The retention of the log itself.
#[async_trait]
pub trait Redaction: Send + Sync {
    /// One step, in one transaction that is short however much there is to do: takes away what was over before
    /// `before`, and says so in a leaf of its own. What went, and the next step; `None` when all has gone.
    async fn redact(
        &self,
        step: RedactionStep,
        before: Timestamp,
        at: Timestamp,
    ) -> Result<(Gone, Option<RedactionStep>), LedgerError>;

    /// What has gone so far; `None`: nothing ever did.
    async fn redacted(&self) -> Result<Option<Redacted>, LedgerError>;

    /// When a redaction last came to its end.
    async fn redaction_finished(&self) -> Result<Option<Timestamp>, LedgerError>;

    /// What a redaction would take now. Changes nothing.
    async fn redactable(&self, before: Timestamp, at: Timestamp) -> Result<Redactable, LedgerError>;
}
