//! Uploads: intents and their ends.

use crate::ledger::common::uploads::{UploadRow, upload};
use async_trait::async_trait;
use serde_json::json;
use sqlx::SqliteConnection;

use super::SqliteLedger;
use super::fault::{conflict, during};
use super::intake;
use super::rows::{account_text, module_name};
use crate::ledger::common::intake::prepare::Prepared;
use crate::ledger::{LedgerError, Recorded, UploadEnd, Uploads};
use crate::model::{
    BatchAddress, BatchId, NewUpload, Parent, Timestamp, Upload, UploadId, UploadSource, UploadState,
};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Uploads for SqliteLedger {
    async fn begin_upload(&self, upload: &NewUpload) -> Result<UploadId, LedgerError> {
        let upload = upload.clone();
        self.write(move |tx| Box::pin(async move { begin(tx, &upload).await }))
            .await
    }

    async fn end_upload(&self, id: UploadId, end: &UploadEnd<'_>) -> Result<Recorded, LedgerError> {
        let files = end
            .files
            .filter(|(rows, _)| !rows.is_empty())
            .map(|(rows, digest)| (Prepared::new(rows), digest.clone()));
        let end = OwnedEnd {
            state: end.state,
            batch: end.batch.cloned(),
            reason: end.reason.map(str::to_owned),
            at: end.at,
        };
        self.write(move |tx| Box::pin(async move { finish(tx, id, &end, files).await }))
            .await
    }

    async fn interrupt_uploads(&self, source: UploadSource, at: Timestamp) -> Result<u64, LedgerError> {
        self.write(move |tx| Box::pin(async move { interrupt(tx, source, at).await }))
            .await
    }

    async fn unsettled_uploads(&self, limit: u32) -> Result<Vec<Upload>, LedgerError> {
        self.read_one(move |tx| Box::pin(async move { unsettled(tx, limit).await }))
            .await
    }

    async fn uploads(&self, before: Option<UploadId>, limit: u32) -> Result<Vec<Upload>, LedgerError> {
        self.read_one(move |tx| Box::pin(async move { latest(tx, before, limit).await }))
            .await
    }
}

struct OwnedEnd {
    state: UploadState,
    batch: Option<BatchAddress>,
    reason: Option<String>,
    at: Timestamp,
}

async fn begin(tx: &mut SqliteConnection, upload: &NewUpload) -> Result<UploadId, LedgerError> {
    let context = "writing the intent of an upload";
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO uploads
                (source, state, module, parent, batch, files, labels, document_type, subject, begun_at,
                 patient_until, account)
         VALUES (?1, 'open', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         RETURNING id",
    )
    .bind(upload.source.name())
    .bind(upload.parent.as_ref().map(|parent| module_name(parent.module())))
    .bind(upload.parent.as_ref().map(Parent::as_str))
    .bind(upload.batch.as_ref().map(BatchId::as_str))
    .bind(upload.files.map(signed))
    .bind(json!(upload.labels).to_string())
    .bind(upload.document_type.as_deref())
    .bind(upload.subject.as_deref())
    .bind(upload.begun_at.as_millis())
    .bind(upload.patient_until.as_millis())
    .bind(account_text(upload.account.as_ref()))
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    if upload.documents.is_empty() {
        return Ok(UploadId(id));
    }
    let documents: Vec<_> = upload
        .documents
        .iter()
        .map(|document| json!([hex::encode(document.sha256), document.bytes]))
        .collect();
    sqlx::query(
        "INSERT INTO upload_files (upload, number, sha256, bytes)
         SELECT ?1, key, unhex(value ->> 0), value ->> 1
         FROM json_each(?2)",
    )
    .bind(id)
    .bind(json!(documents).to_string())
    .execute(tx)
    .await
    .map_err(during(context))?;
    Ok(UploadId(id))
}

async fn finish(
    tx: &mut SqliteConnection,
    id: UploadId,
    end: &OwnedEnd,
    files: Option<(Prepared, RuleDigest)>,
) -> Result<Recorded, LedgerError> {
    if end.state == UploadState::Open {
        return Err(conflict(format!("upload {}", id.0), "no upload ends as open"));
    }
    let brought = files
        .as_ref()
        .map_or(0, |(prepared, _)| prepared.rows.len() as u64);
    let parent = end.batch.as_ref().map(|batch| &batch.parent);
    let done = sqlx::query(
        "UPDATE uploads
         SET state = ?2,
             module = ifnull(?3, module),
             parent = ifnull(?4, parent),
             batch = ifnull(?5, batch),
             recorded = recorded + ?6,
             settled_at = ?7,
             reason = ?8
         WHERE id = ?1 AND state IN ('open', 'doubtful')",
    )
    .bind(id.0)
    .bind(end.state.name())
    .bind(parent.map(|parent| module_name(parent.module())))
    .bind(parent.map(Parent::as_str))
    .bind(end.batch.as_ref().map(|batch| batch.batch.as_str()))
    .bind(signed(brought))
    .bind(end.at.as_millis())
    .bind(end.reason.as_deref())
    .execute(&mut *tx)
    .await
    .map_err(during("settling an upload"))?;
    if done.rows_affected() != 1 {
        let problem = "there is none that is open or in doubt";
        return Err(conflict(format!("upload {}", id.0), problem));
    }
    match files {
        Some((prepared, digest)) => intake::record(tx, prepared, &digest).await,
        None => Ok(Recorded::default()),
    }
}

async fn interrupt(
    tx: &mut SqliteConnection,
    source: UploadSource,
    at: Timestamp,
) -> Result<u64, LedgerError> {
    let done = sqlx::query(
        "UPDATE uploads
         SET state = 'doubtful', settled_at = ?2, reason = 'interrupted: the process ended in the middle of it'
         WHERE state = 'open' AND source = ?1",
    )
    .bind(source.name())
    .bind(at.as_millis())
    .execute(tx)
    .await
    .map_err(during("marking interrupted uploads"))?;
    Ok(done.rows_affected())
}

/// `SELECT` of an [`UploadRow`], then the clauses after it.
macro_rules! select_uploads {
    ($tail:literal) => {
        concat!(
            "SELECT id, source, state, module, parent, batch, files, recorded, labels, document_type, subject,
                    begun_at, patient_until, settled_at, reason, account
             FROM uploads ",
            $tail
        )
    };
}

async fn unsettled(tx: &mut SqliteConnection, limit: u32) -> Result<Vec<Upload>, LedgerError> {
    let rows: Vec<UploadRow> = sqlx::query_as(select_uploads!(
        "WHERE state IN ('open', 'doubtful')
         ORDER BY id
         LIMIT ?1"
    ))
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(during("reading unsettled uploads"))?;
    rows.into_iter().map(upload).collect()
}

async fn latest(
    tx: &mut SqliteConnection,
    before: Option<UploadId>,
    limit: u32,
) -> Result<Vec<Upload>, LedgerError> {
    let rows: Vec<UploadRow> = sqlx::query_as(select_uploads!(
        "WHERE id < ?1
         ORDER BY id DESC
         LIMIT ?2"
    ))
    .bind(before.map_or(i64::MAX, |id| id.0))
    .bind(limit)
    .fetch_all(tx)
    .await
    .map_err(during("reading uploads"))?;
    rows.into_iter().map(upload).collect()
}

/// A count as SQLite takes it. No request has 2^63 files.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
