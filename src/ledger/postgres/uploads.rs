//! Uploads: intents and their ends.

use crate::ledger::common::uploads::{UploadRow, upload};
use async_trait::async_trait;
use serde_json::json;
use sqlx::PgConnection;

use super::PostgresLedger;
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
impl Uploads for PostgresLedger {
    async fn begin_upload(&self, upload: &NewUpload) -> Result<UploadId, LedgerError> {
        let upload = upload.clone();
        let seat = self.holder.number().await;
        self.write(move |tx| Box::pin(async move { begin(tx, seat, &upload).await }))
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
        let seat = self.holder.number().await;
        self.write(move |tx| Box::pin(async move { interrupt(tx, seat, source, at).await }))
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

async fn begin(
    tx: &mut PgConnection,
    seat: Option<i64>,
    upload: &NewUpload,
) -> Result<UploadId, LedgerError> {
    let context = "writing the intent of an upload";
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO uploads
                (source, state, module, parent, batch, files, labels, document_type, subject, begun_at,
                 patient_until, peer, account)
         VALUES ($1, 'open', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
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
    .bind(seat)
    .bind(account_text(upload.account.as_ref()))
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    if upload.documents.is_empty() {
        return Ok(UploadId(id));
    }
    let documents = upload.documents.iter();
    let (hashes, sizes): (Vec<&[u8]>, Vec<i64>) = documents
        .map(|document| (&document.sha256[..], signed(document.bytes)))
        .unzip();
    sqlx::query(
        "INSERT INTO upload_files (upload, number, sha256, bytes)
         SELECT $1, j.place - 1, j.sha256, j.bytes
         FROM unnest($2::bytea[], $3::bigint[]) WITH ORDINALITY j (sha256, bytes, place)",
    )
    .bind(id)
    .bind(hashes)
    .bind(sizes)
    .execute(tx)
    .await
    .map_err(during(context))?;
    Ok(UploadId(id))
}

async fn finish(
    tx: &mut PgConnection,
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
         SET state = $2,
             module = coalesce($3, module),
             parent = coalesce($4, parent),
             batch = coalesce($5, batch),
             recorded = recorded + $6,
             settled_at = $7,
             reason = $8
         WHERE id = $1 AND state IN ('open', 'doubtful')",
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

/// Another's who lives is not interrupted.
async fn interrupt(
    tx: &mut PgConnection,
    seat: Option<i64>,
    source: UploadSource,
    at: Timestamp,
) -> Result<u64, LedgerError> {
    let done = sqlx::query(
        "UPDATE uploads
         SET state = 'doubtful', settled_at = $2, reason = 'interrupted: the process ended in the middle of it'
         WHERE state = 'open'
           AND source = $1
           AND (peer IS NULL OR peer = $3 OR peer NOT IN (SELECT number FROM living))",
    )
    .bind(source.name())
    .bind(at.as_millis())
    .bind(seat)
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

async fn unsettled(tx: &mut PgConnection, limit: u32) -> Result<Vec<Upload>, LedgerError> {
    let rows: Vec<UploadRow> = sqlx::query_as(select_uploads!(
        "WHERE state IN ('open', 'doubtful')
         ORDER BY id
         LIMIT $1"
    ))
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await
    .map_err(during("reading unsettled uploads"))?;
    rows.into_iter().map(upload).collect()
}

async fn latest(
    tx: &mut PgConnection,
    before: Option<UploadId>,
    limit: u32,
) -> Result<Vec<Upload>, LedgerError> {
    let rows: Vec<UploadRow> = sqlx::query_as(select_uploads!(
        "WHERE id < $1
         ORDER BY id DESC
         LIMIT $2"
    ))
    .bind(before.map_or(i64::MAX, |id| id.0))
    .bind(i64::from(limit))
    .fetch_all(tx)
    .await
    .map_err(during("reading uploads"))?;
    rows.into_iter().map(upload).collect()
}

/// A count as BIGINT takes it. No request has 2^63 files.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
