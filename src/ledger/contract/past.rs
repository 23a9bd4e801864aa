//! What a decision of the past rested on: so that it can be decided once more, and be seen to come out the
//! same.

use async_trait::async_trait;
use serde::Serialize;

use super::changes::RulesInForce;
use crate::ledger::LedgerError;
use crate::model::{Approval, FileKey, FileRecord, FileState, RecordedEvent, Sweep, SweepId, Timestamp};
use crate::rules::policy::RuleDigest;

/// A move of a file outside any request: a probe, a look, an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// When.
    pub at: Timestamp,
    /// What happened: `found-gone`, `still-there`, `given-up`, …
    pub event: String,
    /// The state before.
    pub from: FileState,
    /// The state after.
    pub to: FileState,
    /// Why, in words or as the operator's code.
    pub reason: String,
}

/// The past of rules, sweeps and single files. Each question costs what its answer does.
#[async_trait]
pub trait Past: Send + Sync {
    /// The rules that were in force at `at`, with their text as it was kept then; `None` before the first.
    async fn rules_at(&self, at: Timestamp) -> Result<Option<RulesInForce>, LedgerError>;

    /// The last text that was kept for a rule set.
    async fn rule_text(&self, digest: &RuleDigest) -> Result<Option<String>, LedgerError>;

    /// One sweep.
    async fn sweep(&self, id: SweepId) -> Result<Option<Sweep>, LedgerError>;

    /// The approval that let a sweep run, where there was one.
    async fn approval_used_by(&self, sweep: SweepId) -> Result<Option<Approval>, LedgerError>;

    /// What moved a file outside any request, oldest first.
    async fn moves(&self, file: &FileKey) -> Result<Vec<Move>, LedgerError>;

    /// Every start event that was ever recorded for the file (by its id, its batch, its original's, a label),
    /// by number; those that a correction replaced are among them.
    async fn events_of(&self, file: &FileRecord) -> Result<Vec<RecordedEvent>, LedgerError>;
}
