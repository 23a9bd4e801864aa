//! The tree's head and checkpoints as rows.

use super::problem::damaged;
use super::sealing::frontier;
use super::values::{count, timestamp};
use crate::evidence::Hash;
use crate::evidence::checkpoint::origin;
use crate::ledger::{LedgerError, StoredCheckpoint, TreeHead};
use crate::model::Timestamp;

/// The tree and its last checkpoint, in one statement.
pub(in crate::ledger) type HeadRow = (
    String,
    i64,
    Vec<u8>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<Vec<u8>>,
    Option<String>,
);

pub(in crate::ledger) type CheckpointRow = (i64, i64, i64, Vec<u8>, String);

pub(in crate::ledger) fn checkpoint(row: CheckpointRow) -> Result<(i64, StoredCheckpoint), LedgerError> {
    let (id, at, size, root, note) = row;
    let checkpoint = StoredCheckpoint {
        at: timestamp(at)?,
        size: count(size)?,
        root: stored_hash("checkpoints", id, &root)?,
        note,
    };
    Ok((id, checkpoint))
}

pub(in crate::ledger) fn stored_hash(table: &str, row: i64, bytes: &[u8]) -> Result<Hash, LedgerError> {
    Hash::from_slice(bytes).ok_or_else(|| damaged(format!("{table} {row}: no hash")))
}

/// From when to when nobody looked, if that is worth a leaf: longer than an hour.
pub(in crate::ledger) fn gap(last: Option<Timestamp>, now: Timestamp) -> Option<(i64, i64)> {
    const LONG_MS: i64 = 3_600_000;
    let last = last?;
    (now.millis_since(last) > LONG_MS).then(|| (last.as_millis(), now.as_millis()))
}

/// The tree and its last checkpoint.
pub(in crate::ledger) fn head_of(row: HeadRow) -> Result<TreeHead, LedgerError> {
    let (ledger, size, edge, id, at, covers, root, note) = row;
    let tree = frontier(size, &edge)?;
    let last = match (id, at, covers, root, note) {
        (Some(id), Some(at), Some(covers), Some(root), Some(note)) => Some((id, at, covers, root, note)),
        _ => None,
    };
    Ok(TreeHead {
        origin: origin(&ledger),
        size: tree.size(),
        root: tree.root(),
        checkpoint: last
            .map(checkpoint)
            .transpose()?
            .map(|(_, checkpoint)| checkpoint),
    })
}
