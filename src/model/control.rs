//! What stops deletion: breakers, a pause, an approval that is missing, a clock nobody trusts.

use serde::{Deserialize, Serialize};

use super::{AccountName, PolicyName, Timestamp};

/// What a breaker guards. Breakers live in the ledger, so a restart resets none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerKind {
    /// The wall clock and its witnesses disagree. Closes by itself when they agree.
    Clock,
    /// 401 or 403. Closes by itself when a probe (credits) succeeds.
    Auth,
    /// The API cannot be reached or answers errors only. Closes by itself when a probe succeeds.
    Api,
    /// The ledger contradicts itself. An operator resets it.
    Integrity,
    /// A file that nobody asked for has vanished. An operator resets it.
    Collateral,
    /// The ledger is older than its anchor: a backup was restored, or its last changes were lost. An
    /// operator resets it.
    Rollback,
}

impl BreakerKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Clock,
        Self::Auth,
        Self::Api,
        Self::Integrity,
        Self::Collateral,
        Self::Rollback,
    ];

    /// The name in the ledger, in print and in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::Auth => "auth",
            Self::Api => "api",
            Self::Integrity => "integrity",
            Self::Collateral => "collateral",
            Self::Rollback => "rollback",
        }
    }

    /// Whether it closes by itself once the cause is gone.
    #[must_use]
    pub const fn heals(self) -> bool {
        match self {
            Self::Clock | Self::Auth | Self::Api => true,
            Self::Integrity | Self::Collateral | Self::Rollback => false,
        }
    }

    /// Whether each account has one of its own: what is wrong with one account's key stops no other's deletions.
    #[must_use]
    pub const fn is_of_account(self) -> bool {
        match self {
            Self::Auth | Self::Api => true,
            Self::Clock | Self::Integrity | Self::Collateral | Self::Rollback => false,
        }
    }
}

/// An open breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breaker {
    /// What it guards.
    pub kind: BreakerKind,
    /// The account that it stops, of the kinds that each account has; `None`: the one without a name, or all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
    /// When it opened.
    pub opened_at: Timestamp,
    /// Why, in words for the operator; no file ids.
    pub reason: String,
}

impl Breaker {
    /// Whether it stops deletion in `account`.
    #[must_use]
    pub fn stops(&self, account: Option<&AccountName>) -> bool {
        !self.kind.is_of_account() || self.account.as_ref() == account
    }

    /// As it is typed and printed: `auth`, or `auth@acme` of a named account.
    #[must_use]
    pub fn name(&self) -> String {
        breaker_name(self.kind, self.account.as_ref())
    }
}

/// As a breaker is typed and printed: `auth`, or `auth@acme` of a named account.
#[must_use]
pub fn breaker_name(kind: BreakerKind, account: Option<&AccountName>) -> String {
    match account {
        None => kind.name().to_owned(),
        Some(account) => format!("{}@{account}", kind.name()),
    }
}

/// A pause of all deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// When it ends by itself.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
}

/// Leave for exactly one plan to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Hash of the plan, hex.
    pub plan: String,
    /// The plan's policy.
    pub policy: PolicyName,
    /// When it was given.
    pub given_at: Timestamp,
    /// When it lapses.
    pub valid_until: Timestamp,
}

/// A reading of both clocks, stored at each tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockMark {
    /// Wall clock.
    pub wall: Timestamp,
    /// CLOCK_BOOTTIME, in milliseconds since boot (counts through suspend).
    pub boottime_ms: i64,
    /// The kernel's boot id: the two readings compare only within one boot.
    pub boot_id: String,
}

/// A disagreement between clock witnesses: each has an identity and is counted once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockAnomaly {
    /// Identity: what was seen, between which readings.
    pub identity: String,
    /// When it was seen (wall clock).
    pub seen_at: Timestamp,
    /// Difference in milliseconds, positive when the wall clock is ahead of the witness.
    pub skew_ms: i64,
    /// When the witnesses agreed again.
    pub resolved_at: Option<Timestamp>,
}
