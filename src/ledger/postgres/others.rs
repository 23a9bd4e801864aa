//! Files that somebody else deleted.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::during;
use super::rows::{account_text, file_id, module_name};
use super::{PostgresLedger, intern, notes};
use crate::ledger::{LedgerError, Others, Removed};
use crate::model::{AccountName, BatchKey, FileId, Parent, Timestamp};
use crate::outcome::FileEvent;

/// Files in one transaction: a whole classification must not keep other writers waiting.
const PAGE: usize = 5_000;

#[async_trait]
impl Others for PostgresLedger {
    async fn gone_by_others(
        &self,
        removed: &Removed,
        reason: &str,
        at: Timestamp,
    ) -> Result<u64, LedgerError> {
        let wanted = removed.clone();
        let found = self
            .read(move |tx| Box::pin(async move { found(tx, wanted).await }))
            .await?;
        let mut moved = 0;
        for (batch, files) in found {
            for page in files.chunks(PAGE) {
                let (page, reason) = (page.to_vec(), reason.to_owned());
                moved += self
                    .write(move |tx| {
                        Box::pin(async move {
                            notes::note(tx, batch, &page, FileEvent::GoneByOthers, &reason, at).await
                        })
                    })
                    .await?;
            }
        }
        Ok(moved)
    }
}

/// What the ledger holds of it, batch by batch.
async fn found(tx: &mut PgConnection, removed: Removed) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
    let batches = match removed {
        Removed::Files { batch, files } => {
            let known = intern::known_batch(tx, &batch).await?;
            return Ok(known.map(|key| (key, files)).into_iter().collect());
        }
        Removed::Batch(batch) => intern::known_batch(tx, &batch).await?.into_iter().collect(),
        Removed::Parent { parent, account } => batches_of(tx, &parent, account.as_ref()).await?,
    };
    let mut found = Vec::with_capacity(batches.len());
    for batch in batches {
        found.push((batch, left_in(tx, batch).await?));
    }
    Ok(found)
}

async fn batches_of(
    tx: &mut PgConnection,
    parent: &Parent,
    account: Option<&AccountName>,
) -> Result<Vec<BatchKey>, LedgerError> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id
         FROM batches
         WHERE module = $1 AND parent = $2 AND account = $3
           AND files_left > 0",
    )
    .bind(module_name(parent.module()))
    .bind(parent.as_str())
    .bind(account_text(account))
    .fetch_all(tx)
    .await
    .map_err(during("reading the batches of a parent"))?;
    Ok(ids.into_iter().map(BatchKey).collect())
}

/// A batch has no index of its own, which every upload would pay for: this reads the whole table. It
/// happens as often as somebody deletes a whole batch.
async fn left_in(tx: &mut PgConnection, batch: BatchKey) -> Result<Vec<FileId>, LedgerError> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT file_id
         FROM files
         WHERE batch = $1 AND state IN (0, 4, 5)
         ORDER BY file_id",
    )
    .bind(batch.0)
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of a batch"))?;
    ids.into_iter().map(file_id).collect()
}
