//! Leaves: one fact each, in canonical bytes (`docs/evidence.md` lists every kind and field).
//!
//! What could name a person, a file or a case stands in a leaf as a commitment ([`super::seal`]) only; numbers,
//! instants, policies, digests and states are in clear. A kind is never changed, only added: old leaves keep
//! their bytes for ever.

use serde::Serialize;

use super::canonical::canonical;
use super::{FileSet, Hash};
use crate::model::{FileState, Timestamp};

/// Version of the encoding, the `v` of each leaf.
pub const VERSION: u32 = 1;

/// Something that was so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// The tree begins. What the ledger held before has no leaves; here is how much there was.
    Genesis {
        /// The ledger's own random name.
        ledger: String,
        /// Transactions before.
        transactions: u64,
        /// Sweeps before.
        sweeps: u64,
        /// Attempts before.
        attempts: u64,
        /// Files that attempts before asked for, each time counted.
        attempt_files: u64,
        /// Moves outside attempts before.
        notes: u64,
        /// Holds before.
        holds: u64,
        /// Erasure requests before.
        erasures: u64,
        /// Approvals before.
        approvals: u64,
        /// Breakers before.
        breakers: u64,
    },
    /// A delete request is about to be sent.
    Intent {
        /// Number of the attempt.
        attempt: i64,
        /// The sweep.
        sweep: i64,
        /// The call: `deleteFiles` or `deleteExtraction`.
        call: String,
        /// What is asked for.
        files: FileSet,
    },
    /// What came of it.
    Outcome {
        /// Number of the attempt.
        attempt: i64,
        /// The outcome's label.
        outcome: String,
        /// HTTP status, if an answer came.
        http_status: Option<u16>,
        /// The files by the state that they went to; states without files are left out.
        #[serde(flatten)]
        to: States,
    },
    /// Attempts that a crash interrupted: their files are unknown.
    Interrupted {
        /// How many attempts.
        attempts: u64,
        /// Their files.
        unknown: FileSet,
    },
    /// Files were moved outside an attempt: by a look, a listing, or an operator.
    Moved {
        /// What happened to them.
        event: String,
        /// The files by the state that they went to.
        #[serde(flatten)]
        to: States,
        /// Commitment to the reason.
        reason: Hash,
    },
    /// A second look at files that were reported deleted.
    Verification {
        /// Those that are gone.
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<FileSet>,
        /// Those that are still there.
        #[serde(skip_serializing_if = "Option::is_none")]
        still_there: Option<FileSet>,
    },
    /// A hold was placed.
    Hold {
        /// Its number.
        hold: i64,
        /// `file`, `batch`, `label` or `policy`.
        scope: String,
        /// Commitment to what it covers.
        covers: Hash,
        /// Commitment to the reason.
        reason: Hash,
        /// Commitment to the operator's reference.
        reference: Option<Hash>,
        /// Commitment to who answers for it.
        owner: Option<Hash>,
        /// When it has to be looked at again, in ms UTC.
        review_by: Option<i64>,
    },
    /// A hold was released.
    Release {
        /// Its number.
        hold: i64,
        /// Commitment to the reason.
        reason: Hash,
        /// When it stops covering, in ms UTC.
        ends_at: i64,
    },
    /// An erasure request was entered.
    ErasureRequest {
        /// Its number.
        erasure: i64,
        /// `subject`, `file` or `batch`.
        scope: String,
        /// Commitment to what it covers.
        covers: Hash,
        /// Commitment to the operator's reference.
        reference: Hash,
        /// The civil date on which it was received.
        received: String,
    },
    /// An erasure request was closed.
    ErasureClosed {
        /// Its number.
        erasure: i64,
        /// `verified` or `by-operator`.
        how: String,
        /// Commitment to the operator's reason.
        reason: Option<Hash>,
    },
    /// A plan waits for an approval.
    Plan {
        /// Its hash.
        plan: String,
        /// Its policy.
        policy: String,
        /// The sweep that made it.
        sweep: i64,
        /// Files in it.
        files: u64,
    },
    /// A plan was approved.
    Approval {
        /// Its hash.
        plan: String,
        /// Its policy.
        policy: String,
        /// Until when, in ms UTC.
        valid_until: i64,
    },
    /// An approved plan was carried out.
    ApprovalUsed {
        /// Its hash.
        plan: String,
        /// The sweep that did.
        sweep: i64,
    },
    /// A rule set came into force.
    Rules {
        /// Its digest.
        digest: String,
        /// SHA-256 of its description.
        description: Hash,
        /// SHA-256 of the policy file that it was compiled from, where that is kept.
        text: Option<Hash>,
    },
    /// The policy file is another one; its rule set may be the same.
    RuleText {
        /// Digest of the set.
        digest: String,
        /// SHA-256 of the file's text.
        text: Hash,
    },
    /// Changed rules wait for an approval.
    RuleChange {
        /// Digest of the set in force.
        before: String,
        /// Digest of the one that waits.
        after: String,
    },
    /// Changed rules were approved.
    RuleChangeApproval {
        /// Digest of the set.
        after: String,
        /// Until when, in ms UTC.
        valid_until: i64,
    },
    /// Changed rules were taken back.
    RuleChangeWithdrawn {
        /// Digest of the set.
        after: String,
    },
    /// A sweep began, or went on.
    SweepOpened {
        /// Its number.
        sweep: i64,
        /// Its policy.
        policy: String,
        /// The instant that it was planned for, in ms UTC.
        occurrence: Option<i64>,
        /// What started it.
        trigger: String,
        /// Digest of the rules that it pins.
        rules: String,
        /// It had been begun before.
        resumed: bool,
    },
    /// A sweep ended, also one without anything to do.
    SweepClosed {
        /// Its number.
        sweep: i64,
        /// How: `done`, `stopped`, `cut` or `postponed`.
        state: String,
        /// Files that it sent in all.
        sent: u64,
        /// SHA-256 of its summary.
        summary: Hash,
    },
    /// A breaker opened: deletion stops.
    BreakerOpened {
        /// Which.
        breaker: String,
        /// Commitment to the reason.
        reason: Hash,
    },
    /// A breaker was closed.
    BreakerClosed {
        /// Which.
        breaker: String,
        /// Commitment to who or what closed it.
        by: Hash,
    },
    /// All deletion was paused.
    Pause {
        /// Until when, in ms UTC.
        until: i64,
        /// Commitment to the reason.
        reason: Hash,
    },
    /// The pause was ended.
    Resume {},
    /// For more than an hour nobody looked for what is due.
    Gap {
        /// The last look before, in ms UTC.
        from: i64,
        /// The first look after, in ms UTC.
        until: i64,
    },
    /// The ledger was taken for the latest of its line by an operator, although it may not be.
    LineageAccepted {
        /// Its new name.
        ledger: String,
        /// The name before.
        before: String,
    },
    /// An older copy is in the ledger's place: what it lacks begins to be brought back from an export.
    Recovery {
        /// Leaves of the export.
        size: u64,
        /// Root over them.
        root: Hash,
        /// Leaves that the copy and the export have in common: the first so many.
        common: u64,
    },
    /// A leaf that the copy lacked, as the export has it. What it told of follows as a leaf of its own, where
    /// it could be brought back.
    BroughtBack {
        /// Its place in the export's tree.
        lost: u64,
        /// Its hash there.
        hash: Hash,
        /// Its kind.
        told: String,
    },
    /// All that the export holds has been brought back.
    Recovered {
        /// The ledger's new name.
        ledger: String,
        /// The name before, which the lost leaves went out under.
        before: String,
        /// As in `recovery`.
        size: u64,
        /// As in `recovery`.
        root: Hash,
        /// As in `recovery`.
        common: u64,
        /// Leaves of the largest checkpoint that went out under that name: those beyond `size` are lost.
        until: u64,
    },
    /// The log's own retention: facts that were over went from the ledger. Their leaves keep their hashes.
    Redaction {
        /// What was over before this instant, in ms UTC.
        before: i64,
        /// Leaves whose bytes and salts went in this transaction.
        leaves: u64,
        /// The last of them; `None`: there was none.
        last: Option<u64>,
        /// Files whose rows went, with their attempts.
        files: u64,
        /// Other records that went: holds, requests, stops, uploads.
        records: u64,
    },
}

/// Files by the state that they went to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct States {
    /// To be deleted again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<FileSet>,
    /// A request is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleting: Option<FileSet>,
    /// Confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<FileSet>,
    /// Found gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<FileSet>,
    /// Nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<FileSet>,
    /// Given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<FileSet>,
}

impl States {
    /// Asks `set` for each state.
    pub fn by(mut set: impl FnMut(FileState) -> Option<FileSet>) -> Self {
        Self {
            live: set(FileState::Live),
            deleting: set(FileState::Deleting),
            deleted: set(FileState::Deleted),
            gone: set(FileState::Gone),
            unknown: set(FileState::Unknown),
            quarantined: set(FileState::Quarantined),
        }
    }
}

/// A fact with its place and its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leaf {
    /// Version of the encoding.
    pub v: u32,
    /// Its place in the tree, from 0.
    pub seq: u64,
    /// When, in ms UTC, by the machine's clock.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

impl Leaf {
    /// Leaf `seq` of the tree.
    #[must_use]
    pub const fn new(seq: u64, at: Timestamp, fact: Fact) -> Self {
        Self {
            v: VERSION,
            seq,
            at: at.as_millis(),
            fact,
        }
    }

    /// Its bytes: canonical JSON.
    #[must_use]
    pub fn content(&self) -> String {
        canonical(self)
    }
}

impl Fact {
    /// Every kind.
    pub const KINDS: [&str; 30] = [
        "genesis",
        "intent",
        "outcome",
        "interrupted",
        "moved",
        "verification",
        "hold",
        "release",
        "erasure-request",
        "erasure-closed",
        "plan",
        "approval",
        "approval-used",
        "rules",
        "rule-text",
        "rule-change",
        "rule-change-approval",
        "rule-change-withdrawn",
        "sweep-opened",
        "sweep-closed",
        "breaker-opened",
        "breaker-closed",
        "pause",
        "resume",
        "gap",
        "lineage-accepted",
        "recovery",
        "brought-back",
        "recovered",
        "redaction",
    ];

    /// Kinds whose leaves keep their bytes for ever: they name the tree, and say what went.
    pub const LASTING: [&str; 6] = [
        "genesis",
        "lineage-accepted",
        "redaction",
        "recovery",
        "brought-back",
        "recovered",
    ];

    /// The name of its kind, as in the leaf.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Genesis { .. } => "genesis",
            Self::Intent { .. } => "intent",
            Self::Outcome { .. } => "outcome",
            Self::Interrupted { .. } => "interrupted",
            Self::Moved { .. } => "moved",
            Self::Verification { .. } => "verification",
            Self::Hold { .. } => "hold",
            Self::Release { .. } => "release",
            Self::ErasureRequest { .. } => "erasure-request",
            Self::ErasureClosed { .. } => "erasure-closed",
            Self::Plan { .. } => "plan",
            Self::Approval { .. } => "approval",
            Self::ApprovalUsed { .. } => "approval-used",
            Self::Rules { .. } => "rules",
            Self::RuleText { .. } => "rule-text",
            Self::RuleChange { .. } => "rule-change",
            Self::RuleChangeApproval { .. } => "rule-change-approval",
            Self::RuleChangeWithdrawn { .. } => "rule-change-withdrawn",
            Self::SweepOpened { .. } => "sweep-opened",
            Self::SweepClosed { .. } => "sweep-closed",
            Self::BreakerOpened { .. } => "breaker-opened",
            Self::BreakerClosed { .. } => "breaker-closed",
            Self::Pause { .. } => "pause",
            Self::Resume {} => "resume",
            Self::Gap { .. } => "gap",
            Self::LineageAccepted { .. } => "lineage-accepted",
            Self::Recovery { .. } => "recovery",
            Self::BroughtBack { .. } => "brought-back",
            Self::Recovered { .. } => "recovered",
            Self::Redaction { .. } => "redaction",
        }
    }
}
