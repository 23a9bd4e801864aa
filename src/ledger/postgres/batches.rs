//! Batches one after the other, and what is left in them.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::during;
use super::rows::{batch_address, count, file_id};
use super::{PostgresLedger, notes, settle};
use crate::ledger::{Batches, KnownBatch, LedgerError};
use crate::model::{BatchKey, FileId, FileState, Timestamp};
use crate::outcome::FileEvent;

#[async_trait]
impl Batches for PostgresLedger {
    async fn known_batches(
        &self,
        after: Option<BatchKey>,
        page: u32,
    ) -> Result<Vec<KnownBatch>, LedgerError> {
        self.read_one(move |tx| Box::pin(async move { known(tx, after, page).await }))
            .await
    }

    async fn count_batches(&self, after: Option<BatchKey>) -> Result<u64, LedgerError> {
        self.read_one(move |tx| Box::pin(async move { count_after(tx, after).await }))
            .await
    }

    async fn files_left_in(&self, batches: &[BatchKey]) -> Result<Vec<(BatchKey, FileId)>, LedgerError> {
        if batches.is_empty() {
            return Ok(Vec::new());
        }
        let batches: Vec<i64> = batches.iter().map(|key| key.0).collect();
        self.read_one(move |tx| Box::pin(async move { left_in(tx, &batches).await }))
            .await
    }

    async fn note_missing(
        &self,
        batch: BatchKey,
        files: &[FileId],
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        if files.is_empty() {
            return Ok(0);
        }
        let (files, reason) = (files.to_vec(), reason.to_owned());
        self.write(move |tx| Box::pin(async move { gone(tx, batch, &files, &reason, at).await }))
            .await
    }
}

async fn known(
    tx: &mut PgConnection,
    after: Option<BatchKey>,
    page: u32,
) -> Result<Vec<KnownBatch>, LedgerError> {
    let rows: Vec<(i64, String, String, String, String, i64)> = sqlx::query_as(
        "SELECT id, account, module, parent, batch, files_left
         FROM batches
         WHERE id > $1
         ORDER BY id
         LIMIT $2",
    )
    .bind(after.map_or(0, |key| key.0))
    .bind(i64::from(page))
    .fetch_all(tx)
    .await
    .map_err(during("reading batches"))?;
    rows.into_iter()
        .map(|(id, account, module, parent, batch, files_left)| {
            Ok(KnownBatch {
                key: BatchKey(id),
                address: batch_address(&account, &module, parent, batch)?,
                files_left: count(files_left)?,
            })
        })
        .collect()
}

async fn count_after(tx: &mut PgConnection, after: Option<BatchKey>) -> Result<u64, LedgerError> {
    let batches: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM batches
         WHERE id > $1",
    )
    .bind(after.map_or(0, |key| key.0))
    .fetch_one(tx)
    .await
    .map_err(during("counting batches"))?;
    count(batches)
}

async fn left_in(tx: &mut PgConnection, batches: &[i64]) -> Result<Vec<(BatchKey, FileId)>, LedgerError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        // No index leads from a batch to its files: one pass for many batches.
        "SELECT batch, file_id
         FROM files
         WHERE state IN (0, 4) AND batch = ANY ($1)",
    )
    .bind(batches)
    .fetch_all(tx)
    .await
    .map_err(during("reading what is left of batches"))?;
    rows.into_iter()
        .map(|(batch, file)| Ok((BatchKey(batch), file_id(file)?)))
        .collect()
}

async fn gone(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
    reason: &str,
    at: Timestamp,
) -> Result<u64, LedgerError> {
    let mut ours = Vec::new();
    for (file, state) in settle::states(tx, batch, files.iter()).await? {
        match state {
            FileState::Live | FileState::Unknown => ours.push(file),
            FileState::Deleting | FileState::Deleted | FileState::Gone | FileState::Quarantined => {}
        }
    }
    notes::note(tx, batch, &ours, FileEvent::FoundGone, reason, at).await
}
