//! Erasure requests. Whether one covers a file is `Erasure::covers`'s to say; the list of files kept here
//! narrows, and says when a request is done.

mod closing;
mod entering;
mod files;

use async_trait::async_trait;
use sqlx::PgConnection;

use self::closing::{close, close_erased};
pub(super) use self::closing::{close_again, close_once};
use self::entering::add;
pub(super) use self::entering::{any_open, enter_again, take_in};
pub(super) use self::files::progress;
use self::files::{erasable, files, unverified};
use super::PostgresLedger;
use super::fault::during;
use super::rows::count;
use crate::ledger::common::erasures::{Row, request};
use crate::ledger::{Entered, ErasureFiles, ErasureRequests, LedgerError};
use crate::model::{Erasure, ErasureId, FileKey, FileRecord, NewErasure, Timestamp};

#[async_trait]
impl ErasureRequests for PostgresLedger {
    async fn add_erasure(&self, new: &NewErasure, at: Timestamp) -> Result<Entered, LedgerError> {
        let new = new.clone();
        self.write(move |tx| Box::pin(async move { add(tx, &new, at).await }))
            .await
    }

    async fn close_erasure(&self, id: ErasureId, reason: &str, at: Timestamp) -> Result<(), LedgerError> {
        let reason = reason.to_owned();
        self.write(move |tx| Box::pin(async move { close(tx, id, &reason, at).await }))
            .await
    }

    async fn erasures(&self, open_only: bool) -> Result<Vec<Erasure>, LedgerError> {
        self.read_one(move |tx| Box::pin(requests(tx, open_only))).await
    }

    async fn erasure_progress(&self, open_only: bool) -> Result<Vec<(ErasureId, ErasureFiles)>, LedgerError> {
        self.read_one(move |tx| Box::pin(progress(tx, open_only, None)))
            .await
    }

    async fn erasure_files(
        &self,
        id: ErasureId,
        after: Option<&FileKey>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        let after = after.cloned();
        self.read(move |tx| Box::pin(async move { files(tx, id, after.as_ref(), page).await }))
            .await
    }

    async fn erasable(&self, after: Option<&FileKey>, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        let after = after.cloned();
        self.read(move |tx| Box::pin(async move { erasable(tx, after.as_ref(), page).await }))
            .await
    }

    async fn erased_unverified(&self, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        let seat = self.holder.number().await;
        self.read(move |tx| Box::pin(unverified(tx, seat, page))).await
    }

    async fn close_erased(&self, at: Timestamp) -> Result<Vec<ErasureId>, LedgerError> {
        self.write(move |tx| Box::pin(close_erased(tx, at))).await
    }

    async fn live_in_all(&self) -> Result<u64, LedgerError> {
        self.read_one(move |tx| Box::pin(live_in_all(tx))).await
    }
}

async fn live_in_all(tx: &mut PgConnection) -> Result<u64, LedgerError> {
    let files: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(files), 0)::bigint
         FROM tallies
         WHERE state = 0",
    )
    .fetch_one(tx)
    .await
    .map_err(during("counting live files"))?;
    count(files)
}

macro_rules! select_requests {
    ($tail:literal) => {
        concat!(
            "SELECT id, scope, value, reference, received, placed_at, closed_at, close_reason
             FROM erasures ",
            $tail
        )
    };
}

/// The open ones, or all.
pub(super) async fn requests(tx: &mut PgConnection, open_only: bool) -> Result<Vec<Erasure>, LedgerError> {
    let statement = if open_only {
        select_requests!("WHERE closed_at IS NULL ORDER BY id")
    } else {
        select_requests!("ORDER BY id")
    };
    let rows: Vec<Row> = sqlx::query_as(statement)
        .fetch_all(tx)
        .await
        .map_err(during("reading erasure requests"))?;
    rows.into_iter().map(request).collect()
}

async fn by_reference(tx: &mut PgConnection, reference: &str) -> Result<Option<Erasure>, LedgerError> {
    let row: Option<Row> = sqlx::query_as(select_requests!("WHERE reference = $1"))
        .bind(reference)
        .fetch_optional(tx)
        .await
        .map_err(during("looking for an erasure request"))?;
    row.map(request).transpose()
}
