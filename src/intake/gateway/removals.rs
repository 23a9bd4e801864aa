//! Deletes that others make through the gateway: which files a confirmed one took.
//!
//! Only what the request plainly names counts. A delete that lacks an id reaches further than anybody
//! knows (the hazard of `deleteExtraction`): nothing is marked for it, and the next sweep's look finds
//! what is gone.

use serde::Deserialize;
use serde_json::Value;

use super::Call;
use crate::ledger::Removed;
use crate::model::{BatchAddress, BatchId, ClassificationId, ExtractionId, FileId, Parent};
use crate::outcome::envelope::{may_be_json, object};
use crate::outcome::{Outcome, Reply, interpret_delete, interpret_extraction_delete};

/// The body of a delete. A key that stands twice makes it none.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawDelete {
    #[serde(deserialize_with = "given")]
    classification_id: Option<Value>,
    #[serde(deserialize_with = "given")]
    extraction_id: Option<Value>,
    #[serde(deserialize_with = "given")]
    batch_id: Option<Value>,
    #[serde(deserialize_with = "given")]
    file_id: Option<Value>,
    #[serde(deserialize_with = "given")]
    file_ids: Option<Value>,
}

/// `null` is something that was given, not something that was left out.
fn given<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// Whether this answer confirms the delete, by code and body.
pub(super) fn is_confirmed(call: Call, reply: &Reply, removed: Option<&Removed>) -> bool {
    let files = match removed {
        Some(Removed::Files { files, .. }) => files.len(),
        // More than one, so that "does not exist" says nothing of a single file.
        Some(Removed::Batch(_) | Removed::Parent { .. }) | None => 2,
    };
    let outcome = if call == Call::DeleteExtraction {
        interpret_extraction_delete(reply)
    } else {
        interpret_delete(reply, files)
    };
    matches!(outcome, Outcome::Confirmed { .. })
}

/// What a delete's body plainly names.
pub(super) fn named(call: Call, content_type: Option<&str>, body: &[u8]) -> Option<Removed> {
    // A server that reads JSON only where it is declared sees an empty body otherwise.
    content_type.filter(|declared| may_be_json(Some(declared)))?;
    let raw: RawDelete = object(body)?;
    match call {
        Call::DeleteFiles => {
            let batch = classification_batch(&raw)?;
            let files = list(raw.file_ids.as_ref()?)?;
            Some(Removed::Files { batch, files })
        }
        Call::DeleteBatch => classification_batch(&raw).map(Removed::Batch),
        Call::DeleteClassification => {
            let alone = raw.batch_id.is_none() && raw.file_id.is_none() && raw.file_ids.is_none();
            let parent = classification(&raw)?;
            alone.then_some(Removed::Parent {
                parent,
                account: None,
            })
        }
        Call::DeleteExtraction => extraction(&raw),
        Call::Upload(_) | Call::Results(_) | Call::Other => None,
    }
}

fn classification(raw: &RawDelete) -> Option<Parent> {
    let id = ClassificationId::new(raw.classification_id.as_ref()?.as_str()?).ok()?;
    Some(Parent::Classification(id))
}

fn classification_batch(raw: &RawDelete) -> Option<BatchAddress> {
    Some(BatchAddress {
        parent: classification(raw)?,
        batch: BatchId::new(raw.batch_id.as_ref()?.as_str()?).ok()?,
        account: None,
    })
}

/// The id that is missing says what goes; null and an empty text are no ids and nothing is concluded.
fn extraction(raw: &RawDelete) -> Option<Removed> {
    let id = ExtractionId::new(raw.extraction_id.as_ref()?.as_str()?).ok()?;
    let parent = Parent::Extraction(id);
    match (&raw.batch_id, &raw.file_id) {
        (None, None) => Some(Removed::Parent {
            parent,
            account: None,
        }),
        (Some(batch), None) => {
            let batch = BatchId::new(batch.as_str()?).ok()?;
            Some(Removed::Batch(BatchAddress {
                parent,
                batch,
                account: None,
            }))
        }
        (Some(batch), Some(file)) => {
            let batch = BatchId::new(batch.as_str()?).ok()?;
            Some(Removed::Files {
                batch: BatchAddress {
                    parent,
                    batch,
                    account: None,
                },
                files: vec![FileId::new(file.as_str()?).ok()?],
            })
        }
        (None, Some(_)) => None,
    }
}

/// At least one id, and nothing that is none.
fn list(ids: &Value) -> Option<Vec<FileId>> {
    let ids = ids.as_array().filter(|ids| !ids.is_empty())?;
    ids.iter().map(|id| FileId::new(id.as_str()?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(call: Call, body: &str) -> Option<Removed> {
        named(call, Some("application/json; charset=utf-8"), body.as_bytes())
    }

    fn batch(parent: Parent) -> BatchAddress {
        BatchAddress {
            parent,
            batch: BatchId::new("B").unwrap(),
            account: None,
        }
    }

    #[test]
    fn a_delete_takes_what_it_names() {
        let classification = || Parent::Classification(ClassificationId::new("C").unwrap());
        let extraction = || Parent::Extraction(ExtractionId::new("E").unwrap());
        let files = |parent, ids: &[&str]| {
            Some(Removed::Files {
                batch: batch(parent),
                files: ids.iter().map(|id| FileId::new(*id).unwrap()).collect(),
            })
        };
        for (call, body, expected) in [
            (
                Call::DeleteFiles,
                r#"{"classificationId":"C","batchId":"B","fileIds":["F","G"]}"#,
                files(classification(), &["F", "G"]),
            ),
            (
                Call::DeleteBatch,
                r#"{"classificationId":"C","batchId":"B"}"#,
                Some(Removed::Batch(batch(classification()))),
            ),
            (
                Call::DeleteClassification,
                r#"{"classificationId":"C"}"#,
                Some(Removed::Parent {
                    parent: classification(),
                    account: None,
                }),
            ),
            (
                Call::DeleteExtraction,
                r#"{"extractionId":"E","batchId":"B","fileId":"F"}"#,
                files(extraction(), &["F"]),
            ),
            (
                Call::DeleteExtraction,
                r#"{"extractionId":"E","batchId":"B"}"#,
                Some(Removed::Batch(batch(extraction()))),
            ),
            (
                Call::DeleteExtraction,
                r#"{"extractionId":"E"}"#,
                Some(Removed::Parent {
                    parent: extraction(),
                    account: None,
                }),
            ),
        ] {
            assert_eq!(of(call, body), expected, "{body}");
        }
    }

    #[test]
    fn what_a_delete_does_not_plainly_name_is_not_marked() {
        for (call, body) in [
            (
                Call::DeleteFiles,
                r#"{"classificationId":"C","batchId":"B","fileIds":[]}"#,
            ),
            (
                Call::DeleteFiles,
                r#"{"classificationId":"C","batchId":"B","fileIds":["F",""]}"#,
            ),
            (Call::DeleteFiles, r#"{"classificationId":"C","fileIds":["F"]}"#),
            (Call::DeleteFiles, r#"{"classificationId":"C","batchId":"B"}"#),
            (Call::DeleteBatch, r#"{"classificationId":"C"}"#),
            (Call::DeleteBatch, r#"{"classificationId":"C","batchId":null}"#),
            (
                Call::DeleteBatch,
                r#"{"classificationId":"C","batchId":"B","batchId":"X"}"#,
            ),
            (
                Call::DeleteClassification,
                r#"{"classificationId":"C","batchId":"B"}"#,
            ),
            (Call::DeleteExtraction, r#"{"extractionId":"E","fileId":"F"}"#),
            (
                Call::DeleteExtraction,
                r#"{"extractionId":"E","batchId":"B","fileId":""}"#,
            ),
            (
                Call::DeleteExtraction,
                r#"{"extractionId":"E","batchId":"","fileId":"F"}"#,
            ),
            (Call::DeleteExtraction, r#"{"extractionId":"E","batchId":null}"#),
            (
                Call::DeleteExtraction,
                r#"{"extractionId":"E","batchId":null,"fileId":null}"#,
            ),
            (
                Call::DeleteClassification,
                r#"{"classificationId":"C","fileIds":null}"#,
            ),
            (Call::DeleteExtraction, r#"["E"]"#),
            (Call::Other, r#"{"classificationId":"C"}"#),
        ] {
            assert_eq!(of(call, body), None, "{body}");
        }
        let body = br#"{"classificationId":"C"}"#;
        for declared in [None, Some("text/plain")] {
            assert_eq!(named(Call::DeleteClassification, declared, body), None);
        }
    }
}
