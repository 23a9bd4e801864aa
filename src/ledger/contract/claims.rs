//! The executor's side: intent before the call, outcome after it.

use std::time::Duration;

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::model::{
    AccountName, AttemptId, AttemptKind, BatchKey, FileId, FileKey, FileRecord, Finding, Holds, PolicyName,
    SweepId, Timestamp,
};
use crate::outcome::FileEvent;

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

    /// Those of one account; `None`: of the one without a name.
    async fn unknown_in(
        &self,
        account: Option<&AccountName>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError>;

    /// Files in state `deleted` or `gone` by attempts settled at or after `since` that no second look has
    /// confirmed or contradicted, oldest attempt first, at most `page`. What another process who lives has
    /// deleted is left to it while it leads that sweep or works at a part of it.
    async fn unverified(&self, since: Timestamp, page: u32) -> Result<Vec<FileRecord>, LedgerError>;

    /// Linked copies of these originals that are `live` or `unknown`.
    async fn copies_of(&self, batch: BatchKey, files: &[FileId]) -> Result<Vec<FileRecord>, LedgerError>;

    /// Commits an intent (T1): in one immediate transaction reads each file, the holds and the erasure requests again, asks
    /// `permit`, moves the permitted ones to `deleting`, and writes the attempt. A file that is not
    /// `live` or `unknown` is kept back. Refuses with `Conflict` when the sweep is not open, nobody leads it any more, the
    /// rules that it pins are not those in force (where any are), or its files so far plus these exceed `budget`. A file counts once however often the sweep sends it,
    /// and not at all if it was only ever released.
    async fn claim(&self, request: &ClaimRequest<'_>, permit: Permit<'_>) -> Result<Claim, LedgerError>;

    /// Commits an outcome (T2): every file moves as `next_state` says, all or none. The settlement
    /// names exactly the files of the attempt (`Conflict` otherwise). The same outcome once more changes nothing and is no
    /// conflict: whoever has not heard of its commit repeats it.
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
