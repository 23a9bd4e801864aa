//! Work that several processes share on one ledger, and who they are. Only where the ledger is a server's: beside a
//! file there is one process, nothing is ever offered, and nobody else is there.
//!
//! A sweep is opened, planned and closed by one process, its leader. What is left of it after the canary it may offer
//! in parts; whoever is free takes one after the other, the leader too. Safety never hangs on a part: each file is
//! claimed as ever ([`Claims`](super::Claims)), against the budget of the sweep itself. Parts only share the work out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::model::{BatchAddress, BatchKey, FileId, PolicyName, SweepId, SweepSummary, Timestamp};
use crate::rules::policy::RuleDigest;

/// Most files in one part.
pub const PART_FILES: usize = 1_000;

/// Files of one batch that are to be deleted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The batch.
    pub batch: BatchKey,
    /// The files in the order of the plan, each with its deadline; at most [`PART_FILES`], no copies.
    pub files: Vec<(FileId, Timestamp)>,
}

/// A sweep whose rest is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The sweep; the offering process leads it.
    pub sweep: SweepId,
    /// Most files that it may send in all: what each claim of each process names.
    pub budget: u64,
}

/// A part that this process works at until it ends it, gives it back, or ends itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPart {
    /// Its number.
    pub id: i64,
    /// Whose part it is.
    pub sweep: SweepId,
    /// The policy swept.
    pub policy: PolicyName,
    /// The rules that the sweep pins.
    pub rules: RuleDigest,
    /// As offered.
    pub budget: u64,
    /// The batch, by its full address.
    pub address: Arc<BatchAddress>,
    /// How often it was taken, this time included.
    pub takes: u64,
    /// What is to be done.
    pub part: Part,
}

/// How far the parts of a sweep are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartsLeft {
    /// Nobody works at them, or nobody who lives.
    pub waiting: u64,
    /// Somebody who lives works at them.
    pub under_way: u64,
}

/// A process that has the right to delete, or had it within the last day. Times are by the server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// `PID on HOST`.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// Since when it has the right.
    pub since: Timestamp,
    /// How long ago it last renewed its lease: at most a quarter of a minute where all is well.
    pub silent_for: Duration,
    /// Its session lives and its lease has not run out.
    pub alive: bool,
    /// It is this process. (Never so for whoever only reads.)
    pub ours: bool,
    /// The rules that it last adopted, or asked for a part by.
    pub rules: Option<RuleDigest>,
    /// The open sweep that it leads: the latest, should there be several.
    pub sweep: Option<(SweepId, PolicyName)>,
    /// Parts that it works at.
    pub parts: u64,
}

impl Peer {
    /// Whether it is another process that lives.
    #[must_use]
    pub const fn is_living_other(&self) -> bool {
        self.alive && !self.ours
    }
}

/// Shared work.
#[async_trait]
pub trait Shared: Send + Sync {
    /// Adds parts to what others find of a sweep. `false`, and nothing is kept, where nobody else is alive to
    /// share with. What an earlier run of the sweep left is taken away by [`Self::clear_parts`] first.
    async fn offer(&self, offer: &Offer, parts: &[Part]) -> Result<bool, LedgerError>;

    /// Forgets every part of a sweep, ended or not: whoever works at one cannot end it any more.
    async fn clear_parts(&self, sweep: SweepId) -> Result<(), LedgerError>;

    /// The next part that nobody alive works at, for this process: of the sweep `of`; else of any open sweep under
    /// `rules` whose leader is alive and another. `None` when there is nothing to do, or `rules` are not those in force.
    async fn take_part(
        &self,
        of: Option<SweepId>,
        rules: &RuleDigest,
    ) -> Result<Option<TakenPart>, LedgerError>;

    /// A part is done, with what was counted at it and the files `left` undone. `Conflict` if it is not ours any
    /// more: then nothing is counted.
    async fn end_part(&self, part: i64, summary: &SweepSummary, left: u64) -> Result<(), LedgerError>;

    /// A part is done as far as it goes: what was counted counts, and those of its files that are neither over nor
    /// given up are a part of their own, for whoever is free. `Conflict` as [`end_part`](Self::end_part).
    async fn hand_on(&self, part: i64, summary: &SweepSummary) -> Result<(), LedgerError>;

    /// Every part that this process has taken and not ended is free again: for whoever stops in the middle.
    /// Returns how many. [`recover_orphans`](super::Claims::recover_orphans) does the same.
    async fn give_parts_back(&self) -> Result<u64, LedgerError>;

    /// This process leads no sweep any more and works at no part, and what it had asked for is an orphan
    /// ([`recover_orphans`](super::Claims::recover_orphans)): for whoever has no work under way, whatever became of it. What
    /// it led stays open, and whoever sweeps the policy next takes it on.
    async fn let_go(&self, at: Timestamp) -> Result<(), LedgerError>;

    /// Takes away the parts of a sweep that nobody alive works at: what is left of them is planned anew.
    async fn withdraw(&self, sweep: SweepId) -> Result<(), LedgerError>;

    /// Files of a sweep that another process has asked for and whose outcome is not written, by batch: as long as its
    /// lease lasts, whatever became of its session. Later they are orphans.
    async fn asked_by_others(&self, sweep: SweepId) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError>;

    /// What is left to be done of a sweep.
    async fn parts_left(&self, sweep: SweepId) -> Result<PartsLeft, LedgerError>;

    /// The sums of the ended parts and of what they left undone, each part once: it is forgotten with this call.
    async fn parts_done(&self, sweep: SweepId) -> Result<(SweepSummary, u64), LedgerError>;

    /// Who has the right to delete, the living first, then the latest.
    async fn peers(&self) -> Result<Vec<Peer>, LedgerError>;
}
