//! The one serialisable picture of the service: every face renders it, none computes its own.
//!
//! Pure: who fills it in stands in `engine::observe`. No file ids, no names.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Breaker, Pause, Sweep, Timestamp};

/// Is everything all right? The first that applies, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A breaker is open: nothing is deleted.
    Stopped,
    /// Files are past their deadline.
    Overdue,
    /// An operator paused deletion.
    Paused,
    /// A plan, or a change of the rules, waits for an operator.
    Waiting,
    /// Some outcomes are unknown, files are quarantined, or uploads are in doubt.
    Unsettled,
    /// No daemon has turned lately: nothing runs by itself.
    Idle,
    /// Nothing to do for anybody.
    Ok,
}

impl Verdict {
    /// The word that is printed first.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Overdue => "OVERDUE",
            Self::Paused => "PAUSED",
            Self::Waiting => "WAITING",
            Self::Unsettled => "UNSETTLED",
            Self::Idle => "IDLE",
            Self::Ok => "OK",
        }
    }
}

/// One policy at a glance; counts in files.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyView {
    /// Its name.
    pub policy: String,
    /// `observe` or `enforce`.
    pub mode: &'static str,
    /// How long files stay, as the policy file says.
    pub delete_after: String,
    /// Live files.
    pub live: u64,
    /// Live files due now.
    pub due: u64,
    /// Due files that a hold keeps. Counted over the oldest 200 000 due files; linked copies ride along
    /// with their originals and are not counted.
    pub held: u64,
    /// Live files past their deadline that no hold keeps.
    pub overdue: u64,
    /// The oldest deadline that has passed of a file that no hold keeps.
    pub oldest_overdue: Option<Timestamp>,
    /// When the next live file falls due (in the past, when some are due).
    pub next_due: Option<Timestamp>,
    /// Live files without a due time: kept for ever, or not eligible.
    pub without_due: u64,
    /// Next scheduled run.
    pub next_run: Option<Timestamp>,
    /// Its latest sweep.
    pub last_sweep: Option<Sweep>,
}

/// A plan that waits for an operator.
#[derive(Debug, Clone, Serialize)]
pub struct WaitingPlan {
    /// Its policy.
    pub policy: String,
    /// Files in it.
    pub files: u64,
    /// What it waits for.
    pub reason: String,
    /// The command that lets it through.
    pub command: String,
}

/// Changed rules that wait for an operator.
#[derive(Debug, Clone, Serialize)]
pub struct WaitingRules {
    /// Since when.
    pub since: Timestamp,
    /// What they change, in numbers.
    pub impact: String,
    /// The command that lets them take effect.
    pub command: String,
}

/// The picture.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Is everything all right?
    pub verdict: Verdict,
    /// The verdict in one sentence, with the command that resolves it.
    pub sentence: String,
    /// When it was taken.
    pub at: Timestamp,
    /// Version of the program.
    pub version: &'static str,
    /// Policies in file order.
    pub policies: Vec<PolicyView>,
    /// Live files that no policy owns: kept.
    pub unowned: u64,
    /// All files by state.
    pub files: BTreeMap<&'static str, u64>,
    /// Open breakers.
    pub breakers: Vec<Breaker>,
    /// A pause in force.
    pub pause: Option<Pause>,
    /// Holds in force.
    pub holds: u64,
    /// Holds whose review is overdue.
    pub holds_review_overdue: u64,
    /// Plans that wait.
    pub waiting: Vec<WaitingPlan>,
    /// Changed rules that wait.
    pub waiting_rules: Option<WaitingRules>,
    /// Uploads whose end nobody knows: there may be files that no ledger holds. Counted up to 10 000.
    pub uploads_in_doubt: u64,
    /// Uploads that are under way.
    pub uploads_under_way: u64,
    /// Clock anomalies ever seen.
    pub clock_anomalies: u64,
    /// When a daemon's loop last turned on this ledger.
    pub daemon_last_turn: Option<Timestamp>,
    /// How the last reload went: `taken TIME`, `waits TIME` or `refused TIME`.
    pub last_reload: Option<String>,
}
