//! What a ledger promises, backend by backend: the conformance suite runs every line of it.
//!
//! Small traits by who asks: [`Intake`] takes uploads in, [`Uploads`] keeps the intents of those that we
//! make, [`Rules`] the hints of the current rule set, [`Changes`] what wants to take its place, [`Claims`] is
//! the executor's intent and outcome, [`Sweeps`] the runs and plans, [`Controls`] what stops deletion,
//! [`ErasureRequests`] what orders it, [`Figures`] what the faces show, [`Past`] what was decided by,
//! [`Reports`] what a report rests on, [`Recovery`] what a restored backup lacks, [`Redaction`]
//! what has been on record for long enough, [`Shared`] the work that several processes do on one ledger. Every write is one durable
//! transaction: when the call returns `Ok`, it survives power loss.

mod batches;
mod changes;
mod clocks;
mod erasures;
mod events;
mod evidence;
mod others;
mod pacing;
mod past;
mod plans;
mod recovery;
mod redaction;
mod reports;
mod shared;
mod standing;
mod uploads;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

pub use erasures::{Entered, ErasureFiles, ErasureRequests};

use super::LedgerError;
use crate::model::{
    Approval, Attempt, AttemptId, AttemptKind, BatchAddress, BatchId, BatchKey, Breaker, BreakerKind,
    ClockAnomaly, ClockMark, FileAddress, FileId, FileKey, FileRecord, FileState, Finding, Hold, HoldId,
    Holds, NewFile, NewHold, Pause, PolicyName, Sweep, SweepId, SweepState, SweepSummary, Timestamp, Trigger,
};
use crate::outcome::FileEvent;
use crate::rules::policy::{Hint, RuleDigest};
pub use batches::{Batches, KnownBatch};
pub use events::{EventNoted, Events};
pub use evidence::{Evidence, Opening, SentCheckpoints, StoredCheckpoint, StoredLeaf, TreeHead};

pub use changes::{Changes, RuleChange, RulesInForce};
pub use clocks::{Clocks, OtherClocks};
pub use others::{Others, Removed};
pub use pacing::{CallStart, Lane, Pacing};
pub use past::{Move, Past};
pub use plans::StoredFile;
pub use recovery::{BroughtBack, LostLine, Recovery, UnderWay};
pub use redaction::{Gone, Redactable, Redacted, Redaction, RedactionStep};
pub use reports::{
    Adoption, EndedBy, EndedFile, FileFact, Hindrance, Incidents, OpenFile, ReportFacts, ReportPage,
    ReportPeriod, Reports, Run, Stretch, SweepCount, UnfinishedSweep, Unowned, WaitedChange, WaitedPlan,
};
pub use shared::{Offer, PART_FILES, Part, PartsLeft, Peer, Shared, TakenPart};
pub use standing::{Space, Standing};
pub use uploads::{UploadEnd, Uploads};

/// The whole ledger, as most of the house holds it: `Arc<dyn Ledger>`.
pub trait Ledger:
    Intake
    + Uploads
    + Others
    + Batches
    + Events
    + Rules
    + Changes
    + Claims
    + Sweeps
    + Controls
    + Clocks
    + ErasureRequests
    + Evidence
    + Figures
    + Past
    + Recovery
    + Redaction
    + Reports
    + Shared
    + Standing
{
}

impl<T> Ledger for T where
    T: Intake
        + Uploads
        + Others
        + Batches
        + Events
        + Rules
        + Changes
        + Claims
        + Sweeps
        + Controls
        + Clocks
        + ErasureRequests
        + Evidence
        + Figures
        + Past
        + Recovery
        + Redaction
        + Reports
        + Shared
        + Standing
{
}

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

/// Where a page of candidates ended: pass it back for the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Due time of the last file.
    pub due_at: Timestamp,
    /// Key of the last file.
    pub key: FileKey,
}

/// An intent to be committed.
#[derive(Debug, Clone)]
pub struct ClaimRequest<'a> {
    /// The sweep that asks.
    pub sweep: SweepId,
    /// The call to be made.
    pub kind: AttemptKind,
    /// The batch.
    pub batch: BatchKey,
    /// The files, none twice.
    pub files: &'a [FileId],
    /// When.
    pub at: Timestamp,
    /// Reading of the second clock, kept as evidence.
    pub boottime_ms: i64,
    /// Most files that this sweep may send in all, over restarts too. Copies do not count.
    pub budget: u64,
}

/// Asked for each file inside the claiming transaction, with the file as it is then, and the holds and
/// open erasure requests as they are then. `Err` says why not.
pub type Permit<'a> = &'a (dyn Fn(&FileRecord, &Holds) -> Result<(), String> + Send + Sync);

/// A committed intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The attempt; `None` when no file was permitted (then nothing was written).
    pub attempt: Option<AttemptId>,
    /// The files now `deleting`.
    pub files: Vec<FileId>,
    /// Files not claimed, and why.
    pub kept: Vec<(FileId, String)>,
    /// How long after the moment *before* the call the claim may be relied on, by a clock that goes on in suspend
    /// (`Clock::mark().boottime_ms`): a request that is not out by then is not sent. `None`: for ever.
    pub good_for: Option<Duration>,
}

/// The outcome of an attempt.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// When.
    pub at: Timestamp,
    /// `Outcome::label()`.
    pub outcome: &'static str,
    /// HTTP status, if an answer came.
    pub http_status: Option<u16>,
    /// A short, cleaned note.
    pub detail: Option<String>,
    /// What happens to each file of the attempt.
    pub files: Vec<(FileId, FileEvent)>,
}

/// The executor's side: intent before the call, outcome after it.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Files of `policy` in state `live` whose hinted due time is at or before `now`, oldest first
    /// (then by key), at most `page`. Linked copies are left out while their original is `live`,
    /// `deleting` or `unknown`: they ride along with it.
    async fn due(
        &self,
        policy: &PolicyName,
        now: Timestamp,
        after: Option<&After>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError>;

    /// Files in state `unknown`, by batch, at most `page`.
    async fn unknown(&self, page: u32) -> Result<Vec<FileRecord>, LedgerError>;

    /// Files in state `deleted` or `gone` by attempts settled at or after `since` that no second look has
    /// confirmed or contradicted, oldest attempt first, at most `page`. What another process who lives has
    /// deleted in a sweep that is under way is left to it.
    async fn unverified(&self, since: Timestamp, page: u32) -> Result<Vec<FileRecord>, LedgerError>;

    /// Linked copies of these originals that are `live` or `unknown`.
    async fn copies_of(&self, batch: BatchKey, files: &[FileId]) -> Result<Vec<FileRecord>, LedgerError>;

    /// Commits an intent (T1): in one immediate transaction reads each file, the holds and the erasure requests again, asks
    /// `permit`, moves the permitted ones to `deleting`, and writes the attempt. A file that is not
    /// `live` or `unknown` is kept back. Refuses with `Conflict` when the sweep is not open, or its
    /// files so far plus these exceed `budget`. A file counts once however often the sweep sends it,
    /// and not at all if it was only ever released.
    async fn claim(&self, request: &ClaimRequest<'_>, permit: Permit<'_>) -> Result<Claim, LedgerError>;

    /// Commits an outcome (T2): every file moves as `next_state` says, all or none. The settlement
    /// names exactly the files of the attempt (`Conflict` otherwise).
    async fn settle(&self, attempt: AttemptId, settlement: &Settlement) -> Result<(), LedgerError>;

    /// Moves files outside an attempt (probe, before-listing, operator), as `next_state` says; a file
    /// whose state does not allow the event is left alone and not counted, and so is one whose own request is
    /// under way: its answer tells. Returns how many moved.
    /// `GivenUp` makes `reason` the one that `quarantined` shows; `Retried` forgets the strikes.
    async fn note(
        &self,
        batch: BatchKey,
        files: &[FileId],
        event: FileEvent,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError>;

    /// Under the right to delete every `deleting` file is an orphan of a crash, apart from those that another process
    /// which is alive has claimed: moves all to `unknown` and settles their attempts as `unknown` ("interrupted").
    /// For whoever begins a piece of work and has none under way. Returns the number of files.
    async fn recover_orphans(&self, at: Timestamp) -> Result<u64, LedgerError>;

    /// Writes what a second look found for files of earlier confirmed attempts. `StillThere` moves a
    /// `deleted` or `gone` file to `unknown`. Returns how many attempt rows were marked: a row that
    /// says the same already keeps its time and is not counted.
    async fn verified(
        &self,
        batch: BatchKey,
        files: &[(FileId, Finding)],
        at: Timestamp,
    ) -> Result<u64, LedgerError>;

    /// Adds to the number of times that each file was refused (or found still there after a
    /// confirmation), and returns the new counts.
    async fn strike(
        &self,
        batch: BatchKey,
        files: &[FileId],
        by: u32,
        reason: &str,
    ) -> Result<Vec<(FileId, u32)>, LedgerError>;
}

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
    /// Opens a sweep; an occurrence is unique per policy, and one process at a time sweeps a policy.
    async fn open_sweep(&self, open: &OpenSweep) -> Result<Opened, LedgerError>;

    /// Those `among` the given files that a sweep has asked for, apart from copies and from those that
    /// were released again.
    async fn sent_in(&self, sweep: SweepId, among: &[FileKey]) -> Result<Vec<FileKey>, LedgerError>;

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
    /// The small named values, by name.
    pub settings: BTreeMap<String, String>,
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

    /// Opens a breaker; one that is open keeps its first reason.
    async fn open_breaker(&self, kind: BreakerKind, reason: &str, at: Timestamp) -> Result<(), LedgerError>;

    /// Closes a breaker; whether it was open.
    async fn close_breaker(&self, kind: BreakerKind, by: &str, at: Timestamp) -> Result<bool, LedgerError>;

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
    /// [`clock_mark`](Self::clock_mark) and every [`setting`](Self::setting), at one instant: a sweep asks before every request.
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

/// Counts of one policy (or of the unowned files).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Files by state name.
    pub by_state: BTreeMap<&'static str, u64>,
    /// Live files without a due time: kept for ever, or not eligible.
    pub without_due: u64,
    /// Due time of the oldest live file.
    pub next_due: Option<Timestamp>,
    /// Live files due at the instant asked for.
    pub due: u64,
    /// Live files past their deadline at that instant.
    pub overdue: u64,
    /// The oldest deadline that has passed.
    pub oldest_overdue: Option<Timestamp>,
}

/// Which attempts `history` wants.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    /// Only those that asked for this file.
    pub file: Option<FileId>,
    /// Only those of batches with this id.
    pub batch: Option<BatchId>,
    /// Only those of sweeps of this policy.
    pub policy: Option<PolicyName>,
    /// Only those of this sweep.
    pub sweep: Option<SweepId>,
    /// Intents from this instant on.
    pub since: Option<Timestamp>,
    /// Intents before this instant.
    pub until: Option<Timestamp>,
    /// Page on from below this attempt (newest first).
    pub before: Option<AttemptId>,
    /// At most so many.
    pub limit: u32,
}

/// One line of `ledger stats`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stat {
    /// What is counted.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// Its unit: `files`, `bytes`, `rows`.
    pub unit: &'static str,
}

mod coverage;
pub use coverage::{AfterUpload, Coverage};

/// What the faces show.
#[async_trait]
pub trait Figures: Coverage + Send + Sync {
    /// Every file with this id (file ids are unique per batch by contract only).
    async fn find(&self, file: &FileId) -> Result<Vec<FileRecord>, LedgerError>;

    /// One file by its full address.
    async fn locate(&self, address: &FileAddress) -> Result<Option<FileRecord>, LedgerError>;

    /// The ledger's key of a batch.
    async fn batch_key(&self, batch: &BatchAddress) -> Result<Option<BatchKey>, LedgerError>;

    /// Which of these ids the ledger holds in that batch, with their states.
    async fn states(
        &self,
        batch: BatchKey,
        files: &[FileId],
    ) -> Result<Vec<(FileId, FileState)>, LedgerError>;

    /// Live files of a policy; costs nothing that grows with the ledger.
    async fn live(&self, policy: &PolicyName) -> Result<u64, LedgerError>;

    /// Counts by policy; the key `None` stands for unowned files. Due and overdue at `now`.
    async fn tallies(&self, now: Timestamp) -> Result<BTreeMap<Option<PolicyName>, Tally>, LedgerError>;

    /// Number of live files falling due in each of the coming steps `(from, from + step]`, by policy.
    async fn falling_due(
        &self,
        from: Timestamp,
        bounds: &[Timestamp],
    ) -> Result<BTreeMap<PolicyName, Vec<u64>>, LedgerError>;

    /// Attempts with their files, newest first. A page costs what its file, sweep, batch, policy or time holds
    /// (the first of these that is asked for), never what the ledger does.
    async fn history(&self, filter: &HistoryFilter) -> Result<Vec<Attempt>, LedgerError>;

    /// Quarantined files with their last reason, at most `limit`.
    async fn quarantined(&self, limit: u32) -> Result<Vec<(FileRecord, String)>, LedgerError>;

    /// Sizes and counts.
    async fn stats(&self) -> Result<Vec<Stat>, LedgerError>;

    /// Checks structure, invariants and tallies; the problems found (none: clean).
    async fn check(&self, deep: bool) -> Result<Vec<String>, LedgerError>;

    /// Writes a whole, consistent copy (VACUUM INTO) to a path that does not exist yet.
    async fn backup(&self, to: &std::path::Path) -> Result<(), LedgerError>;

    /// Does the batch hold a file that nobody has asked to delete? (One that is neither deleted nor gone, and whose
    /// request is neither under way nor in doubt.)
    async fn batch_is_live(&self, batch: BatchKey) -> Result<bool, LedgerError>;

    /// Whether the ledger's path still leads to what was opened: `false` once the file was deleted,
    /// renamed or replaced under us. Asked at every tick; stop at `false` (faults.md D7).
    async fn intact(&self) -> Result<bool, LedgerError>;
}
