//! A ledger carried to another place, whatever keeps it there: row by row, and then compared row by row.
//!
//! The source is closed first, so that nothing is written to it any more; from then on it can be read, and nothing
//! else. The target is no ledger before it is whole and was found equal: nobody opens it until then. So at every
//! moment one of the two is in use at most, wherever the copy was cut off. The same copy asked for again
//! goes on where it stopped. What arrives is the same ledger: its name, its tree and its count of transactions.

mod compare;
mod fit;
mod reopen;
mod run;
pub(in crate::ledger) mod side;

use serde::Serialize;

use super::{LedgerError, Place, TreeHead};
use crate::evidence::Hash;
use crate::model::Timestamp;

/// Said to whoever opens a copy that is not whole.
pub(in crate::ledger) const UNFINISHED_COPY: &str = "a copy of a ledger into it has begun and is not finished: the same `retentiond ledger copy` goes on where it stopped";

/// How a copy is made.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// When; kept in the source.
    pub at: Timestamp,
    /// Rows that go over in one transaction.
    pub page: usize,
}

impl CopyOptions {
    /// With the usual pages.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self { at, page: 2000 }
    }
}

/// What a copy is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStep {
    /// Looking through the source.
    Checking,
    /// So many rows are in the target, of so many.
    Copying {
        /// Rows.
        rows: u64,
        /// All of them.
        of: u64,
    },
    /// So many rows were read on both sides and found equal, of so many.
    Comparing {
        /// Rows.
        rows: u64,
        /// All of them.
        of: u64,
    },
}

/// A table that was found equal on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedTable {
    /// Its name.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 over them, as each side gave them.
    pub sha256: Hash,
}

/// A copy that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// The source.
    pub from: String,
    /// The target.
    pub to: String,
    /// It went on where an earlier call had stopped.
    pub resumed: bool,
    /// What was compared; empty where an earlier call had finished all.
    pub tables: Vec<CopiedTable>,
    /// The evidence tree as it arrived.
    pub tree: TreeHead,
}

/// Carries the ledger at `from` to `to`, where nothing is yet or this very copy has begun. Takes the right to delete
/// of both as long as it lasts.
///
/// # Errors
/// `InUse` while somebody else has that right; `Missing`, `NotOurs` for a source that is not there or not ours or
/// was copied elsewhere; `Damaged` when it contradicts itself, or the copy differs from it; `Conflict` when the
/// target holds something else, or the source was written to. The source is as it was, or closed.
pub async fn copy(
    from: &Place,
    to: &Place,
    options: &CopyOptions,
    heard: &(dyn Fn(CopyStep) + Send + Sync),
) -> Result<Copied, LedgerError> {
    run::copy(from, to, options, heard).await
}

/// Opens a ledger again that was closed by a copy. Where the copy was finished, what happened in it since is missing
/// here: deletion stops (`rollback`) until that is settled.
///
/// # Errors
/// `Conflict` when it is not closed; `InUse` while somebody has the right to delete; as opening it.
pub async fn reopen(place: &Place) -> Result<Reopened, LedgerError> {
    reopen::reopen(place).await
}

/// A ledger that is open again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reopened {
    /// Which.
    pub ledger: String,
    /// Where its copy is.
    pub copy: String,
    /// The copy had been whole: it may have gone on.
    pub was_whole: bool,
}
