//! Reads the answers of `getResults` and `getBatchResults`.
//!
//! A listing decides what counts as gone, so whatever is not plainly a listing of the batch asked
//! for concludes nothing. The signed `url` and the file's name are dropped while parsing.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::remote::{Copy, ListedFile, Listing};
use crate::model::{BatchAddress, BatchId, ExtractionId, FileId, InvalidId, Module, Parent};
use crate::outcome::envelope::{Envelope, Status, object};
use crate::outcome::reason::{cleaned, shortened};

/// The fields of a listing that are read. Never `url`, never `fileName`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawListing<'a> {
    #[serde(borrow)]
    classification_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    extraction_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    batch_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    files: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawFile<'a> {
    #[serde(borrow)]
    file_id: Cow<'a, str>,
    #[serde(borrow)]
    status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    extraction: Option<&'a RawValue>,
}

/// The part of a classification's `result` that is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawResult<'a> {
    #[serde(borrow)]
    document_type: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCopy<'a> {
    #[serde(borrow)]
    extraction_id: Cow<'a, str>,
    #[serde(borrow)]
    batch_id: Cow<'a, str>,
    #[serde(borrow)]
    file_id: Cow<'a, str>,
}

/// What an answer with this code and body says of `batch` (extracta-api.md, "After a delete").
///
/// `files` counts with the status `success`, or without one (as `getBatchResults` sends it) if the
/// answer names the batch; an answer that names another batch or parent concludes nothing.
#[must_use]
pub fn parse_listing(status: u16, content_type: Option<&str>, body: &[u8], batch: &BatchAddress) -> Listing {
    let Some(envelope) = Envelope::read(content_type, body) else {
        return cannot_tell(status, "no valid JSON object", None);
    };
    match status {
        200 => match envelope.status() {
            Status::Text("not_found") => Listing::NoBatch,
            Status::Text("success") | Status::Absent => files_of(envelope.status(), body, batch),
            Status::Text(other) => {
                cannot_tell(status, &format!("status {}", cleaned(other)), envelope.message())
            }
            Status::NotText => cannot_tell(status, "a status that is no text", envelope.message()),
        },
        400 | 404 if says_no_batch(&envelope) => Listing::NoBatch,
        _ => cannot_tell(status, "", envelope.message()),
    }
}

/// Whether it is the batch or its parent that is missing: "File not found in batch" says neither.
fn says_no_batch(envelope: &Envelope<'_>) -> bool {
    let scopes = ["batch", "classification", "extraction"];
    envelope.says_missing(&scopes)
        && envelope.speaks_of(&scopes)
        && !envelope.speaks_of(&["file", "files", "result", "results", "document", "documents"])
}

/// The conclusion for an answer that proves nothing; `message` is cleaned here.
fn cannot_tell(status: u16, note: &str, message: Option<&str>) -> Listing {
    let mut reason = format!("HTTP {status}");
    for (between, part) in [
        (", ", note.to_owned()),
        (": ", message.map(cleaned).unwrap_or_default()),
    ] {
        if !part.is_empty() {
            reason.push_str(between);
            reason.push_str(&part);
        }
    }
    Listing::CannotTell {
        reason: shortened(&reason),
    }
}

fn files_of(status: Status<'_>, body: &[u8], batch: &BatchAddress) -> Listing {
    let Some(raw) = object::<RawListing<'_>>(body) else {
        return cannot_tell(200, "no list of files as known", None);
    };
    let parent = match &batch.parent {
        Parent::Classification(_) => raw.classification_id.as_deref(),
        Parent::Extraction(_) => raw.extraction_id.as_deref(),
    };
    let named = [
        (parent, batch.parent.as_str()),
        (raw.batch_id.as_deref(), batch.batch.as_str()),
    ];
    if named
        .iter()
        .any(|(said, asked)| said.is_some_and(|said| said != *asked))
    {
        return cannot_tell(200, "it names another batch than the one asked for", None);
    }
    if status == Status::Absent && named.iter().any(|(said, _)| said.is_none()) {
        return cannot_tell(200, "neither a status nor the batch's name", None);
    }
    let module = batch.parent.module();
    match raw.files.iter().map(|file| listed(module, file)).collect() {
        Ok(files) => Listing::Files(files),
        Err(Unreadable) => cannot_tell(200, "a listed file of unknown shape", None),
    }
}

/// A listed file that cannot be understood; the whole listing then concludes nothing.
struct Unreadable;

impl From<InvalidId> for Unreadable {
    fn from(_: InvalidId) -> Self {
        Self
    }
}

fn listed(module: Module, file: &RawValue) -> Result<ListedFile, Unreadable> {
    let raw: RawFile<'_> = object(file.get().as_bytes()).ok_or(Unreadable)?;
    let file = FileId::new(raw.file_id.as_ref())?;
    match module {
        Module::Classification => Ok(ListedFile {
            file,
            // Without a status nobody knows whether a linked copy may still appear.
            status: raw.status.as_deref().ok_or(Unreadable)?.to_owned(),
            document_type: raw.result.and_then(document_type),
            copy: raw.extraction.map(copy_of).transpose()?,
        }),
        // `result` holds the customer's own fields here and is not looked into.
        Module::Extraction => Ok(ListedFile {
            file,
            status: raw.status.as_deref().unwrap_or("unknown").to_owned(),
            document_type: None,
            copy: None,
        }),
    }
}

/// The document type, where there is one; nothing depends on it, so another shape is passed over.
fn document_type(result: &RawValue) -> Option<String> {
    let result: RawResult<'_> = object(result.get().as_bytes())?;
    result.document_type.map(Cow::into_owned)
}

/// The linked copy. An incomplete one is no listing: the copy would be lost from sight for good.
fn copy_of(extraction: &RawValue) -> Result<Copy, Unreadable> {
    let raw: RawCopy<'_> = object(extraction.get().as_bytes()).ok_or(Unreadable)?;
    Ok(Copy {
        extraction: ExtractionId::new(raw.extraction_id)?,
        batch: BatchId::new(raw.batch_id)?,
        file: FileId::new(raw.file_id)?,
    })
}

#[cfg(test)]
mod tests;
