//! `getResults` and `getBatchResults`: what is there, and how far its processing is.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::call::{Call, Reference};
use super::config::{AbsentFile, Processing};
use super::links::signed_link;
use super::route::Module;
use super::serve::{find_batch, find_parent};
use super::state::{Batch, File, FileStatus, Place, World};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'w> {
    file_id: &'w str,
    file_name: &'w str,
    status: &'w str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<RowResult<'w>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extraction: Option<Triple<'w>>,
    url: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RowResult<'w> {
    #[serde(rename_all = "camelCase")]
    Classified {
        confidence: f64,
        document_type: &'w str,
    },
    Extracted(Map<String, Value>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Triple<'w> {
    extraction_id: &'w str,
    batch_id: &'w str,
    file_id: &'w str,
}

/// `getResults` (C): `{status:"success", classificationId, batchId, files}`.
/// `getBatchResults` (C): `{status:"waiting"}` without files, or `{extractionId, batchId, files}` without status.
pub(super) fn results(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let module = call.route.module;
    let parent = find_parent(world, call)?;
    let place = find_batch(world, module, parent, call.reference("batchId"))?;
    let asked = call.reference("fileId");
    let ids = match asked {
        Reference::Falsy => None,
        Reference::Id(id) if world.place(id) == Some(&place) => Some(vec![Arc::<str>::from(id)]),
        Reference::Id(_) | Reference::Odd => return absent(world.config.absent_file, &place),
    };
    note_read(world, &place, ids.as_deref());
    let batch = world
        .batch(module, parent, &place.batch)
        .ok_or_else(|| Answer::unknown("Batch"))?;
    let rows: Vec<Row<'_>> = match &ids {
        // One file of a large batch is looked up, not searched for.
        Some(ids) => {
            let found = ids.iter().filter_map(|id| batch.files.get_key_value(id));
            found.map(|(id, file)| row(world, &place, id, file)).collect()
        }
        None => batch
            .files
            .iter()
            .map(|(id, file)| row(world, &place, id, file))
            .collect(),
    };
    let pending = |row: &Row<'_>| row.status == "waiting" || row.status == "processing";
    if module == Module::Extraction && rows.iter().any(pending) {
        return Ok(Answer::json(200, &json!({"status": "waiting"})));
    }
    Ok(listing(&place, &rows))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listing<'w, 'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification_id: Option<&'w str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extraction_id: Option<&'w str>,
    batch_id: &'w str,
    files: &'r [Row<'w>],
}

fn listing(place: &Place, files: &[Row<'_>]) -> Answer {
    let (status, classification_id, extraction_id) = match place.module {
        Module::Classification => (Some("success"), Some(&*place.parent), None),
        Module::Extraction => (None, None, Some(&*place.parent)),
    };
    Answer::json(
        200,
        &Listing {
            status,
            classification_id,
            extraction_id,
            batch_id: &place.batch,
            files,
        },
    )
}

fn absent(answer: AbsentFile, place: &Place) -> Result<Answer, Answer> {
    match answer {
        AbsentFile::DoesNotExist => Err(Answer::unknown("File")),
        AbsentFile::NotFound => Err(Answer::error(404, "File not found")),
        AbsentFile::EmptyList => Ok(listing(place, &[])),
        AbsentFile::StatusNotFound => Ok(Answer::json(200, &json!({"status": "not_found"}))),
    }
}

/// Counts the read with each file that is not processed yet; the one after the last ends its processing.
fn note_read(world: &mut World, place: &Place, only: Option<&[Arc<str>]>) {
    let Processing::AfterReads(needed) = world.config.processing else {
        return;
    };
    let Some(batch) = world.batch_mut(place.module, &place.parent, &place.batch) else {
        return;
    };
    let mut done = Vec::new();
    let mut count = |id: &Arc<str>, file: &mut File| match file.status {
        FileStatus::Waiting | FileStatus::Processing if file.reads >= needed => done.push(Arc::clone(id)),
        FileStatus::Waiting | FileStatus::Processing => {
            file.status = if file.reads == 0 {
                FileStatus::Waiting
            } else {
                FileStatus::Processing
            };
            file.reads += 1;
        }
        FileStatus::Processed | FileStatus::Other(_) => {}
    };
    match only {
        Some(ids) => ids.iter().for_each(|id| {
            if let Some(file) = batch.files.get_mut(id) {
                count(id, file);
            }
        }),
        None => batch.files.iter_mut().for_each(|(id, file)| count(id, file)),
    }
    let now = world.now_ms();
    for id in done {
        world.process(&id, now);
    }
}

fn row<'w>(world: &World, place: &Place, id: &'w str, file: &'w File) -> Row<'w> {
    let result = match (place.module, &file.document_type) {
        _ if file.status != FileStatus::Processed => None,
        (Module::Classification, Some(kind)) => Some(RowResult::Classified {
            confidence: confidence(id),
            document_type: kind,
        }),
        (Module::Classification, None) => None,
        (Module::Extraction, _) => Some(RowResult::Extracted(Map::new())),
    };
    let extraction = file.copy.as_ref().map(|copy| Triple {
        extraction_id: &copy.extraction,
        batch_id: &copy.batch,
        file_id: &copy.file,
    });
    Row {
        file_id: id,
        file_name: &file.arrival.name,
        status: file.status.as_str(),
        result,
        extraction,
        url: signed_link(&world.config.canary, place, id, &file.arrival.name),
    }
}

/// Between 0.90 and 0.99, always the same for one id.
fn confidence(id: &str) -> f64 {
    let sum: u32 = id.bytes().map(u32::from).sum();
    f64::from(90 + sum % 10) / 100.0
}

/// A batch as `viewExtraction` shows it: `{filesNo, origin, startTime, status}` (C).
pub(super) fn batch_summary(batch: &Batch) -> Value {
    let pending = |file: &File| matches!(file.status, FileStatus::Waiting | FileStatus::Processing);
    let status = if batch.files.values().any(pending) {
        "processing"
    } else {
        "processed"
    };
    json!({"filesNo": batch.files.len(), "origin": "api", "startTime": batch.created_at, "status": status})
}
