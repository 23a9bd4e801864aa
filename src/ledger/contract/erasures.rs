//! Erasure requests and the files that they cover.

use async_trait::async_trait;
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::model::{Erasure, ErasureId, FileKey, FileRecord, NewErasure, Timestamp};

/// What became of a request that was entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entered {
    /// The request.
    pub erasure: ErasureId,
    /// It had been entered before: nothing was written.
    pub known: bool,
    /// Files that it covers.
    #[serde(flatten)]
    pub files: ErasureFiles,
}

/// Where the files of a request stand; they add up to those that the ledger knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ErasureFiles {
    /// Still to be deleted, as far as is known.
    pub live: u64,
    /// A delete request is under way.
    pub deleting: u64,
    /// The outcome of a request is not known yet.
    pub unknown: u64,
    /// Given up; an operator has to look.
    pub quarantined: u64,
    /// Deleted or gone by an answer that no second look has borne out.
    pub unverified: u64,
    /// Gone: seen by a look, or settled by an operator who made sure.
    pub verified: u64,
}

impl ErasureFiles {
    /// Files that are not verified gone.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.live + self.deleting + self.unknown + self.quarantined + self.unverified
    }

    /// All files that the ledger knows of the request.
    #[must_use]
    pub const fn known(&self) -> u64 {
        self.left() + self.verified
    }
}

/// Erasure requests: which there are, which files they cover, and how they end.
#[async_trait]
pub trait ErasureRequests: Send + Sync {
    /// Enters a request and finds its files. Idempotent by reference: the same request again is `known`;
    /// another one under a reference that was used is a `Conflict`.
    async fn add_erasure(&self, new: &NewErasure, at: Timestamp) -> Result<Entered, LedgerError>;

    /// Closes a request by an operator's word: it covers nothing any more. `Conflict` when there is none,
    /// or it is closed.
    async fn close_erasure(&self, id: ErasureId, reason: &str, at: Timestamp) -> Result<(), LedgerError>;

    /// Requests by number; only the open ones, or all.
    async fn erasures(&self, open_only: bool) -> Result<Vec<Erasure>, LedgerError>;

    /// Where the files of each request stand, in the order of [`erasures`](Self::erasures).
    async fn erasure_progress(&self, open_only: bool) -> Result<Vec<(ErasureId, ErasureFiles)>, LedgerError>;

    /// The files of a request by batch and id, in any state, after the one given, at most `page`.
    async fn erasure_files(
        &self,
        id: ErasureId,
        after: Option<&FileKey>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError>;

    /// Live files of all open requests by batch and id, each once, after the one given, at most `page`.
    /// Linked copies are left out while their original is `live`, `deleting` or `unknown` and covered as
    /// well: they ride along with it.
    async fn erasable(&self, after: Option<&FileKey>, page: u32) -> Result<Vec<FileRecord>, LedgerError>;

    /// Files of open requests that are deleted or gone by an answer which no second look has borne out,
    /// however long ago, at most `page`. What another process who lives has deleted is left to it while it leads that
    /// sweep or works at a part of it.
    async fn erased_unverified(&self, page: u32) -> Result<Vec<FileRecord>, LedgerError>;

    /// Closes each open request all of whose files are verified gone, if it has any; those closed.
    async fn close_erased(&self, at: Timestamp) -> Result<Vec<ErasureId>, LedgerError>;

    /// Live files of the whole ledger; costs nothing that grows with it.
    async fn live_in_all(&self) -> Result<u64, LedgerError>;
}
