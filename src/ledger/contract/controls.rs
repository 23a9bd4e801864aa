//! What stops deletion: holds, breakers, the pause, the clock, the lineage; small named values.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::model::{
    AccountName, AttemptId, Breaker, BreakerKind, ClockAnomaly, ClockMark, Hold, HoldId, NewHold, Pause,
    Timestamp,
};
use crate::rules::policy::RuleDigest;

/// What a hold that was just placed came too late for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// The hold.
    pub hold: HoldId,
    /// Files under it that stay now (state live, unknown or quarantined).
    pub covers: u64,
    /// Attempts under way for files in its scope: too late for those.
    pub under_way: Vec<AttemptId>,
    /// Files in its scope that are already deleted or gone.
    pub already_deleted: u64,
}

/// Everything standing that can stop deletion, and the readings that the clock is judged by: one snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Barriers {
    /// Open breakers, the oldest first.
    pub breakers: Vec<Breaker>,
    /// The pause, also one that has lapsed.
    pub pause: Option<Pause>,
    /// Clock anomalies of this host that are not resolved.
    pub anomalies: Vec<ClockAnomaly>,
    /// The last clock reading and the highest wall clock ever stored.
    pub clock: Option<(ClockMark, Timestamp)>,
    /// The small named values, by name, without those of named accounts (`@…`): they may be many.
    pub settings: BTreeMap<String, String>,
    /// The rules in force; `None` when none were ever adopted.
    pub rules: Option<RuleDigest>,
}

/// What stops deletion.
#[async_trait]
pub trait Controls: Send + Sync {
    /// Places a hold.
    async fn add_hold(&self, hold: &NewHold, at: Timestamp) -> Result<Placed, LedgerError>;

    /// Releases a hold: it goes on covering until `ends_at`. `Conflict` when there is none or it is released.
    async fn release_hold(
        &self,
        id: HoldId,
        reason: &str,
        at: Timestamp,
        ends_at: Timestamp,
    ) -> Result<(), LedgerError>;

    /// Holds; only those active at `active_at`, when given.
    async fn holds(&self, active_at: Option<Timestamp>) -> Result<Vec<Hold>, LedgerError>;

    /// Works what was written lately into its place, so that the next process opens the ledger quickly. For
    /// whoever is about to end; nothing depends on it.
    async fn tidy(&self) -> Result<(), LedgerError>;

    /// Opens a breaker of an account; one that is open keeps its first reason. `account` only with a kind that each
    /// account has ([`BreakerKind::is_of_account`]).
    async fn open_breaker_of(
        &self,
        kind: BreakerKind,
        account: Option<&AccountName>,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), LedgerError>;

    /// Closes a breaker of an account; whether it was open.
    async fn close_breaker_of(
        &self,
        kind: BreakerKind,
        account: Option<&AccountName>,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, LedgerError>;

    /// Opens a breaker of all accounts, or of the one without a name.
    async fn open_breaker(&self, kind: BreakerKind, reason: &str, at: Timestamp) -> Result<(), LedgerError> {
        self.open_breaker_of(kind, None, reason, at).await
    }

    /// Closes such a breaker; whether it was open.
    async fn close_breaker(&self, kind: BreakerKind, by: &str, at: Timestamp) -> Result<bool, LedgerError> {
        self.close_breaker_of(kind, None, by, at).await
    }

    /// Open breakers.
    async fn breakers(&self) -> Result<Vec<Breaker>, LedgerError>;

    /// Sets or clears the pause.
    async fn set_pause(&self, pause: Option<&Pause>, at: Timestamp) -> Result<(), LedgerError>;

    /// The pause, also one that has lapsed.
    async fn pause(&self) -> Result<Option<Pause>, LedgerError>;

    /// The last clock reading of this host and the highest wall clock that it ever stored.
    async fn clock_mark(&self) -> Result<Option<(ClockMark, Timestamp)>, LedgerError>;

    /// Stores a reading; the high-water mark only rises.
    async fn set_clock_mark(&self, mark: &ClockMark) -> Result<(), LedgerError>;

    /// After an operator or two witnesses settled an anomaly: lowers the high-water mark to `wall`, and that of every
    /// other host that is above it.
    async fn reset_high_water(&self, mark: &ClockMark) -> Result<(), LedgerError>;

    /// Notes an anomaly; whether its identity is new.
    async fn add_anomaly(&self, anomaly: &ClockAnomaly) -> Result<bool, LedgerError>;

    /// Marks this host's standing anomalies as resolved, and those of a host that has said nothing for a day.
    async fn resolve_anomalies(&self, at: Timestamp) -> Result<(), LedgerError>;

    /// Number of anomalies ever noted, and those standing.
    async fn anomalies(&self) -> Result<(u64, Vec<ClockAnomaly>), LedgerError>;

    /// [`breakers`](Self::breakers), [`pause`](Self::pause), the standing ones of this host's [`anomalies`](Self::anomalies),
    /// [`clock_mark`](Self::clock_mark), every [`setting`](Self::setting) and the rules in force, at one instant: a sweep asks
    /// before every request.
    async fn barriers(&self) -> Result<Barriers, LedgerError>;

    /// Why this ledger may not be the latest of its line: it is behind the anchor beside it, or the
    /// anchor is missing or another ledger's. Once found it stays until [`Self::accept_lineage`],
    /// whatever is written. Fails with `NotWritable` when the anchor cannot be read or kept.
    async fn rollback(&self) -> Result<Option<String>, LedgerError>;

    /// What a ledger that was copied elsewhere says of that, in a sentence: it can only be read. `None` for one in use.
    async fn closed(&self) -> Result<Option<String>, LedgerError>;

    /// Takes the ledger as it is, and begins a new line: older copies belong to another from now on.
    async fn accept_lineage(&self, at: Timestamp) -> Result<(), LedgerError>;

    /// A small named value that outlives a restart (`api.not_before`, `chunk.size`, …).
    async fn setting(&self, name: &str) -> Result<Option<String>, LedgerError>;

    /// Sets or removes such a value.
    async fn set_setting(&self, name: &str, value: Option<&str>) -> Result<(), LedgerError>;
}
