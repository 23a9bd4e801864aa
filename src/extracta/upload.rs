//! Uploads: how files, and their ids, come into being.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use serde::Deserialize;

use super::client::ExtractaClient;
use super::exchange::{Call, Payload};
use crate::model::{BatchAddress, BatchId, FileId, Parent};
use crate::outcome::Reply;
use crate::outcome::envelope::{Envelope, Status, object};
use crate::outcome::reason::{cleaned, shortened};

/// An upload takes longer than a delete: its deadline is this many times the usual one.
const PATIENCE: u32 = 10;

/// A document to be uploaded. Its name goes to the API and nowhere else.
pub struct Document {
    name: String,
    bytes: u64,
    content: Body,
}

impl Document {
    /// One that is in memory.
    #[must_use]
    pub fn from_bytes(name: String, content: Bytes) -> Self {
        Self {
            name,
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            content: content.into(),
        }
    }

    /// One that is read while it is sent, in pieces; `bytes` is its whole length.
    pub fn from_stream(
        name: String,
        bytes: u64,
        content: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            bytes,
            content: Body::wrap_stream(content),
        }
    }
}

impl fmt::Debug for Document {
    /// Without its name and content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What an upload brought.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadAnswer {
    /// The batch that the files are in now.
    pub batch: BatchAddress,
    /// Their ids, in the answer's order; compare their number with what was sent.
    pub files: Vec<FileId>,
    /// The answer as it came, for `record`. It holds signed links and file names: never to be
    /// stored, logged or shown.
    pub raw: Vec<u8>,
}

impl fmt::Debug for UploadAnswer {
    /// Without the answer itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadAnswer")
            .field("batch", &self.batch)
            .field("files", &self.files)
            .field("raw_bytes", &self.raw.len())
            .finish()
    }
}

/// Why a creating call (an upload, a new classification) brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Nothing left this machine: it may be tried again.
    #[error("not sent: {reason}")]
    NotSent {
        /// Why.
        reason: String,
    },
    /// The API said no: trying again changes nothing.
    #[error("refused: {reason}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said, cleaned.
        reason: String,
    },
    /// It may have been done, but no usable answer came: there may be files whose ids nobody knows.
    #[error("it is not known whether it was done: {reason}")]
    Unclear {
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawUpload<'a> {
    #[serde(borrow)]
    classification_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    extraction_id: Option<Cow<'a, str>>,
    batch_id: BatchId,
    files: Vec<RawUploaded>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawUploaded {
    file_id: FileId,
}

impl ExtractaClient {
    /// How long one upload may take, its answer included.
    #[must_use]
    pub const fn longest_upload(&self) -> Duration {
        self.timeout.saturating_mul(PATIENCE)
    }

    /// Uploads files, each with its name, into an existing batch or, without one, into a new batch.
    ///
    /// # Errors
    /// [`UploadError`] says whether trying again is safe.
    pub async fn upload_files(
        &self,
        parent: &Parent,
        batch: Option<&BatchId>,
        files: Vec<Document>,
    ) -> Result<UploadAnswer, UploadError> {
        if files.is_empty() {
            let reason = "there is no file to upload".to_owned();
            return Err(UploadError::NotSent { reason });
        }
        let ids = files.len();
        let (path, payload) = form_of(parent, batch, files);
        let reply = self
            .exchange
            .make(Call {
                name: "uploadFiles",
                method: Method::POST,
                path,
                payload,
                ids,
                longest_answer: self.max_listing,
                deadline: self.longest_upload(),
            })
            .await;
        let raw = creation_body(reply)?;
        uploaded(parent, batch, raw)
    }
}

fn form_of(parent: &Parent, batch: Option<&BatchId>, files: Vec<Document>) -> (&'static str, Payload) {
    let (path, key) = match parent {
        Parent::Classification(_) => ("/documentClassification/uploadFiles", "classificationId"),
        Parent::Extraction(_) => ("/uploadFiles", "extractionId"),
    };
    // Names in plain UTF-8 within quotes, as browsers send them.
    let mut form = Form::new()
        .percent_encode_noop()
        .text(key, parent.as_str().to_owned());
    if let Some(batch) = batch {
        form = form.text("batchId", batch.as_str().to_owned());
    }
    for Document { name, bytes, content } in files {
        let kind = media_type(&name);
        let part = Part::stream_with_length(content, bytes).file_name(name);
        let part = part.mime_str(kind).expect("the table holds valid media types");
        form = form.part("files", part);
    }
    (path, Payload::Multipart(form))
}

/// The media type by a name's ending; what the vendor takes, else plain bytes.
fn media_type(name: &str) -> &'static str {
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    match ending.as_deref() {
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("tif" | "tiff") => "image/tiff",
        Some("txt") => "text/plain",
        Some("doc") => "application/msword",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some(_) | None => "application/octet-stream",
    }
}

/// The body of an answer that says that something was created.
///
/// # Errors
/// [`UploadError`] for every other reply: whether it is a no, or nobody knows.
pub fn creation_body(reply: Reply) -> Result<Vec<u8>, UploadError> {
    let answer = match reply {
        Reply::NotSent { reason } => return Err(UploadError::NotSent { reason }),
        Reply::TooLong { bytes } => {
            let reason = format!("the request would have {bytes} bytes");
            return Err(UploadError::NotSent { reason });
        }
        Reply::Lost { reason } => return Err(UploadError::Unclear { reason }),
        Reply::Answered(answer) => answer,
    };
    let status = answer.status;
    let envelope = Envelope::read(answer.content_type.as_deref(), &answer.body).filter(|_| !answer.cut);
    let said = envelope.as_ref().and_then(Envelope::message).map(cleaned);
    let reason = match said {
        Some(said) if !said.is_empty() => shortened(&format!("HTTP {status}: {said}")),
        Some(_) | None => format!("HTTP {status}"),
    };
    let is_json = envelope.is_some();
    let says_error = envelope
        .as_ref()
        .is_some_and(|e| matches!(e.status(), Status::Text("error" | "not_found")));
    let says_success = envelope.is_some_and(|e| e.claims_success());
    match status {
        200 | 201 if says_error => Err(UploadError::Refused { status, reason }),
        200 | 201 if is_json => Ok(answer.body),
        400..=499 if status != 408 && !says_success => Err(UploadError::Refused { status, reason }),
        _ => Err(UploadError::Unclear { reason }),
    }
}

fn uploaded(parent: &Parent, batch: Option<&BatchId>, raw: Vec<u8>) -> Result<UploadAnswer, UploadError> {
    let unclear = |reason: &str| {
        let reason = reason.to_owned();
        Err(UploadError::Unclear { reason })
    };
    let Some(answer) = object::<RawUpload<'_>>(&raw) else {
        return unclear("the answer does not list the uploaded files as known");
    };
    let named = match parent {
        Parent::Classification(_) => answer.classification_id.as_deref(),
        Parent::Extraction(_) => answer.extraction_id.as_deref(),
    };
    if named.is_some_and(|named| named != parent.as_str()) {
        return unclear("the answer names another classification or extraction");
    }
    if batch.is_some_and(|batch| *batch != answer.batch_id) {
        return unclear("the answer names another batch");
    }
    if answer.files.is_empty() {
        return unclear("the answer lists no file");
    }
    let files = answer.files.into_iter().map(|file| file.file_id).collect();
    let batch = BatchAddress {
        parent: parent.clone(),
        batch: answer.batch_id,
        account: None,
    };
    Ok(UploadAnswer { batch, files, raw })
}

#[cfg(test)]
mod tests;
