//! The one serialisable picture of the service: every face renders it, none computes its own.
//!
//! Pure: who fills it in stands in `engine::observe`. No file ids, no names.

#[cfg(test)]
pub(crate) mod fixture;

mod changes;

use std::collections::BTreeMap;

use serde::Serialize;

pub use changes::{Change, changes};

use crate::model::{AccountName, BatchAddress, Breaker, Pause, Sweep, Timestamp};

/// Is everything all right? The first that applies, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A breaker is open: nothing is deleted.
    Stopped,
    /// Files are past their deadline, or an erasure request past the date for its answer.
    Overdue,
    /// An operator paused deletion.
    Paused,
    /// A plan, or a change of the rules, waits for an operator.
    Waiting,
    /// Some outcomes are unknown, files are quarantined, or uploads are in doubt.
    Unsettled,
    /// Somebody should look before a date passes: an erasure request, or the review of a hold.
    Attention,
    /// No daemon has turned lately: nothing runs by itself.
    Idle,
    /// Nothing to do for anybody.
    Ok,
}

impl Verdict {
    /// All verdicts, gravest first.
    pub const ALL: [Self; 7] = [
        Self::Stopped,
        Self::Overdue,
        Self::Paused,
        Self::Waiting,
        Self::Unsettled,
        Self::Idle,
        Self::Ok,
    ];

    /// The word that is printed first.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stopped => "STOPPED",
            Self::Overdue => "OVERDUE",
            Self::Paused => "PAUSED",
            Self::Waiting => "WAITING",
            Self::Unsettled => "UNSETTLED",
            Self::Attention => "ATTENTION",
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
    /// The account whose files it owns, where that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountName>,
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
    /// Live files that will be due then; held ones among them.
    pub due_by_next_run: u64,
    /// The latest scheduled instant that a sweep was begun for.
    pub last_occurrence: Option<Timestamp>,
    /// When its latest sweep that was done to its end ended.
    pub last_done: Option<Timestamp>,
    /// Its latest sweep.
    pub last_sweep: Option<Sweep>,
}

impl PolicyView {
    /// Its name, and the account that it is for, where that has one.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.account {
            None => self.policy.clone(),
            Some(account) => format!("{} ({account})", self.policy),
        }
    }
}

/// Erasure requests at a glance: counts only, no file, no person.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ErasuresView {
    /// Open requests.
    pub open: u64,
    /// Open requests of which the ledger knows no file: an operator closes them.
    pub without_files: u64,
    /// Files of open requests that are not verified gone.
    pub files_left: u64,
    /// The nearest date by which an open request has to be answered, also one that has passed.
    pub answer_by: Option<Timestamp>,
    /// Open requests whose date is near enough to warn of, or has passed.
    pub near: u64,
    /// Open requests whose date has passed.
    pub late: u64,
    /// The next scheduled sweep of requests, where one is open.
    pub next_run: Option<Timestamp>,
    /// Their latest sweep.
    pub last_sweep: Option<Sweep>,
}

/// A batch, and how many of its files are meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchFiles {
    /// `batch_id`, and `classification_id` or `extraction_id`.
    #[serde(flatten)]
    pub batch: BatchAddress,
    /// Files of it.
    pub files: u64,
}

/// Files of one policy that are kept because a start is missing, past the deadline that their upload would
/// have given them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithoutStart {
    /// The policy.
    pub policy: String,
    /// What starts its period, as the policy file says.
    pub start: String,
    /// How many files, those on hold left out. Counted over the oldest 50 000 files without a due time.
    pub overdue: u64,
    /// The batches with most of them, at most five.
    pub batches: Vec<BatchFiles>,
}

/// Files falling due on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// Civil date in the policy file's zone.
    pub date: String,
    /// Live files that fall due on it.
    pub files: u64,
}

/// One thing that deletion depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it lets deletion through.
    pub ok: bool,
    /// What was found, in a few words.
    pub says: String,
}

/// Bytes where the ledger lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    /// Taken by the ledger.
    pub ledger_bytes: u64,
    /// Free beside it.
    pub free_bytes: u64,
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

/// The last checkpoint that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastCheckpoint {
    /// When.
    pub at: Timestamp,
    /// Facts under it.
    pub facts: u64,
    /// The note, signed or not: whoever keeps a copy can hold the ledger against it later.
    pub note: String,
}

/// A process that has the right to delete on this ledger, beside others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerView {
    /// `PID on HOST`.
    pub process: String,
    /// Version of its program.
    pub version: String,
    /// Since when it has the right.
    pub since: Timestamp,
    /// Its session lives, and its lease has not run out. What one that is not has begun is taken over.
    pub alive: bool,
    /// Seconds since it last renewed its lease.
    pub silent_for_s: u64,
    /// Whether it goes by the rules that these figures are of; `None` until it has said.
    pub same_rules: Option<bool>,
    /// The policy that it sweeps.
    pub sweeps: Option<String>,
    /// Parts of sweeps that it works at, its own or another's.
    pub parts: u64,
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
    /// The batches with most of them, at most ten.
    pub unowned_by_batch: Vec<BatchFiles>,
    /// Policies with files whose start is missing for too long.
    pub without_start_overdue: Vec<WithoutStart>,
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
    /// Erasure requests.
    pub erasures: ErasuresView,
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
    /// By how much the wall clock is ahead of its witnesses while they disagree, in milliseconds; 0 while
    /// they agree.
    pub clock_skew_ms: i64,
    /// The zone of days and schedules.
    pub timezone: String,
    /// Files falling due on each of the coming 30 days; today's also holds all that is due already.
    pub falling_due: Vec<Day>,
    /// The last 30 sweeps of all policies, newest first.
    pub sweeps: Vec<Sweep>,
    /// What deletion depends on.
    pub checks: Vec<Check>,
    /// The ledger's size, and the room beside it.
    pub room: Room,
    /// Digest of the rules that these figures are of.
    pub rules: String,
    /// Who has the right to delete, or had it within the last day; not there beside a SQLite file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerView>,
    /// When a daemon's loop last turned on this ledger.
    pub daemon_last_turn: Option<Timestamp>,
    /// How the last reload went: `taken TIME`, `waits TIME` or `refused TIME`.
    pub last_reload: Option<String>,
    /// The last checkpoint of the evidence tree; `None`: none was made yet.
    pub checkpoint: Option<LastCheckpoint>,
}
