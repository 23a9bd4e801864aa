//! Files and rules for this room's tests.

use std::sync::Arc;

use crate::model::{
    BatchAddress, BatchId, BatchKey, ClassificationId, ExtractionId, FileAddress, FileId, FileKey,
    FileRecord, FileState, Parent, Timestamp,
};

/// A classification file, by what a test cares about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Classified<'a> {
    pub(crate) classification: &'a str,
    pub(crate) batch: &'a str,
    pub(crate) file: &'a str,
    pub(crate) document_type: Option<&'a str>,
    pub(crate) labels: &'a [(&'a str, &'a str)],
    pub(crate) uploaded_at: &'a str,
    pub(crate) processed_at: Option<&'a str>,
}

impl Default for Classified<'_> {
    fn default() -> Self {
        Self {
            classification: "c1",
            batch: "b1",
            file: "f1",
            document_type: None,
            labels: &[],
            uploaded_at: "2026-01-15T09:30:00Z",
            processed_at: None,
        }
    }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn file(of: Classified<'_>) -> FileRecord {
    let parent = Parent::Classification(ClassificationId::new(of.classification).unwrap());
    let mut record = record(parent, of.batch, of.file);
    record.document_type = of.document_type.map(Arc::from);
    record.labels = Arc::new(
        of.labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
    );
    record.uploaded_at = at(of.uploaded_at);
    record.processed_at = of.processed_at.map(at);
    record
}

pub(crate) fn extracted(extraction: &str, batch: &str, file: &str) -> FileRecord {
    record(
        Parent::Extraction(ExtractionId::new(extraction).unwrap()),
        batch,
        file,
    )
}

/// A linked copy: the original's facts at its own address, as the ledger gives it.
pub(crate) fn copy_of(original: &FileRecord, extraction: &str, batch: &str, file: &str) -> FileRecord {
    let own = extracted(extraction, batch, file);
    FileRecord {
        key: own.key,
        batch: own.batch,
        copy_of: Some(original.address()),
        ..original.clone()
    }
}

fn record(parent: Parent, batch: &str, file: &str) -> FileRecord {
    let address = FileAddress {
        batch: BatchAddress {
            parent,
            batch: BatchId::new(batch).unwrap(),
        },
        file: FileId::new(file).unwrap(),
    };
    let key = batch
        .bytes()
        .fold(0_i64, |sum, b| (sum * 31 + i64::from(b)) % 1_000_003);
    FileRecord {
        key: FileKey {
            batch: BatchKey(key),
            file: address.file,
        },
        batch: Arc::new(address.batch),
        state: FileState::Live,
        uploaded_at: at("2026-01-15T09:30:00Z"),
        processed_at: None,
        document_type: None,
        labels: Arc::default(),
        subject: None,
        copy_of: None,
        owner: None,
        due_at: None,
        deadline_at: None,
    }
}
