//! What the results that others fetch teach: document types, the end of processing, linked copies.
//!
//! Only of files that the ledger holds, and only what it lacks: a client that asks every two seconds
//! costs a look, not a write. When processing ended is not said anywhere; the instant at which the end
//! was first seen stands for it, which is never too early.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Gate;
use crate::extracta::listing::parse_listing;
use crate::extracta::{ListedFile, Listing};
use crate::intake::provisional;
use crate::ledger::{Hinted, LedgerError, Recorded};
use crate::model::{
    BatchAddress, BatchId, ClassificationId, ExtractionId, FileAddress, FileId, FileRecord, FileState,
    Module, NewFile, Parent, Timestamp,
};
use crate::outcome::Answer;
use crate::outcome::envelope::object;
use crate::rules::decide::hint;

/// The body of a read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRead {
    classification_id: Option<Value>,
    extraction_id: Option<Value>,
    batch_id: Option<Value>,
}

/// The batch that a read asked for.
fn asked(module: Module, body: &[u8]) -> Option<BatchAddress> {
    let raw: RawRead = object(body)?;
    let parent = match module {
        Module::Classification => {
            Parent::Classification(ClassificationId::new(raw.classification_id?.as_str()?).ok()?)
        }
        Module::Extraction => Parent::Extraction(ExtractionId::new(raw.extraction_id?.as_str()?).ok()?),
    };
    let batch = BatchId::new(raw.batch_id?.as_str()?).ok()?;
    Some(BatchAddress {
        parent,
        batch,
        account: None,
    })
}

impl Gate {
    /// Learns from the answer to a read; what it does not understand teaches nothing.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn learn(
        &self,
        module: Module,
        request: &[u8],
        answer: &Answer,
    ) -> Result<Recorded, LedgerError> {
        let Some(batch) = asked(module, request).filter(|_| !answer.cut) else {
            return Ok(Recorded::default());
        };
        match parse_listing(
            answer.status,
            answer.content_type.as_deref(),
            &answer.body,
            &batch,
        ) {
            Listing::Files(listed) => self.learn_of(&batch, &listed).await,
            // Whether files are gone is for a look of our own to find out.
            Listing::NoBatch | Listing::CannotTell { .. } => Ok(Recorded::default()),
        }
    }

    async fn learn_of(&self, batch: &BatchAddress, listed: &[ListedFile]) -> Result<Recorded, LedgerError> {
        let Some(key) = self.ledger.batch_key(batch).await? else {
            return Ok(Recorded::default());
        };
        let ids: Vec<FileId> = listed.iter().map(|file| file.file.clone()).collect();
        let states = self.ledger.states(key, &ids).await?;
        let live: std::collections::HashSet<&FileId> = states
            .iter()
            .filter(|(_, state)| *state == FileState::Live)
            .map(|(file, _)| file)
            .collect();
        let (now, mut rows) = (self.now(), Vec::new());
        for file in listed.iter().filter(|file| live.contains(&file.file)) {
            let address = FileAddress {
                batch: batch.clone(),
                file: file.file.clone(),
            };
            if let Some(record) = self.ledger.locate(&address).await? {
                rows.extend(self.lesson(&record, file, now).await?);
            }
        }
        if rows.is_empty() {
            return Ok(Recorded::default());
        }
        let rules = self.rules();
        let rows: Vec<Hinted> = rows
            .into_iter()
            .map(|file| Hinted {
                hint: hint(&provisional(&file), &rules),
                file,
            })
            .collect();
        self.ledger.record(&rows, &rules.digest, now).await
    }

    /// The file with what was learned, and its copy; nothing, if nothing is new.
    async fn lesson(
        &self,
        record: &FileRecord,
        listed: &ListedFile,
        now: Timestamp,
    ) -> Result<Vec<NewFile>, LedgerError> {
        let learned = FileRecord {
            processed_at: record
                .processed_at
                .or_else(|| has_ended(listed).then(|| now.max(record.uploaded_at))),
            document_type: record
                .document_type
                .clone()
                .or_else(|| listed.document_type.as_deref().map(Arc::from)),
            ..record.clone()
        };
        let mut rows = Vec::new();
        if learned != *record {
            rows.push(row(&learned, record.address(), record.copy_of.clone()));
        }
        if let Some(copy) = &listed.copy {
            let address = FileAddress {
                batch: BatchAddress {
                    parent: Parent::Extraction(copy.extraction.clone()),
                    batch: copy.batch.clone(),
                    account: record.batch.account.clone(),
                },
                file: copy.file.clone(),
            };
            if self.ledger.locate(&address).await?.is_none() {
                rows.push(row(&learned, address, Some(record.address())));
            }
        }
        Ok(rows)
    }
}

/// A failure may be followed by another try: only success is the end.
fn has_ended(listed: &ListedFile) -> bool {
    listed.status == "processed"
}

/// A copy takes everything that decides from its original.
fn row(record: &FileRecord, address: FileAddress, copy_of: Option<FileAddress>) -> NewFile {
    NewFile {
        address,
        uploaded_at: record.uploaded_at,
        processed_at: record.processed_at,
        document_type: record.document_type.as_deref().map(str::to_owned),
        labels: (*record.labels).clone(),
        subject: record.subject.clone(),
        copy_of,
    }
}
