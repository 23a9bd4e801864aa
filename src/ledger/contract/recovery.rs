//! Bringing back what a restored backup lacks, leaf by leaf of an export.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::evidence::{Fork, Hash, LostLeaf};
use crate::ledger::LedgerError;
use crate::model::Timestamp;

/// The line that is brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostLine {
    /// Leaves of the export.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// Leaves that it and the ledger have in common, at least one.
    pub common: u64,
    /// Leaves of the largest checkpoint that went out, at least `size`: those beyond `size` stay lost.
    pub until: u64,
}

/// A recovery that was begun and is not finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// Of which line.
    pub line: LostLine,
    /// Place of the next leaf to be brought back; `line.size`: all are.
    pub next: u64,
}

/// What was brought back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BroughtBack {
    /// Leaves.
    pub leaves: u64,
    /// Holds.
    pub holds: u64,
    /// Releases of holds.
    pub releases: u64,
    /// Erasure requests.
    pub erasures: u64,
    /// Closings of erasure requests.
    pub closings: u64,
    /// Delete requests with their outcomes.
    pub attempts: u64,
    /// Files that are deleted or gone because of it.
    pub ended: u64,
    /// Files asked for that the ledger does not know: uploaded after the backup.
    pub strangers: u64,
}

impl BroughtBack {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            leaves: self.leaves + other.leaves,
            holds: self.holds + other.holds,
            releases: self.releases + other.releases,
            erasures: self.erasures + other.erasures,
            closings: self.closings + other.closings,
            attempts: self.attempts + other.attempts,
            ended: self.ended + other.ended,
            strangers: self.strangers + other.strangers,
        }
    }
}

/// What an older copy of the ledger lacks, from an export of the line that it fell behind.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// The recovery that is not finished.
    async fn recovery(&self) -> Result<Option<UnderWay>, LedgerError>;

    /// Begins one, or goes on with the same. `Conflict` while another line is being brought back, and where
    /// nothing says that this ledger is an older copy ([`Controls::rollback`](super::Controls::rollback)).
    async fn begin_recovery(&self, line: &LostLine, at: Timestamp) -> Result<UnderWay, LedgerError>;

    /// Brings these leaves back, all or none, in one transaction: each as a leaf `brought-back`, and what it told of as
    /// the fact that it was, with its time then and a leaf of its own. They follow where it stands
    /// (`Conflict` otherwise), and no request among them is left without its outcome, but at the very end.
    /// Nothing is moved that its present state does not allow.
    async fn bring_back(&self, leaves: &[LostLeaf], at: Timestamp) -> Result<BroughtBack, LedgerError>;

    /// After the last leaf: the ledger is the latest of its line again, under a new name, and breaker `rollback`
    /// closes. Requests that were closed as verified are closed again where all their files still are gone.
    /// Gives the sum of what was brought back. `Conflict` while leaves are missing.
    async fn finish_recovery(&self, at: Timestamp) -> Result<BroughtBack, LedgerError>;

    /// The lines that were brought back so far, oldest first.
    async fn forks(&self) -> Result<Vec<Fork>, LedgerError>;
}
