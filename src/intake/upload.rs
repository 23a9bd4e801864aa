//! Uploads: an intent before the request, the ids with its settlement, a visible doubt in between.
//!
//! Whoever sends is a trait here, so that a test can look into the ledger at the very moment of the
//! request. A crash between intent and settlement leaves the intent: `status` and `uploads` show it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use super::check::{Checker, RecordOptions};
use super::documents::{OnDisk, Sent};
use super::input::Input;
use super::recall::Recall;
use super::record::{InForce, record};
use super::rows::Format;
use super::summary::{RecordError, RecordSummary};
use crate::extracta::upload::Document;
use crate::extracta::{ExtractaClient, UploadAnswer, UploadError};
use crate::ledger::{Hinted, Intake, Ledger, LedgerError, Recorded, UploadEnd};
use crate::model::{
    BatchAddress, BatchId, FileAddress, FileId, NewUpload, Parent, Timestamp, UploadId, UploadSource,
    UploadState, UploadedDocument,
};
use crate::rules::policy::RuleDigest;

/// Added to the longest time of a request before an open upload counts as interrupted: the settlement
/// may have to wait for its turn in the ledger.
const SETTLING: Duration = Duration::from_secs(60);

/// Sends documents to Extracta; once, and without a second try.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends them into `batch`, or into a new one.
    async fn send(
        &self,
        parent: &Parent,
        batch: Option<&BatchId>,
        documents: Vec<Document>,
    ) -> Result<UploadAnswer, UploadError>;

    /// The longest time that takes.
    fn patience(&self) -> Duration;
}

#[async_trait]
impl Sender for ExtractaClient {
    async fn send(
        &self,
        parent: &Parent,
        batch: Option<&BatchId>,
        documents: Vec<Document>,
    ) -> Result<UploadAnswer, UploadError> {
        self.upload_files(parent, batch, documents).await
    }

    fn patience(&self) -> Duration {
        self.longest_upload()
    }
}

/// What one request uploads, and what its files are recorded with.
pub struct UploadOrder<'a> {
    /// The classification or extraction.
    pub parent: &'a Parent,
    /// The batch; `None`: a new one.
    pub batch: Option<&'a BatchId>,
    /// Labels, document type and data subject of all its files.
    pub options: &'a RecordOptions,
    /// The documents.
    pub documents: &'a [OnDisk],
}

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uploaded {
    /// Its number in the ledger.
    pub upload: UploadId,
    /// How it stands.
    pub state: UploadState,
    /// The batch, if an answer named one.
    #[serde(flatten)]
    pub batch: Option<BatchAddress>,
    /// The files' ids, in the answer's order.
    pub file_ids: Vec<FileId>,
    /// Files sent.
    pub files: u64,
    /// Files that are in the ledger now.
    pub recorded: u64,
    /// Why it is in doubt, or brought nothing.
    pub reason: Option<String>,
    /// Whether the same may be tried again, since nothing left this machine.
    #[serde(skip)]
    pub unsent: bool,
}

/// An upload that could not be carried through on this side.
#[derive(Debug, thiserror::Error)]
pub enum UploadFailure {
    /// Nothing was sent: the files' labels, type or subject are not admitted.
    #[error("{message}")]
    Refused {
        /// A short, stable name of the reason.
        code: &'static str,
        /// The reason in words.
        message: String,
    },
    /// Nothing was sent: a document cannot be read any more.
    #[error("nothing was sent: a document cannot be read, or has another length than before")]
    Document(#[source] std::io::Error),
    /// Nothing was sent: the intent could not be written.
    #[error("nothing was sent: the ledger cannot take the intent")]
    Intent(#[source] LedgerError),
    /// It was sent, and the ledger could not take what came of it: the intent stands as a doubt.
    #[error("upload {} was sent, but the ledger could not take what came of it; it is in doubt now, see `retentiond uploads`", .upload.0)]
    Unsettled {
        /// Its number.
        upload: UploadId,
        /// Why.
        #[source]
        source: LedgerError,
    },
}

/// Uploads in one request: intent, request, settlement. `clock` is asked at each of the two writes.
///
/// # Errors
/// [`UploadFailure`]. A request that was refused or whose answer was lost is no error: see
/// [`Uploaded::state`].
pub async fn upload<L: Ledger + ?Sized>(
    sender: &dyn Sender,
    ledger: &L,
    rules: InForce<'_>,
    order: &UploadOrder<'_>,
    clock: &(dyn Fn() -> Timestamp + Sync),
    sent: &Sent,
) -> Result<Uploaded, UploadFailure> {
    let mut documents = Vec::with_capacity(order.documents.len());
    for document in order.documents {
        documents.push(document.open(sent).await.map_err(UploadFailure::Document)?);
    }
    let intent = intent(order, &rules, clock(), sender.patience())?;
    let id = ledger
        .begin_upload(&intent)
        .await
        .map_err(UploadFailure::Intent)?;
    let outcome = sender.send(order.parent, order.batch, documents).await;
    let files = order.documents.len() as u64;
    let unsettled = |source| UploadFailure::Unsettled { upload: id, source };
    let mut uploaded = Uploaded {
        upload: id,
        state: UploadState::Doubtful,
        batch: None,
        file_ids: Vec::new(),
        files,
        recorded: 0,
        reason: None,
        unsent: false,
    };
    let error = match outcome {
        Ok(mut answer) => {
            answer.batch.account = order.options.account.clone();
            let settled = settle_ids(ledger, id, files, &answer, order.options, rules, clock()).await;
            let (state, recorded) = settled.map_err(unsettled)?;
            uploaded.state = state;
            uploaded.recorded = recorded;
            uploaded.batch = Some(answer.batch);
            uploaded.file_ids = answer.files;
            if state == UploadState::Doubtful {
                uploaded.reason = Some(MISMATCH.to_owned());
            }
            return Ok(uploaded);
        }
        Err(error) => error,
    };
    uploaded.state = match &error {
        UploadError::NotSent { .. } | UploadError::Refused { .. } => UploadState::Nothing,
        UploadError::Unclear { .. } => UploadState::Doubtful,
    };
    uploaded.unsent = matches!(error, UploadError::NotSent { .. });
    uploaded.reason = Some(error.to_string());
    let end = UploadEnd {
        state: uploaded.state,
        batch: None,
        files: None,
        reason: uploaded.reason.as_deref(),
        at: clock(),
    };
    ledger.end_upload(id, &end).await.map_err(unsettled)?;
    Ok(uploaded)
}

/// Why an upload is in doubt although its answer came.
const MISMATCH: &str =
    "the answer does not name as many new files as were sent, or not all could be recorded";

fn intent(
    order: &UploadOrder<'_>,
    rules: &InForce<'_>,
    now: Timestamp,
    patience: Duration,
) -> Result<NewUpload, UploadFailure> {
    let checker = Checker::new(order.options, rules, now).map_err(|problem| UploadFailure::Refused {
        code: problem.code,
        message: problem.message,
    })?;
    let patience = i64::try_from((patience + SETTLING).as_millis()).unwrap_or(i64::MAX);
    let digest = |document: &OnDisk| UploadedDocument {
        sha256: document.sha256,
        bytes: document.bytes,
    };
    Ok(NewUpload {
        source: UploadSource::Upload,
        parent: Some(order.parent.clone()),
        account: order.options.account.clone(),
        batch: order.batch.cloned(),
        files: Some(order.documents.len() as u64),
        documents: order.documents.iter().map(digest).collect(),
        labels: order.options.labels.clone(),
        document_type: order.options.document_type.clone(),
        subject: checker.default_subject().map(str::to_owned),
        begun_at: now,
        patient_until: now.checked_add_millis(patience).unwrap_or(now),
    })
}

async fn settle_ids<L: Ledger + ?Sized>(
    ledger: &L,
    id: UploadId,
    sent: u64,
    answer: &UploadAnswer,
    options: &RecordOptions,
    rules: InForce<'_>,
    now: Timestamp,
) -> Result<(UploadState, u64), LedgerError> {
    let rows: Vec<u8> = answer
        .files
        .iter()
        .flat_map(|file| {
            let row = FileAddress {
                batch: answer.batch.clone(),
                file: file.clone(),
            };
            let mut line = serde_json::to_vec(&row).expect("ids are plain text");
            line.push(b'\n');
            line
        })
        .collect();
    let options = RecordOptions {
        format: Some(Format::Jsonl),
        ..options.clone()
    };
    let input = Input::from_bytes(&rows);
    match settle_answer(ledger, id, Some(sent), input, &options, rules, now).await {
        Ok((state, summary)) => Ok((state, summary.added + summary.known + summary.updated)),
        Err(RecordError::Ledger { source, .. }) => Err(source),
        // The rows are ours and the defaults were checked before the request.
        Err(
            RecordError::Format
            | RecordError::Default { .. }
            | RecordError::Input { .. }
            | RecordError::Spool { .. },
        ) => {
            doubt(ledger, id, Some(&answer.batch), now).await?;
            Ok((UploadState::Doubtful, 0))
        }
    }
}

/// Records what an answer names and settles the upload in the same transaction: as recorded if it is
/// `expected` files (where that is known) and none was refused, else as in doubt.
///
/// # Errors
/// [`RecordError`]; the upload is then as it was.
pub async fn settle_answer<L: Ledger + ?Sized>(
    ledger: &L,
    upload: UploadId,
    expected: Option<u64>,
    answer: Input<'_>,
    options: &RecordOptions,
    rules: InForce<'_>,
    now: Timestamp,
) -> Result<(UploadState, RecordSummary), RecordError> {
    let settling = Settling {
        ledger,
        upload,
        expected,
        settled: AtomicBool::new(false),
    };
    let options = RecordOptions {
        keep_good: true,
        ..options.clone()
    };
    let summary = record(answer, &options, rules, &settling, now, &|_| ()).await?;
    if settling.settled.load(Ordering::SeqCst) {
        return Ok((UploadState::Recorded, summary));
    }
    let taken = summary.added + summary.known + summary.updated;
    let failed = |source| RecordError::Ledger { kept: taken, source };
    // More than one page, or nobody knew how many there would be.
    if summary.refused_total == 0 && taken > 0 && expected.is_none_or(|expected| expected == taken) {
        let end = UploadEnd {
            state: UploadState::Recorded,
            reason: None,
            ..mismatch(now)
        };
        ledger.end_upload(upload, &end).await.map_err(failed)?;
        return Ok((UploadState::Recorded, summary));
    }
    if taken == 0 {
        doubt(ledger, upload, None, now).await.map_err(failed)?;
    }
    Ok((UploadState::Doubtful, summary))
}

const fn mismatch(at: Timestamp) -> UploadEnd<'static> {
    UploadEnd {
        state: UploadState::Doubtful,
        batch: None,
        files: None,
        reason: Some(MISMATCH),
        at,
    }
}

async fn doubt<L: Ledger + ?Sized>(
    ledger: &L,
    upload: UploadId,
    batch: Option<&BatchAddress>,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let end = UploadEnd {
        batch,
        ..mismatch(at)
    };
    ledger.end_upload(upload, &end).await.map(drop)
}

/// A ledger in which each page of rows belongs to one upload. Until the last of them is there it is in
/// doubt, so that a crash in between shows.
struct Settling<'a, L: ?Sized> {
    ledger: &'a L,
    upload: UploadId,
    expected: Option<u64>,
    settled: AtomicBool,
}

#[async_trait]
impl<L: Ledger + ?Sized> Intake for Settling<'_, L> {
    async fn record(
        &self,
        rows: &[Hinted],
        digest: &RuleDigest,
        now: Timestamp,
    ) -> Result<Recorded, LedgerError> {
        let whole = self.expected == Some(rows.len() as u64);
        let end = UploadEnd {
            state: if whole {
                UploadState::Recorded
            } else {
                UploadState::Doubtful
            },
            batch: rows.first().map(|row| &row.file.address.batch),
            files: Some((rows, digest)),
            reason: (!whole).then_some(MISMATCH),
            at: now,
        };
        let recorded = self.ledger.end_upload(self.upload, &end).await?;
        self.settled.store(whole, Ordering::SeqCst);
        Ok(recorded)
    }
}

#[async_trait]
impl<L: Ledger + ?Sized> Recall for Settling<'_, L> {
    async fn uploads(
        &self,
        batch: &BatchAddress,
        files: &[FileId],
    ) -> Result<Vec<(FileId, Timestamp)>, LedgerError> {
        Recall::uploads(self.ledger, batch, files).await
    }
}
