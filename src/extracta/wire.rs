//! The bodies on the wire: serialised from types without `Option`, `Default` or skipped fields, and
//! read back and checked as foreign text just before they are sent.
//!
//! The check is there for the defect that nobody has thought of: to `deleteExtraction` a missing or
//! empty id means "the whole batch" or "the whole template" (extracta-api.md, "The hazard").

use std::collections::HashSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::remote::{DeleteExtractionFile, DeleteFiles};
use crate::model::{BatchAddress, Parent};

/// Longest body of a delete, in bytes.
pub const LONGEST_DELETE_BODY: usize = 64 * 1024;

/// Why a body must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefused {
    /// Longer than [`LONGEST_DELETE_BODY`]: send fewer files.
    #[error("the delete's body has {bytes} bytes, at most {LONGEST_DELETE_BODY} are sent")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not exactly what the contract asks for: a defect of this program.
    #[error("the delete's body was refused before sending: {what}")]
    Shape {
        /// What is wrong with it.
        what: &'static str,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteFilesBody<'a> {
    classification_id: &'a str,
    batch_id: &'a str,
    file_ids: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteExtractionBody<'a> {
    extraction_id: &'a str,
    batch_id: &'a str,
    file_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetResultsBody<'a> {
    classification_id: &'a str,
    batch_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct GetBatchResultsBody<'a> {
    extraction_id: &'a str,
    batch_id: &'a str,
}

/// The body of `DELETE /documentClassification/deleteFiles`.
#[must_use]
pub fn body_of_delete_files(request: &DeleteFiles) -> Vec<u8> {
    bytes_of(&DeleteFilesBody {
        classification_id: request.classification().as_str(),
        batch_id: request.batch().as_str(),
        file_ids: request.files().iter().map(|file| file.as_str()).collect(),
    })
}

/// The body of `DELETE /deleteExtraction` at file scope.
#[must_use]
pub fn body_of_delete_extraction_file(request: &DeleteExtractionFile) -> Vec<u8> {
    bytes_of(&DeleteExtractionBody {
        extraction_id: request.extraction.as_str(),
        batch_id: request.batch.as_str(),
        file_id: request.file.as_str(),
    })
}

/// The body of `getResults` or `getBatchResults`: the whole batch.
#[must_use]
pub fn body_of_listing(batch: &BatchAddress) -> Vec<u8> {
    let batch_id = batch.batch.as_str();
    match &batch.parent {
        Parent::Classification(id) => bytes_of(&GetResultsBody {
            classification_id: id.as_str(),
            batch_id,
        }),
        Parent::Extraction(id) => bytes_of(&GetBatchResultsBody {
            extraction_id: id.as_str(),
            batch_id,
        }),
    }
}

fn bytes_of(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("structs of texts serialise, and a Vec takes every byte")
}

/// Checks a serialised `deleteFiles` body: exactly the three keys, each non-empty, at least one
/// file, none empty, none twice.
///
/// # Errors
/// [`BodyRefused`]; nothing may be sent then.
pub fn guard_delete_files(body: &[u8]) -> Result<(), BodyRefused> {
    let object = object_of(body)?;
    exactly(&object, ["classificationId", "batchId", "fileIds"])?;
    id_at(&object, "classificationId")?;
    id_at(&object, "batchId")?;
    let files = match object.get("fileIds") {
        Some(Value::Array(files)) if !files.is_empty() => files,
        _ => return refuse("fileIds is not a list with at least one id"),
    };
    let mut seen = HashSet::with_capacity(files.len());
    for file in files {
        if !seen.insert(id_in(file)?) {
            return refuse("a file id stands twice");
        }
    }
    Ok(())
}

/// Checks a serialised `deleteExtraction` body: all three ids, nothing else.
///
/// # Errors
/// [`BodyRefused`]; nothing may be sent then.
pub fn guard_delete_extraction_file(body: &[u8]) -> Result<(), BodyRefused> {
    let keys = ["extractionId", "batchId", "fileId"];
    let object = object_of(body)?;
    exactly(&object, keys)?;
    keys.iter().try_for_each(|key| id_at(&object, key).map(drop))
}

fn object_of(body: &[u8]) -> Result<Map<String, Value>, BodyRefused> {
    if body.len() > LONGEST_DELETE_BODY {
        return Err(BodyRefused::TooLong { bytes: body.len() });
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return refuse("it is no JSON");
    };
    // A key that stands twice disappears in a map, and with it some bytes.
    if bytes_of(&value).len() != body.len() {
        return refuse("a key stands twice, or it is not compact");
    }
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            refuse("it is no object")
        }
    }
}

fn exactly(object: &Map<String, Value>, keys: [&str; 3]) -> Result<(), BodyRefused> {
    if object.len() == keys.len() && keys.iter().all(|key| object.contains_key(*key)) {
        return Ok(());
    }
    refuse("it has not exactly the three keys")
}

fn id_at<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, BodyRefused> {
    object.get(key).map_or_else(|| refuse("a key is missing"), id_in)
}

fn id_in(value: &Value) -> Result<&str, BodyRefused> {
    match value.as_str() {
        // Blank counts as empty: a server that trims would widen.
        Some(id) if !id.trim().is_empty() => Ok(id),
        _ => refuse("an id is empty or no text"),
    }
}

const fn refuse<T>(what: &'static str) -> Result<T, BodyRefused> {
    Err(BodyRefused::Shape { what })
}

#[cfg(test)]
mod tests;
