//! The report as data: what `--as json` prints, and all that any rendering shows.

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Timestamp;

/// An evidence report over a period. All counts are in files, except where a field says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(title = "retentiond evidence report")]
pub struct Report {
    /// What it is about, and what it was made of.
    pub cover: Cover,
    /// The sum over all policies; its `policy` and `mode` are null.
    pub total: Figures,
    /// By policy: those of the policy file in its order, then others that own files, then files of no policy.
    pub policies: Vec<Figures>,
    /// Ends of files over the period, step by step.
    pub timeline: Timeline,
    /// What did not go as the rules say, each with its cause.
    pub exceptions: Vec<Exception>,
    /// Sweeps begun in the period, by policy.
    pub sweeps: Vec<Sweeps>,
    /// Those that were not done to their end.
    pub unfinished: Vec<Unfinished>,
    /// Scheduled instants at which nothing ran.
    pub gaps: Vec<Gap>,
    /// Rules in force in the period, oldest first.
    pub rules: Vec<Rules>,
    /// Changes of rules that had to wait for an approval.
    pub changes: Vec<Change>,
    /// Plans that had to wait for an approval.
    pub plans: Vec<WaitingPlan>,
    /// Holds that covered anything in the period.
    pub holds: Vec<HoldLine>,
    /// Erasure requests open in the period.
    pub erasures: Vec<ErasureLine>,
    /// What stopped all deletion in the period.
    pub stops: Vec<Stop>,
    /// Live files that no policy owns, when the report was made.
    pub unowned: UnownedFiles,
    /// What the report cannot show. The same words in every report.
    pub limits: Vec<String>,
}

/// What the report is about, and what it was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cover {
    /// Who decides on purposes and means, as the policy file states it.
    pub controller: Option<String>,
    /// How to reach the controller, as the policy file states it.
    pub contact: Option<String>,
    /// Whose storage the files were at.
    pub processor: String,
    /// Where that was reached.
    pub processor_address: String,
    /// The period's first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// The zone in which days are counted.
    pub timezone: String,
    /// When the report was made. Nothing later is known to it; how files stand is told as of then.
    pub made_at: Timestamp,
    /// The period had not ended by then.
    pub provisional: bool,
    /// The program that made it.
    pub build: String,
    /// The ledger's own name.
    pub ledger: String,
    /// Transactions that the ledger had seen.
    pub transactions: u64,
    /// Digest of the policy file's rules when the report was made.
    pub rules: String,
    /// The evidence tree's head when the ledger was read.
    pub chain_head: ChainHead,
    /// What is on record no more although it belongs to the period: no figure counts it; null: nothing.
    pub redacted: Option<Redacted>,
    /// Whether deletions are looked at a second time.
    pub verify: bool,
    /// How far the times in the report can be trusted.
    pub clock: ClockQuality,
    /// File ids and operators' references are in it.
    pub with_ids: bool,
}

/// What went from the record by its own retention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Redacted {
    /// What was over before this instant has gone.
    pub before: Timestamp,
    /// When it last went.
    pub at: Timestamp,
}

/// The head of the evidence tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChainHead {
    /// Leaves.
    pub size: u64,
    /// Root hash, hex.
    pub root: String,
    /// When the last checkpoint was made; null: none was.
    pub checkpoint_at: Option<Timestamp>,
    /// Leaves that it covers.
    pub checkpoint_size: Option<u64>,
}

/// How far times can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClockQuality {
    /// When the clocks were last compared.
    pub checked_at: Option<Timestamp>,
    /// Disagreements of clock witnesses seen in the period, or standing then.
    pub anomalies: u64,
    /// Those that are not resolved.
    pub standing: u64,
    /// The largest difference among them, in milliseconds, positive: the wall clock was ahead.
    pub largest_skew_ms: i64,
}

/// What became of the files of one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Figures {
    /// The policy; null: files of no policy, or the sum.
    pub policy: Option<String>,
    /// `enforce` or `observe`; null: the policy file has it no more.
    pub mode: Option<String>,
    /// Due before the period's end and not ended before its beginning: `in_time + late + open`.
    pub due: u64,
    /// Ended in the period, due, and not past the deadline.
    pub in_time: u64,
    /// Ended in the period, past the deadline.
    pub late: u64,
    /// The longest time past the deadline, in minutes, rounded up; null where none was late.
    pub late_worst_minutes: Option<u64>,
    /// Of 100 late files, 95 were late by no more (nearest rank), in minutes, rounded up.
    pub late_p95_minutes: Option<u64>,
    /// Due and not ended at the period's end: `ended_since + held + unknown + failed + overdue + waiting`.
    pub open: u64,
    /// Of those: ended after the period.
    pub ended_since: u64,
    /// Of those: on hold.
    pub held: u64,
    /// Of those: a request is under way, or its outcome is not known.
    pub unknown: u64,
    /// Of those: given up after refusals; an operator has to look.
    pub failed: u64,
    /// Of those: past the deadline, and nothing of the above.
    pub overdue: u64,
    /// Of those: before the deadline, and nothing of the above.
    pub waiting: u64,
    /// Ended in the period before they were due, by an erasure request.
    pub on_request: u64,
    /// Ended in the period before they were due, by somebody else or for a reason unknown.
    pub by_others: u64,
    /// Ended in the period before they were due by a policy's own sweep: never, unless something is wrong.
    pub early: u64,
    /// All that ended in the period: `in_time + late + on_request + by_others + early`.
    pub ended: u64,
    /// Of those: deleted by our own request, confirmed by code and body.
    pub confirmed: u64,
    /// Of those: no second look bears it out.
    pub unverified: u64,
    /// Refused by the processor in the period, asked for alone.
    pub refused: u64,
    /// Given up in the period.
    pub given_up: u64,
    /// Asked for in the period with an outcome that was not known at first.
    pub unknown_outcomes: u64,
    /// On record as deleted or gone, and found still there in the period.
    pub revived: u64,
    /// Live when the report was made.
    pub live: u64,
    /// Of those: without a due time, as a rule keeps them for ever or their start is not known.
    pub without_due: u64,
}

/// Ends of files over the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timeline {
    /// How long a step is: `day`, `week` or `month`.
    pub step: String,
    /// The steps, oldest first, also those in which nothing ended.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Step {
    /// Its first day.
    pub from: String,
    /// Ended, due, in time.
    pub in_time: u64,
    /// Ended past the deadline.
    pub late: u64,
    /// Ended before they were due.
    pub before_due: u64,
    /// The longest time past the deadline, in minutes, rounded up; 0 where none was late.
    pub late_worst_minutes: u64,
}

/// Files of one policy that did not go as the rules say, for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exception {
    /// What: `deleted-late`, `not-deleted`, `deleted-early`, `gone-early`, `revived`, `unverified`, `unowned`,
    /// `erasure-overdue`, `review-overdue` or `stopped`.
    pub kind: String,
    /// The policy; null where it is of none.
    pub policy: Option<String>,
    /// Why, as far as the ledger shows it.
    pub cause: String,
    /// How many; null where it is not about files.
    pub files: Option<u64>,
    /// Of those past their deadline.
    pub past_deadline: u64,
    /// Since when: the earliest deadline missed, or due time, or end, among them.
    pub since: Option<Timestamp>,
    /// The longest time past the deadline among those that ended, in minutes, rounded up.
    pub worst_minutes: Option<u64>,
    /// Their addresses, where ids were asked for; at most 1,000.
    pub file_ids: Vec<FileRef>,
}

/// A file's address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileRef {
    /// Id of the classification or extraction.
    pub parent_id: String,
    /// Id of the batch.
    pub batch_id: String,
    /// Id of the file.
    pub file_id: String,
    /// The account that it lies in, where that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// Sweeps of one policy begun in the period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Sweeps {
    /// The policy, or `erasure` for erasure requests.
    pub policy: String,
    /// All of them.
    pub sweeps: u64,
    /// Done to their end.
    pub done: u64,
    /// Of all: with nothing due.
    pub empty: u64,
    /// Stopped by a limit, an approval or a breaker.
    pub stopped: u64,
    /// Ended early or put off; the next one went on.
    pub interrupted: u64,
    /// Still open.
    pub open: u64,
    /// Of all: begun later than scheduled, as the service was not at work.
    pub caught_up: u64,
}

/// A sweep that was not done to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unfinished {
    /// Its number.
    pub sweep: i64,
    /// The policy.
    pub policy: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// `stopped`, `cut`, `postponed` or `open`.
    pub state: String,
    /// Why, as far as the ledger shows it.
    pub cause: String,
    /// Files due in it.
    pub due: u64,
    /// Files asked for.
    pub sent: u64,
}

/// A stretch in which scheduled instants have no sweep that began within an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Gap {
    /// The policy.
    pub policy: String,
    /// The first instant missed.
    pub since: Timestamp,
    /// When the next sweep began; null: none did.
    pub until: Option<Timestamp>,
    /// Instants missed, at most 10,000 are counted.
    pub missed: u64,
}

/// A rule set that was in force in the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Rules {
    /// Its digest.
    pub digest: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; null: it is in force.
    pub until: Option<Timestamp>,
    /// Its policies and floors in words.
    pub says: Vec<String>,
    /// Whether its schedules are known, so that gaps could be looked for.
    pub schedules_known: bool,
}

/// A change of rules that had to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// Digest of the set before.
    pub before: String,
    /// Digest of the set that waited.
    pub after: String,
    /// Since when it waited.
    pub seen_at: Timestamp,
    /// Until when its approval let it through; null: it had none.
    pub approved_until: Option<Timestamp>,
    /// When it was adopted or withdrawn.
    pub ended_at: Option<Timestamp>,
    /// `waiting`, `adopted` or `withdrawn`.
    pub outcome: String,
    /// Files that became due earlier by it.
    pub earlier: u64,
    /// Files that became due later by it.
    pub later: u64,
    /// Files that no policy owned before.
    pub newly_owned: u64,
    /// Files that no policy owned afterwards.
    pub newly_unowned: u64,
}

/// A plan that had to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WaitingPlan {
    /// Its hash.
    pub plan: String,
    /// The policy.
    pub policy: String,
    /// When it was last made.
    pub at: Timestamp,
    /// Files in it.
    pub files: u64,
    /// When it was last approved; null: never.
    pub approved_at: Option<Timestamp>,
    /// When the approval was used up.
    pub used_at: Option<Timestamp>,
    /// `waiting`, `approved`, `lapsed` or `used`.
    pub outcome: String,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HoldLine {
    /// Its number.
    pub hold: i64,
    /// What it covers: `file`, `batch`, `label KEY` or `policy NAME`; the rest with ids only.
    pub covers: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it has to be looked at again.
    pub review_by: Option<Timestamp>,
    /// That time has passed, and nobody released it.
    pub review_overdue: bool,
    /// When it was released.
    pub released_at: Option<Timestamp>,
    /// When it stopped covering, or will.
    pub ends_at: Option<Timestamp>,
    /// The operator's reason code, with ids only.
    pub reason: Option<String>,
    /// The operator's reference, with ids only.
    pub reference: Option<String>,
}

/// An erasure request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ErasureLine {
    /// Its number.
    pub erasure: i64,
    /// What it covers: `subject`, `file` or `batch`.
    pub covers: String,
    /// The day on which it was received.
    pub received: String,
    /// When it was entered.
    pub entered_at: Timestamp,
    /// The last day for its answer: one month by Regulation (EEC, Euratom) No 1182/71.
    pub last_day: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// `open`, `open-overdue`, `verified`, `verified-late`, `closed-by-operator` or `closed-by-operator-late`.
    pub outcome: String,
    /// Files that the ledger knows of it.
    pub files: u64,
    /// Of those: verified gone.
    pub verified: u64,
    /// The operator's reference, with ids only.
    pub reference: Option<String>,
}

/// What stopped all deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stop {
    /// `breaker NAME`, or `pause`.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; null: it lasts.
    pub until: Option<Timestamp>,
}

/// Live files that no policy owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UnownedFiles {
    /// How many.
    pub files: u64,
    /// In how many batches.
    pub batches: u64,
    /// The oldest upload among them.
    pub oldest_upload: Option<Timestamp>,
}
