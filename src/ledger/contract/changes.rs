//! Changed rules that wait: which set is in force, what another one would change, and the leave to take it.

use async_trait::async_trait;
use serde::Serialize;

use super::super::LedgerError;
use crate::model::{FileKey, FileRecord, Timestamp};
use crate::rules::impact::Impact;
use crate::rules::policy::RuleDigest;

/// The set that decides what is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesInForce {
    /// Its digest.
    pub digest: RuleDigest,
    /// The policy file that it was compiled from; `None` where an older version adopted it.
    pub text: Option<String>,
    /// Since when.
    pub adopted_at: Timestamp,
}

/// A changed rule set that wants to take the place of the one in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChange {
    /// Digest of the set in force.
    pub before: RuleDigest,
    /// Digest of the one that waits: what `retentiond approve` takes.
    pub after: RuleDigest,
    /// When it was first seen.
    pub seen_at: Timestamp,
    /// What it changes, as last weighed.
    pub impact: Impact,
    /// Until when an approval lets it through; `None` without one.
    pub approved_until: Option<Timestamp>,
}

impl RuleChange {
    /// Whether it may be adopted at `now`.
    #[must_use]
    pub fn is_approved(&self, now: Timestamp) -> bool {
        self.approved_until.is_some_and(|until| now < until)
    }
}

/// Changes of the rules in force. At most one waits.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The rules in force; `None` when none were ever adopted.
    async fn rules_in_force(&self) -> Result<Option<RulesInForce>, LedgerError>;

    /// Keeps the policy file of a set, so that it can be compiled again after a restart. The last text
    /// of a digest counts; those before it stay, for the decisions that were made by them.
    async fn keep_rule_text(&self, digest: &RuleDigest, text: &str, at: Timestamp)
    -> Result<(), LedgerError>;

    /// Files in state `live` or `unknown` that carry hints of the rules in force, by key, after the one
    /// given, at most `page`.
    async fn decided(&self, after: Option<&FileKey>, page: u32) -> Result<Vec<FileRecord>, LedgerError>;

    /// How many such files carry hints of other rules.
    async fn undecided(&self) -> Result<u64, LedgerError>;

    /// Makes `after` the change that waits, in place of any other. An approval of the same pair of
    /// digests stays; the impact is renewed. `Conflict` when `after` is in force.
    async fn propose(
        &self,
        after: &RuleDigest,
        impact: &Impact,
        at: Timestamp,
    ) -> Result<RuleChange, LedgerError>;

    /// The change that waits.
    async fn waiting_change(&self) -> Result<Option<RuleChange>, LedgerError>;

    /// Approves the change that waits, by its whole digest or a prefix of at least 8 characters.
    async fn approve_change(
        &self,
        digest: &str,
        at: Timestamp,
        valid_until: Timestamp,
    ) -> Result<RuleChange, LedgerError>;

    /// Nothing waits any more: the policy file went back to what is in force.
    async fn withdraw_change(&self, at: Timestamp) -> Result<(), LedgerError>;
}
