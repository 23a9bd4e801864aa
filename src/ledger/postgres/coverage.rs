//! Files that no policy reaches: ranges of the index of live files without a due time.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::during;
use super::rows::{FileRow, batch_address, count, records, select_files};
use super::{PostgresLedger, intern};
use crate::ledger::{AfterUpload, Coverage, LedgerError};
use crate::model::{BatchAddress, FileRecord, PolicyName, Timestamp};

#[async_trait]
impl Coverage for PostgresLedger {
    async fn without_due(
        &self,
        policy: &PolicyName,
        until: Timestamp,
        after: Option<&AfterUpload>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        let (policy, after) = (policy.clone(), after.cloned());
        self.read(move |tx| {
            Box::pin(async move { without_due(tx, &policy, until, after.as_ref(), page).await })
        })
        .await
    }

    async fn unowned_by_batch(&self, limit: u32) -> Result<Vec<(BatchAddress, u64)>, LedgerError> {
        self.read_one(move |tx| Box::pin(unowned_by_batch(tx, limit)))
            .await
    }
}

async fn without_due(
    tx: &mut PgConnection,
    policy: &PolicyName,
    until: Timestamp,
    after: Option<&AfterUpload>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let Some(policy) = intern::known_policy(tx, policy).await? else {
        return Ok(Vec::new());
    };
    let (uploaded_at, batch, file) = match after {
        // Before every key: a page starts after what it is given.
        None => (i64::MIN, i64::MIN, ""),
        Some(after) => (
            after.uploaded_at.as_millis(),
            after.key.batch.0,
            after.key.file.as_str(),
        ),
    };
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.state = 0 -- literals, or the partial index is not taken
           AND f.due_at IS NULL
           AND f.policy = $1
           AND f.uploaded_at <= $2
           AND (f.uploaded_at, f.batch, f.file_id) > ($3, $4, $5)
         ORDER BY f.uploaded_at, f.batch, f.file_id
         LIMIT $6"
    ))
    .bind(policy)
    .bind(until.as_millis())
    .bind(uploaded_at)
    .bind(batch)
    .bind(file)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files without a due time"))?;
    records(tx, rows).await
}

async fn unowned_by_batch(
    tx: &mut PgConnection,
    limit: u32,
) -> Result<Vec<(BatchAddress, u64)>, LedgerError> {
    let rows: Vec<(String, String, String, String, i64)> = sqlx::query_as(
        "SELECT b.account, b.module, b.parent, b.batch, k.files
         FROM (
             SELECT f.batch, count(*) AS files
             FROM files f
             WHERE f.state = 0 -- literals, or the partial index is not taken
               AND f.due_at IS NULL
               AND f.policy = 0
             GROUP BY f.batch
             ORDER BY files DESC, f.batch
             LIMIT $1
         ) k
         JOIN batches b ON b.id = k.batch
         ORDER BY k.files DESC, b.id",
    )
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await
    .map_err(during("counting unowned files by batch"))?;
    rows.into_iter()
        .map(|(account, module, parent, batch, files)| {
            let address = batch_address(&account, &module, parent, batch)?;
            Ok((address, count(files)?))
        })
        .collect()
}
