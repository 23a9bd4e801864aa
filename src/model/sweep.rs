//! A sweep: one pass of one policy, and what came of it.

use serde::{Deserialize, Serialize};

use super::{PolicyName, Timestamp};

/// Number of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SweepId(pub i64);

/// What started a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// The policy's schedule.
    Schedule,
    /// A scheduled occurrence that was missed while the daemon was down.
    CatchUp,
    /// An operator: `retentiond sweep`.
    Manual,
    /// `retentiond approve` of a waiting plan.
    Approval,
}

/// How a sweep stands or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepState {
    /// Under way, or interrupted by a crash.
    Open,
    /// All that was planned is settled.
    Done,
    /// Nothing was sent: a limit, an approval or a breaker stands in the way.
    Stopped,
    /// Ended before its end (shutdown, API not available); the next one goes on.
    Cut,
    /// The API asked to wait, or could not be reached: `not_before` says until when.
    Postponed,
}

impl SweepState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Open, Self::Done, Self::Stopped, Self::Cut, Self::Postponed];

    /// The name in the ledger and in print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Cut => "cut",
            Self::Postponed => "postponed",
        }
    }
}

/// Counts of one sweep, in files except where said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweepSummary {
    /// Live files of the policy when the plan was made.
    pub live: u64,
    /// Due files found.
    pub due: u64,
    /// Due but on hold.
    pub held: u64,
    /// Files for which an intent was committed.
    pub sent: u64,
    /// Confirmed deletions.
    pub deleted: u64,
    /// Found gone.
    pub gone: u64,
    /// Deletions confirmed by a second, independent look.
    pub verified: u64,
    /// Outcome not known.
    pub unknown: u64,
    /// Newly quarantined.
    pub quarantined: u64,
    /// Refused at the claim (a hold, a changed rule) or put off (still processing).
    pub kept: u64,
    /// Linked copies deleted or found gone.
    pub copies: u64,
    /// Delete requests sent.
    pub requests: u64,
    /// Deleted after their deadline.
    pub late: u64,
    /// Hash of the plan, hex.
    pub plan: Option<String>,
    /// Why it was stopped or cut, and the command that resolves it.
    pub note: Option<String>,
}

impl SweepSummary {
    /// Adds the counts of another; what they say of the plan stays as it is here.
    pub fn add(&mut self, other: &Self) {
        self.each_with(other, |sum, count| sum + count);
    }

    /// Takes the higher of each two counts; what they say of the plan stays as it is here.
    pub fn at_least(&mut self, other: &Self) {
        self.each_with(other, u64::max);
    }

    fn each_with(&mut self, other: &Self, of_two: impl Fn(u64, u64) -> u64) {
        let Self {
            live: _,
            due,
            held,
            sent,
            deleted,
            gone,
            verified,
            unknown,
            quarantined,
            kept,
            copies,
            requests,
            late,
            plan: _,
            note: _,
        } = other;
        for (sum, count) in [
            (&mut self.due, due),
            (&mut self.held, held),
            (&mut self.sent, sent),
            (&mut self.deleted, deleted),
            (&mut self.gone, gone),
            (&mut self.verified, verified),
            (&mut self.unknown, unknown),
            (&mut self.quarantined, quarantined),
            (&mut self.kept, kept),
            (&mut self.copies, copies),
            (&mut self.requests, requests),
            (&mut self.late, late),
        ] {
            *sum = of_two(*sum, *count);
        }
    }
}

/// A sweep in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sweep {
    /// Its number.
    pub id: SweepId,
    /// The policy swept.
    pub policy: PolicyName,
    /// The scheduled instant; `None` for manual ones.
    pub occurrence: Option<Timestamp>,
    /// What started it.
    pub trigger: Trigger,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it stands.
    pub state: SweepState,
    /// Its counts.
    pub summary: SweepSummary,
}
