//! Uploads as rows.

use super::problem::damaged;
use super::values::{account_name, count, optional, parse_labels, timestamp};
use crate::ledger::LedgerError;
use crate::model::{
    BatchId, ClassificationId, ExtractionId, InvalidId, Parent, Upload, UploadId, UploadSource, UploadState,
};

/// An upload as it lies in the table.
#[derive(sqlx::FromRow)]
pub(in crate::ledger) struct UploadRow {
    id: i64,
    source: String,
    state: String,
    module: Option<String>,
    parent: Option<String>,
    batch: Option<String>,
    files: Option<i64>,
    recorded: i64,
    labels: String,
    document_type: Option<String>,
    subject: Option<String>,
    begun_at: i64,
    patient_until: i64,
    settled_at: Option<i64>,
    reason: Option<String>,
    account: String,
}

pub(in crate::ledger) fn upload(row: UploadRow) -> Result<Upload, LedgerError> {
    let id = row.id;
    let bad = |error: InvalidId| damaged(format!("uploads {id}: {error}"));
    let word = |what: &str, text: &str| damaged(format!("uploads {id}: `{text}` is no {what}"));
    let source = UploadSource::ALL
        .into_iter()
        .find(|source| source.name() == row.source);
    let state = UploadState::ALL
        .into_iter()
        .find(|state| state.name() == row.state);
    let parent = match (row.module.as_deref(), row.parent) {
        (None, None) => None,
        (Some("classification"), Some(id)) => {
            Some(Parent::Classification(ClassificationId::new(id).map_err(bad)?))
        }
        (Some("extraction"), Some(id)) => Some(Parent::Extraction(ExtractionId::new(id).map_err(bad)?)),
        (module, _) => return Err(word("module", module.unwrap_or_default())),
    };
    Ok(Upload {
        id: UploadId(id),
        source: source.ok_or_else(|| word("source", &row.source))?,
        state: state.ok_or_else(|| word("state", &row.state))?,
        parent,
        account: account_name(&row.account)?,
        batch: row.batch.map(BatchId::new).transpose().map_err(bad)?,
        files: row.files.map(count).transpose()?,
        recorded: count(row.recorded)?,
        labels: parse_labels(&row.labels)?,
        document_type: row.document_type,
        subject: row.subject,
        begun_at: timestamp(row.begun_at)?,
        patient_until: timestamp(row.patient_until)?,
        settled_at: optional(row.settled_at)?,
        reason: row.reason,
    })
}
