//! Runs and plans.

use async_trait::async_trait;
use serde::Serialize;

use super::plans::StoredFile;
use crate::ledger::LedgerError;
use crate::model::{
    Approval, FileKey, PolicyName, Sweep, SweepId, SweepState, SweepSummary, Timestamp, Trigger,
};
use crate::rules::policy::RuleDigest;

/// A sweep to be opened.
#[derive(Debug, Clone)]
pub struct OpenSweep {
    /// The policy.
    pub policy: PolicyName,
    /// The scheduled instant: one sweep only for each.
    pub occurrence: Option<Timestamp>,
    /// What started it.
    pub trigger: Trigger,
    /// When.
    pub at: Timestamp,
    /// The rules it pins.
    pub digest: RuleDigest,
}

/// What opening a sweep gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A new sweep.
    New(SweepId),
    /// The same occurrence was begun before and not finished (`open`, `cut`, `postponed`): go on;
    /// `sent` files count against its limits.
    Resumed {
        /// The sweep.
        sweep: SweepId,
        /// Files sent so far.
        sent: u64,
    },
    /// The same occurrence has been done.
    AlreadyDone(SweepId),
    /// Another process that is alive sweeps this policy, on account of this occurrence or of another.
    Elsewhere {
        /// The sweep that it is at.
        sweep: SweepId,
        /// `PID on HOST`.
        by: String,
    },
}

/// A plan that is stored: its head, and for a waiting one each file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredPlan {
    /// Hash, hex.
    pub hash: String,
    /// The policy.
    pub policy: PolicyName,
    /// Digest of the rules that it was made by.
    pub rules: RuleDigest,
    /// When it was made.
    pub at: Timestamp,
    /// Files in it.
    pub files: u64,
    /// Why it waits; `None` when it was let through.
    pub waits_for: Option<String>,
}

/// Runs and plans.
#[async_trait]
pub trait Sweeps: Send + Sync {
    /// Opens a sweep; an occurrence is unique per policy, and one process at a time sweeps a policy. One that goes on pins
    /// the rules that are named now.
    async fn open_sweep(&self, open: &OpenSweep) -> Result<Opened, LedgerError>;

    /// Those `among` the given files that a sweep has asked for, apart from copies and from those that
    /// were released again.
    async fn sent_in(&self, sweep: SweepId, among: &[FileKey]) -> Result<Vec<FileKey>, LedgerError>;

    /// Files that count against the limits of a sweep so far, as [`Opened::Resumed`] has them. `Conflict` when there is no
    /// such sweep.
    async fn sent(&self, sweep: SweepId) -> Result<u64, LedgerError>;

    /// What the requests of a sweep came to, as the ledger shows it, whoever made them: `requests`, `sent`, `deleted`
    /// (and not found there again), `late`, `gone`, `verified` and `copies`; nothing else is counted. A process that was
    /// killed has counted nothing of what it did.
    async fn came_to(&self, sweep: SweepId) -> Result<SweepSummary, LedgerError>;

    /// Ends a sweep, and with it what is left of its parts. `Conflict` when it is not open, or another process has
    /// taken it over.
    async fn close_sweep(
        &self,
        sweep: SweepId,
        state: SweepState,
        summary: &SweepSummary,
        at: Timestamp,
    ) -> Result<(), LedgerError>;

    /// The latest sweeps, newest first; of one policy or of all.
    async fn sweeps(&self, policy: Option<&PolicyName>, limit: u32) -> Result<Vec<Sweep>, LedgerError>;

    /// The latest scheduled instant of `policy`, not after `now`, that has a sweep, and how that sweep
    /// stands. (A clock that once ran ahead may have left instants of the future.)
    async fn last_occurrence(
        &self,
        policy: &PolicyName,
        now: Timestamp,
    ) -> Result<Option<(Timestamp, SweepState)>, LedgerError>;

    /// When `policy` was first seen under a schedule (the start of its catch-up); set on first asking.
    async fn scheduled_since(&self, policy: &PolicyName, now: Timestamp) -> Result<Timestamp, LedgerError>;

    /// Stores a plan. `files` only for a plan that waits. The same hash again is the same plan: `at`,
    /// the sweep and what it waits for are renewed, and the files are, unless it waits and none are given.
    async fn store_plan(
        &self,
        plan: &StoredPlan,
        files: &[StoredFile],
        sweep: SweepId,
    ) -> Result<(), LedgerError>;

    /// Adds files to a stored plan that does not wait yet, page by page: a long one is made to wait by
    /// a last [`store_plan`](Self::store_plan), so that only a whole one can be approved. `Conflict`
    /// when no such plan is stored, or it waits.
    async fn add_to_plan(&self, hash: &str, files: &[StoredFile]) -> Result<(), LedgerError>;

    /// Stored plans that wait and are not older than `since`, newest first.
    async fn waiting_plans(&self, since: Timestamp) -> Result<Vec<StoredPlan>, LedgerError>;

    /// The hash of a stored plan that waits, computed again over what is stored of it: equal to the one
    /// that it is stored under, or somebody has changed it. `None` when no such plan waits. Reads the plan once.
    async fn recomputed_hash(&self, hash: &str) -> Result<Option<String>, LedgerError>;

    /// The files of a stored plan in its order, from a place on, at most `page`.
    async fn plan_files(&self, hash: &str, from: u64, page: u32) -> Result<Vec<StoredFile>, LedgerError>;

    /// Approves a waiting plan by its whole hash or a unique prefix of at least 8 characters.
    async fn approve(
        &self,
        hash: &str,
        at: Timestamp,
        valid_until: Timestamp,
    ) -> Result<Approval, LedgerError>;

    /// Approvals valid at `now` and not used up, newest first.
    async fn approvals(&self, now: Timestamp) -> Result<Vec<Approval>, LedgerError>;

    /// Marks every approval of a plan as used by a finished sweep; the plan waits no longer.
    /// `Conflict` when there is none.
    async fn use_up(&self, hash: &str, sweep: SweepId, at: Timestamp) -> Result<(), LedgerError>;
}
