//! What a report over a period rests on: how files ended, what is still there, and what happened beside it.
//!
//! The ledger narrows and counts nothing that needs a judgement: whether a file went late, and why, is
//! `report`'s to say. Files come in pages, so that a report over a million of them needs no more room than
//! one over a hundred; the rest is what people and schedules wrote, and comes whole.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::sync::mpsc::Sender;

use super::{ErasureFiles, Redacted, Tally, TreeHead};
use crate::ledger::LedgerError;
use crate::model::{
    AccountName, BreakerKind, ClockAnomaly, Erasure, FileAddress, FileState, Hold, PolicyName, SweepId,
    SweepState, SweepSummary, Timestamp, Trigger,
};
use crate::rules::impact::PolicyImpact;
use crate::rules::policy::RuleDigest;

/// The period of a report: `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportPeriod {
    /// Its first instant.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// When the report is made: nothing later is known.
    pub now: Timestamp,
}

impl ReportPeriod {
    /// Its end, as far as it has come: `to`, or now while it still runs.
    #[must_use]
    pub fn reached(&self) -> Timestamp {
        self.to.min(self.now)
    }

    /// Whether `at` belongs to it.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// By what a file ended: the last fact that says that it is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndedBy {
    /// Our own delete, confirmed by code and body.
    Confirmed,
    /// Our own delete, answered with "does not exist".
    AnsweredGone,
    /// A look that did not find it any more.
    FoundGone,
    /// An operator, who made sure.
    Resolved,
    /// Somebody else, whose delete Extracta confirmed to them.
    Others,
}

/// A file that is deleted or gone, and how it came to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedFile {
    /// The policy that owned it; `None`: none did.
    pub policy: Option<PolicyName>,
    /// By what.
    pub by: EndedBy,
    /// When that was on record.
    pub at: Timestamp,
    /// By a sweep of erasure requests.
    pub on_request: bool,
    /// When it became due; `None`: never.
    pub due_at: Option<Timestamp>,
    /// When it became overdue.
    pub deadline_at: Option<Timestamp>,
    /// A second look, or an operator, bears it out.
    pub verified: bool,
    /// Where it ended past its deadline: what its own record says of the time before.
    pub before: Hindrance,
    /// Its address, where addresses were asked for.
    pub file: Option<FileAddress>,
}

/// What a file's own record says of why it was not deleted earlier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hindrance {
    /// A hold covered it at some time between its due time and its end (or now).
    pub held: bool,
    /// An earlier request for it had an unknown outcome.
    pub unknown: bool,
    /// Extracta refused it, asked for alone, or it was given up.
    pub refused: bool,
}

/// A file that was due and is not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFile {
    /// The policy that owns it.
    pub policy: Option<PolicyName>,
    /// Where it stands.
    pub state: FileState,
    /// When it became due.
    pub due_at: Timestamp,
    /// When it becomes or became overdue.
    pub deadline_at: Option<Timestamp>,
    /// A hold covers it now.
    pub held: bool,
    /// Its address, where addresses were asked for.
    pub file: Option<FileAddress>,
}

/// One file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFact {
    /// It is deleted or gone, since the period began.
    Ended(EndedFile),
    /// It was due before the period's end, and is not.
    Open(OpenFile),
}

/// Files of one policy to which something happened in the period, each counted once for each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Refused by Extracta when asked for alone.
    pub refused: u64,
    /// Given up: quarantined.
    pub given_up: u64,
    /// Asked for with an outcome that was not known.
    pub unknown: u64,
    /// Deleted or gone by what was on record, and found still there.
    pub revived: u64,
}

/// Sweeps of one policy begun in the period that ended in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepCount {
    /// The policy, or the name that erasure requests are swept under.
    pub policy: PolicyName,
    /// How they stand.
    pub state: SweepState,
    /// How many.
    pub sweeps: u64,
    /// Of those, begun later than scheduled because the service was not at work.
    pub caught_up: u64,
    /// With nothing due.
    pub empty: u64,
}

/// A sweep begun in the period that was not done to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedSweep {
    /// Its number.
    pub sweep: SweepId,
    /// The policy.
    pub policy: PolicyName,
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
    /// Its plan waits, or waited, for an approval.
    pub waits: bool,
    /// The next sweep of the policy: a policy has one at a time, so nobody is at this one any more.
    pub next: Option<SweepId>,
}

/// A scheduled instant that has a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The policy.
    pub policy: PolicyName,
    /// The scheduled instant.
    pub occurrence: Timestamp,
    /// When the sweep for it began.
    pub started_at: Timestamp,
}

/// A rule set that was in force in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Its digest.
    pub digest: RuleDigest,
    /// Since when; the adoption itself may lie before the period.
    pub adopted_at: Timestamp,
    /// Until when; `None`: it is in force.
    pub until: Option<Timestamp>,
    /// Policies and periods in words, a line each.
    pub description: String,
    /// The policy file that it was compiled from, as last adopted; `None` where none was kept.
    pub text: Option<String>,
}

/// A change of rules that had to wait, at some time in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitedChange {
    /// The set in force.
    pub before: RuleDigest,
    /// The set that waited.
    pub after: RuleDigest,
    /// Since when.
    pub seen_at: Timestamp,
    /// Until when its approval let it through; `None`: it had none.
    pub approved_until: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// It was adopted then; otherwise withdrawn or replaced.
    pub adopted: bool,
    /// What it changed, over all policies.
    pub impact: PolicyImpact,
    /// Files that might have gone sooner.
    pub shortened: u64,
}

/// A plan that waited for somebody, at some time in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitedPlan {
    /// Its hash, hex.
    pub hash: String,
    /// The policy.
    pub policy: PolicyName,
    /// When it was last made.
    pub at: Timestamp,
    /// Files in it.
    pub files: u64,
    /// It still waits.
    pub waits: bool,
    /// Its last approval: given, valid until, used.
    pub approval: Option<(Timestamp, Timestamp, Option<Timestamp>)>,
}

/// A stretch of time in which nothing was deleted, or would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: it lasts.
    pub until: Option<Timestamp>,
}

/// Live files that no policy owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unowned {
    /// How many.
    pub files: u64,
    /// In how many batches.
    pub batches: u64,
    /// The oldest upload among them.
    pub oldest_upload: Option<Timestamp>,
}

/// All that a report rests on beside single files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFacts {
    /// The ledger's own name: 32 hexadecimal digits, made with it.
    pub ledger: String,
    /// Transactions that it has seen.
    pub sequence: u64,
    /// Counts by policy as they are now, due and overdue at the period's end or now.
    pub tallies: BTreeMap<Option<PolicyName>, Tally>,
    /// What happened, by policy.
    pub incidents: BTreeMap<Option<PolicyName>, Incidents>,
    /// Sweeps begun in the period.
    pub sweeps: Vec<SweepCount>,
    /// Those not done to their end, oldest first.
    pub unfinished: Vec<UnfinishedSweep>,
    /// Sweeps for scheduled instants, begun from the period's beginning until an hour after its end: by policy
    /// and begin.
    pub runs: Vec<Run>,
    /// Since when each policy has a schedule.
    pub scheduled_since: BTreeMap<PolicyName, Timestamp>,
    /// Rule sets in force in the period, oldest first.
    pub adoptions: Vec<Adoption>,
    /// Changes that waited in the period, oldest first.
    pub changes: Vec<WaitedChange>,
    /// Plans that waited in the period, oldest first.
    pub plans: Vec<WaitedPlan>,
    /// Holds that covered anything in the period, by number.
    pub holds: Vec<Hold>,
    /// Erasure requests that were open in the period, and where their files stand, by number.
    pub erasures: Vec<(Erasure, ErasureFiles)>,
    /// Breakers open in the period, each with the account that it stops, oldest first.
    pub breakers: Vec<(BreakerKind, Option<AccountName>, Stretch)>,
    /// Pauses in the period, oldest first.
    pub pauses: Vec<Stretch>,
    /// Clock anomalies seen in the period, oldest first.
    pub anomalies: Vec<ClockAnomaly>,
    /// When the clocks were last compared.
    pub clock_checked_at: Option<Timestamp>,
    /// Files that nobody owns, now.
    pub unowned: Unowned,
    /// The evidence tree.
    pub tree: TreeHead,
    /// What is on record no more.
    pub redacted: Option<Redacted>,
}

/// A part of what a report rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportPage {
    /// First, and once: all but the files.
    Facts(Box<ReportFacts>),
    /// Files, in no promised order: those ended at or after the period's beginning, and those due before its
    /// end that are not ended.
    Files(Vec<FileFact>),
}

/// What reports ask.
#[async_trait]
pub trait Reports: Send + Sync {
    /// Everything that a report over `period` rests on, all from one snapshot, through `pages` while the call
    /// runs: whoever calls takes them in at the same time. Addresses of files only if `addresses`. `Conflict`
    /// when nobody takes the pages in.
    async fn facts(
        &self,
        period: ReportPeriod,
        addresses: bool,
        pages: Sender<ReportPage>,
    ) -> Result<(), LedgerError>;
}
