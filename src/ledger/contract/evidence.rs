//! The Merkle tree over all facts: what it holds, how far it has come, and what opens its commitments.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::evidence::Hash;
use crate::ledger::LedgerError;
use crate::model::{FileId, Timestamp};

/// The tree as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeHead {
    /// Its name: `retentiond/` and the ledger's random name.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The last checkpoint that was made of it.
    pub checkpoint: Option<StoredCheckpoint>,
}

/// A checkpoint as it went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredCheckpoint {
    /// When it was made.
    pub at: Timestamp,
    /// Leaves that it covers.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
    /// The note, signed or not.
    pub note: String,
}

/// The notes in the file beside the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCheckpoints {
    /// In their order.
    pub notes: Vec<String>,
    /// What is left of those that were cut off while they were written.
    pub torn: Vec<String>,
}

/// A leaf as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredLeaf {
    /// Its place.
    pub seq: u64,
    /// When, in ms UTC.
    pub at: i64,
    /// Its kind.
    pub kind: String,
    /// Its hash in the tree.
    pub hash: Hash,
    /// Its bytes; `None` once they were redacted.
    pub content: Option<String>,
}

/// What opens the commitments of a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The leaf's salt.
    pub salt: [u8; 32],
    /// Texts by field.
    pub texts: BTreeMap<String, String>,
    /// Files by field, as the leaf committed to them (`evidence::seal::FileTexts`).
    pub files: BTreeMap<String, Vec<String>>,
}

/// The tree. Its leaves are written by the methods that write the facts, in the same transaction.
#[async_trait]
pub trait Evidence: Send + Sync {
    /// Name, size, root and last checkpoint, of one moment.
    async fn tree(&self) -> Result<TreeHead, LedgerError>;

    /// Leaves in order from `from` on, at most `page`.
    async fn leaves(&self, from: u64, page: u32) -> Result<Vec<StoredLeaf>, LedgerError>;

    /// The notes in the file beside the ledger, which every checkpoint is added to, in their order; before them
    /// those of the lines that were brought back.
    async fn sent_checkpoints(&self) -> Result<SentCheckpoints, LedgerError>;

    /// Keeps a checkpoint, and adds its note to the file beside the ledger. `Conflict` when the tree was never what it says: larger than it is, or as large
    /// with another root.
    async fn keep_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), LedgerError>;

    /// Checkpoints by the time they were kept, at most `page`, from number `after` on, with their numbers.
    async fn checkpoints(&self, after: i64, page: u32) -> Result<Vec<(i64, StoredCheckpoint)>, LedgerError>;

    /// Places of the leaves that tell of files with this id, in order. Reads the whole tree once.
    async fn leaves_naming(&self, file: &FileId) -> Result<Vec<u64>, LedgerError>;

    /// What opens `leaves`, by place. Those that have nothing to hide, or were redacted, are left out.
    async fn openings(&self, leaves: &[u64]) -> Result<BTreeMap<u64, Opening>, LedgerError>;
}
