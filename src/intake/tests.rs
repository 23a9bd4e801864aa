//! The room as a whole, against a ledger in memory.

mod arbitrary;
mod bad_rows;
mod good_rows;
mod keeping;
mod mapping;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::record::record_paged;
use super::*;
use crate::ledger::{Hinted, Intake, LedgerError, Recorded};
use crate::model::{BatchAddress, FileAddress, FileId, FileRecord, NewFile, Timestamp};
use crate::rules::policy::{Hint, RuleDigest};

const NOW: &str = "2026-11-23T20:00:00Z";

/// A Firebase push id made at 2025-03-01T21:20:32.426Z.
const PUSH_ID: &str = "-OKI_FueqSWiExyfS310";

/// As much of a ledger as an intake sees, with the contract's rules for known files.
#[derive(Default)]
struct Memory {
    files: Mutex<BTreeMap<FileAddress, (NewFile, Hint)>>,
    pages: Mutex<Vec<usize>>,
    fails_after: Option<u64>,
    calls: AtomicU64,
}

impl Memory {
    fn files(&self) -> Vec<NewFile> {
        let files = self.files.lock().unwrap();
        files.values().map(|(file, _)| file.clone()).collect()
    }

    fn pages(&self) -> Vec<usize> {
        self.pages.lock().unwrap().clone()
    }
}

#[async_trait]
impl Intake for Memory {
    async fn record(&self, rows: &[Hinted], _: &RuleDigest, _: Timestamp) -> Result<Recorded, LedgerError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if self.fails_after.is_some_and(|pages| call >= pages) {
            return Err(LedgerError::NotWritable {
                problem: "database or disk is full".to_owned(),
            });
        }
        self.pages.lock().unwrap().push(rows.len());
        let mut files = self.files.lock().unwrap();
        let mut recorded = Recorded::default();
        for Hinted { file, hint } in rows {
            match files.get_mut(&file.address) {
                None => {
                    recorded.added += 1;
                    files.insert(file.address.clone(), (file.clone(), hint.clone()));
                }
                Some((known, _)) if file.uploaded_at > known.uploaded_at => {
                    recorded.updated += 1;
                    known.uploaded_at = file.uploaded_at;
                }
                Some(_) => recorded.known += 1,
            }
        }
        Ok(recorded)
    }
}

#[async_trait]
impl Recall for Memory {
    async fn uploads(
        &self,
        batch: &BatchAddress,
        files: &[FileId],
    ) -> Result<Vec<(FileId, Timestamp)>, LedgerError> {
        let known = self.files.lock().unwrap();
        let at = |file: &FileId| {
            let address = FileAddress {
                batch: batch.clone(),
                file: file.clone(),
            };
            known.get(&address).map(|(known, _)| known.uploaded_at)
        };
        Ok(files
            .iter()
            .filter_map(|file| Some((file.clone(), at(file)?)))
            .collect())
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn owner_by_label(file: &FileRecord) -> Hint {
    let tenant = file.labels.get("tenant");
    Hint {
        owner: tenant.and_then(|tenant| tenant.parse().ok()),
        due_at: Some(file.uploaded_at),
        deadline_at: None,
    }
}

/// One intake, as a test spells it.
struct Case {
    options: RecordOptions,
    subjects: Option<SubjectHasher>,
    now: Timestamp,
    page_rows: usize,
    name: Option<&'static str>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            options: RecordOptions::default(),
            subjects: Some(SubjectHasher::new(b"sixteen bytes ok").unwrap()),
            now: at(NOW),
            page_rows: 4,
            name: None,
        }
    }
}

impl Case {
    fn of(format: Format) -> Self {
        let mut case = Self::default();
        case.options.format = Some(format);
        case
    }

    fn keeping_good(mut self) -> Self {
        self.options.keep_good = true;
        self
    }

    async fn try_run(&self, ledger: &Memory, input: &[u8]) -> Result<RecordSummary, RecordError> {
        let labels = ["tenant".to_owned(), "department".to_owned()];
        let digest = RuleDigest("digest".to_owned());
        let rules = InForce {
            label_keys: &labels,
            accounts: &[],
            digest: &digest,
            hint: &owner_by_label,
            subjects: self.subjects.as_ref(),
        };
        let input = Input::new(self.name, input);
        record_paged(
            input,
            &self.options,
            rules,
            ledger,
            self.now,
            &|_| (),
            self.page_rows,
        )
        .await
    }

    async fn run(&self, ledger: &Memory, input: impl AsRef<[u8]>) -> RecordSummary {
        self.try_run(ledger, input.as_ref()).await.unwrap()
    }

    /// Runs over a fresh ledger.
    async fn once(&self, input: impl AsRef<[u8]>) -> (RecordSummary, Vec<NewFile>) {
        let ledger = Memory::default();
        let summary = self.run(&ledger, input).await;
        (summary, ledger.files())
    }
}

/// A good JSONL row of this file, with more keys after it.
fn row(file: &str, more: &str) -> String {
    format!(r#"{{"classification_id":"c1","batch_id":"b1","file_id":"{file}"{more}}}"#)
}
