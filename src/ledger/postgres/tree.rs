//! The evidence tree for those who read it.

pub(super) use crate::ledger::common::tree::gap;
use crate::ledger::common::tree::{CheckpointRow, HeadRow, checkpoint, head_of, stored_hash};
use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{conflict, during};
use super::openings::openings;
use super::rows::count;
use super::{PostgresLedger, leaves};
use crate::ledger::{
    Evidence, LedgerError, Opening, Recovery, SentCheckpoints, StoredCheckpoint, StoredLeaf, TreeHead,
};
use crate::model::FileId;

#[async_trait]
impl Evidence for PostgresLedger {
    async fn tree(&self) -> Result<TreeHead, LedgerError> {
        self.read_one(|tx| Box::pin(head(tx))).await
    }

    async fn leaves(&self, from: u64, page: u32) -> Result<Vec<StoredLeaf>, LedgerError> {
        self.read_one(move |tx| Box::pin(page_from(tx, from, page))).await
    }

    async fn keep_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<(), LedgerError> {
        let kept = checkpoint.clone();
        self.write(move |tx| Box::pin(async move { keep(tx, &kept).await }))
            .await?;
        // After the commit: the file is never ahead of the ledger that it belongs to.
        self.checkpoints.append(&checkpoint.note)
    }

    async fn checkpoints(&self, after: i64, page: u32) -> Result<Vec<(i64, StoredCheckpoint)>, LedgerError> {
        self.read_one(move |tx| Box::pin(checkpoints(tx, after, page)))
            .await
    }

    async fn sent_checkpoints(&self) -> Result<SentCheckpoints, LedgerError> {
        let mut all = Vec::new();
        for fork in self.forks().await? {
            all.push(self.checkpoints.read_aside(&fork.before)?);
        }
        all.push(self.checkpoints.read()?);
        let notes = all.iter().flat_map(|series| &series.notes);
        Ok(SentCheckpoints {
            notes: notes.map(ToString::to_string).collect(),
            torn: all.into_iter().flat_map(|series| series.torn).collect(),
        })
    }

    async fn leaves_naming(&self, file: &FileId) -> Result<Vec<u64>, LedgerError> {
        let file = file.clone();
        self.read_one(move |tx| Box::pin(async move { naming(tx, &file).await }))
            .await
    }

    async fn openings(&self, leaves: &[u64]) -> Result<BTreeMap<u64, Opening>, LedgerError> {
        let leaves = leaves.to_vec();
        self.read(move |tx| Box::pin(async move { openings(tx, &leaves).await }))
            .await
    }
}

pub(super) async fn head(tx: &mut PgConnection) -> Result<TreeHead, LedgerError> {
    let row: HeadRow = sqlx::query_as(
        "SELECT l.ledger, t.size, t.edge, c.id, c.at, c.size, c.root, c.note
         FROM tree t
         CROSS JOIN lineage l
         LEFT JOIN checkpoints c ON c.id = (SELECT max(id) FROM checkpoints)",
    )
    .fetch_one(tx)
    .await
    .map_err(during("reading the evidence tree"))?;
    head_of(row)
}

type LeafRow = (i64, i64, String, Vec<u8>, Option<String>);

async fn page_from(tx: &mut PgConnection, from: u64, page: u32) -> Result<Vec<StoredLeaf>, LedgerError> {
    let rows: Vec<LeafRow> = sqlx::query_as(
        "SELECT seq, at, kind, hash, content
         FROM leaves
         WHERE seq >= $1
         ORDER BY seq
         LIMIT $2",
    )
    .bind(leaves::to_i64(from))
    .bind(i64::from(page))
    .fetch_all(tx)
    .await
    .map_err(during("reading leaves"))?;
    rows.into_iter()
        .map(|(seq, at, kind, hash, content)| {
            Ok(StoredLeaf {
                seq: count(seq)?,
                at,
                kind,
                hash: stored_hash("leaves", seq, &hash)?,
                content,
            })
        })
        .collect()
}

async fn keep(tx: &mut PgConnection, checkpoint: &StoredCheckpoint) -> Result<(), LedgerError> {
    let head = head(tx).await?;
    let contradicted =
        checkpoint.size > head.size || (checkpoint.size == head.size && checkpoint.root != head.root);
    if contradicted {
        return Err(conflict("the checkpoint", "the evidence tree was never so"));
    }
    sqlx::query(
        "INSERT INTO checkpoints (at, size, root, note)
         VALUES ($1, $2, $3, $4)",
    )
    .bind(checkpoint.at.as_millis())
    .bind(leaves::to_i64(checkpoint.size))
    .bind(checkpoint.root.0.to_vec())
    .bind(&checkpoint.note)
    .execute(tx)
    .await
    .map_err(during("keeping a checkpoint"))?;
    Ok(())
}

async fn checkpoints(
    tx: &mut PgConnection,
    after: i64,
    page: u32,
) -> Result<Vec<(i64, StoredCheckpoint)>, LedgerError> {
    let rows: Vec<CheckpointRow> = sqlx::query_as(
        "SELECT id, at, size, root, note
         FROM checkpoints
         WHERE id > $1
         ORDER BY id
         LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(page))
    .fetch_all(tx)
    .await
    .map_err(during("reading checkpoints"))?;
    rows.into_iter().map(checkpoint).collect()
}

async fn naming(tx: &mut PgConnection, file: &FileId) -> Result<Vec<u64>, LedgerError> {
    let quoted = serde_json::to_string(file.as_str()).expect("a text is JSON");
    let rows: Vec<i64> = sqlx::query_scalar(
        "SELECT seq
         FROM leaf_salts
         WHERE strpos(sealed, $2) > 0
         UNION
         SELECT seq
         FROM leaves
         WHERE kind IN ('intent', 'outcome')
           AND (content::json #>> '{fact,attempt}')::bigint IN (SELECT attempt FROM attempt_files WHERE file_id = $1)
         ORDER BY seq",
    )
    .bind(file.as_str())
    .bind(quoted)
    .fetch_all(tx)
    .await
    .map_err(during("looking for the leaves of a file"))?;
    rows.into_iter().map(count).collect()
}
