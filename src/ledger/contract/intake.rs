//! Uploads taken in, and the hints that the rules in force give them.

use async_trait::async_trait;
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::model::{FileRecord, NewFile, Timestamp};
use crate::rules::policy::{Hint, RuleDigest};

/// A file together with what the rules say of it.
#[derive(Debug, Clone)]
pub struct Hinted {
    /// The file.
    pub file: NewFile,
    /// What the rule set named beside it says.
    pub hint: Hint,
}

/// What became of the rows of one intake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// New files.
    pub added: u64,
    /// Files known before with the same facts, or with facts that only filled gaps.
    pub known: u64,
    /// Known files whose later `uploaded_at` or missing facts were taken over (a start only ever moves
    /// later: recording can postpone, never advance).
    pub updated: u64,
}

/// Taking uploads in.
#[async_trait]
pub trait Intake: Send + Sync {
    /// Records files, all of `rows` or none, in one transaction. Idempotent by full address. Of a
    /// known file in state `live`, gaps (processed_at, document type, labels, subject) are filled, a
    /// later `uploaded_at` replaces an earlier one, an earlier one is ignored; other states are left
    /// alone. `copy_of` is kept in a side table. `digest` names the rule set of the hints. Where the
    /// facts kept are neither the old nor the new ones, no hint fits them: `hints_are_current` then
    /// says no, and `rehint` decides the file again.
    async fn record(
        &self,
        rows: &[Hinted],
        digest: &RuleDigest,
        now: Timestamp,
    ) -> Result<Recorded, LedgerError>;
}

/// One page of live files to be decided anew, and their new hints.
pub type Rehint<'a> = &'a (dyn Fn(&FileRecord) -> Hint + Send + Sync);

/// Progress of deciding all live files under the current rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rehinted {
    /// Files looked at by this call.
    pub seen: u64,
    /// Live files that still carry hints of other rules.
    pub left: u64,
}

/// Hints of the rules in force.
#[async_trait]
pub trait Rules: Send + Sync {
    /// Makes `digest` the rule set in force, and stores `policies` (name → period etc. as text) as
    /// its description. Returns whether every live file already carries its hints.
    async fn adopt_rules(
        &self,
        digest: &RuleDigest,
        description: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError>;

    /// Whether every live file carries hints of `digest`.
    async fn hints_are_current(&self, digest: &RuleDigest) -> Result<bool, LedgerError>;

    /// Decides up to `page` more live files under `digest` and keeps where it stands, so that a
    /// restart goes on. Call until `left` is 0. `Conflict` when `digest` is not in force. Only files in state `live` or `unknown` are touched.
    async fn rehint(&self, digest: &RuleDigest, page: u32, hint: Rehint<'_>)
    -> Result<Rehinted, LedgerError>;
}
