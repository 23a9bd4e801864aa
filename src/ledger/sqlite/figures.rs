//! What the faces ask: single files, states, and the longer answers of the files beside this one.

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::during;
use super::rows::{FileRow, records, select_files};
use super::{SqliteLedger, check, due, history, intern, settle, stats, tallies};
use crate::ledger::{Figures, HistoryFilter, LedgerError, Stat, Tally};
use crate::model::{
    Attempt, BatchAddress, BatchKey, FileAddress, FileId, FileRecord, FileState, PolicyName, Timestamp,
};

#[async_trait]
impl Figures for SqliteLedger {
    async fn find(&self, file: &FileId) -> Result<Vec<FileRecord>, LedgerError> {
        let file = file.clone();
        self.read(move |tx| Box::pin(async move { due::by_id(tx, &file).await }))
            .await
    }

    async fn locate(&self, address: &FileAddress) -> Result<Option<FileRecord>, LedgerError> {
        let address = address.clone();
        self.read(move |tx| Box::pin(async move { locate(tx, &address).await }))
            .await
    }

    async fn batch_key(&self, batch: &BatchAddress) -> Result<Option<BatchKey>, LedgerError> {
        let batch = batch.clone();
        self.read_one(move |tx| Box::pin(async move { intern::known_batch(tx, &batch).await }))
            .await
    }

    async fn states(
        &self,
        batch: BatchKey,
        files: &[FileId],
    ) -> Result<Vec<(FileId, FileState)>, LedgerError> {
        let files = files.to_vec();
        self.read_one(move |tx| {
            Box::pin(async move {
                let found = settle::states(tx, batch, files.iter()).await?;
                let in_order = files.into_iter().filter_map(|file| {
                    let state = *found.get(&file)?;
                    Some((file, state))
                });
                Ok(in_order.collect())
            })
        })
        .await
    }

    async fn live(&self, policy: &PolicyName) -> Result<u64, LedgerError> {
        let policy = policy.clone();
        self.read_one(move |tx| Box::pin(async move { tallies::live(tx, &policy).await }))
            .await
    }

    async fn tallies(&self, now: Timestamp) -> Result<BTreeMap<Option<PolicyName>, Tally>, LedgerError> {
        self.read(move |tx| Box::pin(tallies::tallies(tx, now))).await
    }

    async fn falling_due(
        &self,
        from: Timestamp,
        bounds: &[Timestamp],
    ) -> Result<BTreeMap<PolicyName, Vec<u64>>, LedgerError> {
        let bounds = bounds.to_vec();
        self.read(move |tx| Box::pin(async move { tallies::falling_due(tx, from, &bounds).await }))
            .await
    }

    async fn history(&self, filter: &HistoryFilter) -> Result<Vec<Attempt>, LedgerError> {
        let filter = filter.clone();
        self.read(move |tx| Box::pin(async move { history::history(tx, &filter).await }))
            .await
    }

    async fn quarantined(&self, limit: u32) -> Result<Vec<(FileRecord, String)>, LedgerError> {
        self.read(move |tx| Box::pin(quarantined(tx, limit))).await
    }

    async fn stats(&self) -> Result<Vec<Stat>, LedgerError> {
        let path = self.path().to_owned();
        self.read(move |tx| Box::pin(async move { stats::stats(tx, &path).await }))
            .await
    }

    async fn check(&self, deep: bool) -> Result<Vec<String>, LedgerError> {
        match self.read(move |tx| Box::pin(check::check(tx, deep))).await {
            // SQLite gives up on a page that makes no sense: that is what was asked for.
            Err(LedgerError::Damaged { problem }) => Ok(vec![problem]),
            done => done,
        }
    }

    async fn backup(&self, to: &Path) -> Result<(), LedgerError> {
        stats::backup(self.path(), to).await
    }

    async fn batch_is_live(&self, batch: BatchKey) -> Result<bool, LedgerError> {
        self.read_one(move |tx| Box::pin(batch_is_live(tx, batch))).await
    }

    async fn intact(&self) -> Result<bool, LedgerError> {
        Ok(self.same_file())
    }
}

async fn locate(tx: &mut SqliteConnection, address: &FileAddress) -> Result<Option<FileRecord>, LedgerError> {
    let Some(batch) = intern::known_batch(tx, &address.batch).await? else {
        return Ok(None);
    };
    let mut found = due::by_key(tx, batch, std::slice::from_ref(&address.file)).await?;
    Ok(found.pop())
}

async fn quarantined(
    tx: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<(FileRecord, String)>, LedgerError> {
    let context = "reading quarantined files";
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f INDEXED BY files_unsettled",
        "WHERE f.state IN (1, 4, 5) AND f.state = 5 -- the first term takes the partial index
         ORDER BY f.batch, f.file_id
         LIMIT ?1"
    ))
    .bind(limit)
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    let files = records(tx, rows).await?;
    let mut listed = Vec::with_capacity(files.len());
    for file in files {
        let reason: Option<String> = sqlx::query_scalar(
            "SELECT reason
             FROM strikes
             WHERE batch = ?1 AND file_id = ?2",
        )
        .bind(file.key.batch.0)
        .bind(file.key.file.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(during(context))?;
        listed.push((file, reason.unwrap_or_default()));
    }
    Ok(listed)
}

async fn batch_is_live(tx: &mut SqliteConnection, batch: BatchKey) -> Result<bool, LedgerError> {
    sqlx::query_scalar(
        "SELECT files_left > (
             SELECT count(*)
             FROM files
             -- The first term takes the partial index: those asked for, whose answer is not known yet.
             WHERE state IN (1, 4, 5) AND state IN (1, 4) AND batch = ?1
         )
         FROM batches
         WHERE id = ?1",
    )
    .bind(batch.0)
    .fetch_optional(tx)
    .await
    .map(|left| left.unwrap_or(false))
    .map_err(during("reading whether a batch holds files"))
}
