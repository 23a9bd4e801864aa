//! Checked rows to the ledger, a page a transaction, each with its hint.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::Checked;
use super::recall::Recall;
use super::record::InForce;
use super::summary::{Progress, RecordError, Stage};
use crate::ledger::{Hinted, Intake, LedgerError, Recorded};
use crate::model::{
    BatchAddress, BatchKey, FileId, FileKey, FileRecord, FileState, Labels, NewFile, Timestamp,
};

/// Hands pages to a ledger and adds up what became of them.
pub(super) struct Writer<'a, L: ?Sized> {
    ledger: &'a L,
    rules: InForce<'a>,
    now: Timestamp,
    pub(super) progress: &'a (dyn Fn(Progress) + Sync),
    /// Rows that there will be in all, once that is known.
    pub(super) of_rows: Option<u64>,
    pub(super) recorded: Recorded,
}

impl<'a, L: Intake + Recall + ?Sized> Writer<'a, L> {
    pub(super) fn new(
        ledger: &'a L,
        rules: InForce<'a>,
        now: Timestamp,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        Self {
            ledger,
            rules,
            now,
            progress,
            of_rows: None,
            recorded: Recorded::default(),
        }
    }

    /// Rows that the ledger has taken.
    pub(super) const fn taken(&self) -> u64 {
        self.recorded.added + self.recorded.known + self.recorded.updated
    }

    /// Writes one page, sorted by address and without duplicates.
    pub(super) async fn write(&mut self, mut rows: Vec<Checked>) -> Result<(), RecordError> {
        if rows.is_empty() {
            return Ok(());
        }
        let failed = |kept| move |source| RecordError::Ledger { kept, source };
        recall(self.ledger, &mut rows)
            .await
            .map_err(failed(self.taken()))?;
        let hinted = self.hinted(rows);
        let page = self
            .ledger
            .record(&hinted, self.rules.digest, self.now)
            .await
            .map_err(failed(self.taken()))?;
        self.recorded.added += page.added;
        self.recorded.known += page.known;
        self.recorded.updated += page.updated;
        (self.progress)(Progress {
            stage: Stage::Writing,
            rows: self.taken(),
            of_rows: self.of_rows,
            bytes: 0,
        });
        Ok(())
    }

    fn hinted(&self, rows: Vec<Checked>) -> Vec<Hinted> {
        let mut shared = Shared::default();
        let hinted = |Checked { file, .. }| Hinted {
            hint: (self.rules.hint)(&shared.record(&file)),
            file,
        };
        rows.into_iter().map(hinted).collect()
    }
}

/// Puts the known upload time in place of every assumed one.
async fn recall<L: Recall + ?Sized>(ledger: &L, rows: &mut [Checked]) -> Result<(), LedgerError> {
    let batches = rows.chunk_by_mut(|a, b| a.file.address.batch == b.file.address.batch);
    for rows in batches {
        let assumed: Vec<FileId> = rows
            .iter()
            .filter(|row| row.assumed)
            .map(|row| row.file.address.file.clone())
            .collect();
        let Some(first) = rows.first().filter(|_| !assumed.is_empty()) else {
            continue;
        };
        let known = ledger.uploads(&first.file.address.batch, &assumed).await?;
        let known: HashMap<FileId, Timestamp> = known.into_iter().collect();
        for row in rows.iter_mut().filter(|row| row.assumed) {
            if let Some(at) = known.get(&row.file.address.file) {
                row.file.uploaded_at = *at;
            }
        }
    }
    Ok(())
}

/// What neighbouring records share: files of a batch mostly have one batch and one set of labels.
#[derive(Default)]
struct Shared {
    batch: Option<Arc<BatchAddress>>,
    labels: Arc<Labels>,
    document_type: Option<Arc<str>>,
}

impl Shared {
    fn record(&mut self, file: &NewFile) -> FileRecord {
        let batch = match &self.batch {
            Some(batch) if **batch == file.address.batch => batch,
            Some(_) | None => self.batch.insert(Arc::new(file.address.batch.clone())),
        };
        let batch = Arc::clone(batch);
        if *self.labels != file.labels {
            self.labels = Arc::new(file.labels.clone());
        }
        if self.document_type.as_deref() != file.document_type.as_deref() {
            self.document_type = file.document_type.as_deref().map(Arc::from);
        }
        FileRecord {
            key: FileKey {
                batch: BatchKey(0),
                file: file.address.file.clone(),
            },
            batch,
            state: FileState::Live,
            uploaded_at: file.uploaded_at,
            processed_at: file.processed_at,
            document_type: self.document_type.clone(),
            labels: Arc::clone(&self.labels),
            subject: file.subject.clone(),
            copy_of: file.copy_of.clone(),
            // Not known here: the ledger has a file decided again that an event covers.
            occurred: Arc::default(),
            owner: None,
            due_at: None,
            deadline_at: None,
        }
    }
}

/// Records facts that need no further check, each with its hint.
pub(super) async fn record_rows<L: Intake + ?Sized>(
    ledger: &L,
    rules: InForce<'_>,
    rows: Vec<NewFile>,
    now: Timestamp,
) -> Result<Recorded, LedgerError> {
    let mut shared = Shared::default();
    let hinted = |file: NewFile| Hinted {
        hint: (rules.hint)(&shared.record(&file)),
        file,
    };
    let hinted: Vec<Hinted> = rows.into_iter().map(hinted).collect();
    ledger.record(&hinted, rules.digest, now).await
}

/// The record that a new file would become, for the rules to look at: live, and without a ledger
/// key of its own yet (batch 0).
#[must_use]
pub fn provisional(file: &NewFile) -> FileRecord {
    Shared::default().record(file)
}
