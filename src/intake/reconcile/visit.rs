//! One batch, looked at.

use std::collections::HashSet;

use super::{Orphan, Reconciled, Run, Unclear};
use crate::extracta::{ListedFile, Listing};
use crate::intake::FUTURE_TOLERANCE_MILLIS;
use crate::intake::reconcile::LISTED_ORPHANS;
use crate::intake::write::record_rows;
use crate::ledger::{KnownBatch, Ledger, LedgerError};
use crate::model::{
    BatchAddress, BatchKey, FileAddress, FileId, FileRecord, Labels, NewFile, Parent, Timestamp, Upload,
    push_id_time,
};

/// A batch to look at.
pub(super) struct Visit {
    address: BatchAddress,
    key: Option<BatchKey>,
    /// Files that the ledger holds for live or unknown.
    live: Vec<FileId>,
}

impl Visit {
    pub(super) fn known(batch: &KnownBatch, live: Vec<FileId>) -> Self {
        Self {
            address: batch.address.clone(),
            key: Some(batch.key),
            live,
        }
    }

    /// One that the ledger does not know.
    pub(super) const fn unknown(address: BatchAddress) -> Self {
        Self {
            address,
            key: None,
            live: Vec::new(),
        }
    }
}

impl<L: Ledger + ?Sized> Run<'_, L> {
    /// Whether it could be looked at.
    pub(super) async fn visit(&mut self, visit: Visit) -> Result<bool, LedgerError> {
        let listed = match self.looker.files_of(&visit.address).await {
            Listing::Files(listed) => listed,
            Listing::NoBatch => {
                self.found.batches += 1;
                if !visit.live.is_empty() {
                    self.found.missing_batches.push(visit.address);
                }
                return Ok(true);
            }
            Listing::CannotTell { reason } => {
                let BatchAddress { parent, batch, .. } = visit.address;
                let batch = Some(batch);
                self.found.unclear.push(Unclear {
                    parent,
                    batch,
                    reason,
                });
                return Ok(false);
            }
        };
        self.found.batches += 1;
        self.found.files += listed.len() as u64;
        let unrecorded = self.orphans(&visit, &listed).await?;
        self.copies(&visit.address, &listed).await?;
        self.gone(&visit, &listed).await?;
        if unrecorded == 0 {
            let BatchAddress { parent, batch, .. } = &visit.address;
            self.settle(|upload| {
                upload.parent.as_ref() == Some(parent) && upload.batch.as_ref() == Some(batch)
            })
            .await?;
        }
        Ok(true)
    }

    /// Files that the ledger lacks; how many of them it still lacks afterwards.
    async fn orphans(&mut self, visit: &Visit, listed: &[ListedFile]) -> Result<u64, LedgerError> {
        let ids: Vec<FileId> = listed.iter().map(|file| file.file.clone()).collect();
        let known: HashSet<FileId> = match visit.key {
            Some(key) => self
                .ledger
                .states(key, &ids)
                .await?
                .into_iter()
                .map(|(file, _)| file)
                .collect(),
            None => HashSet::new(),
        };
        let orphans: Vec<&ListedFile> = listed.iter().filter(|file| !known.contains(&file.file)).collect();
        if orphans.is_empty() {
            return Ok(0);
        }
        let total = orphans.len() as u64;
        let record = self.wanted.record;
        if record {
            let now = (self.clock)();
            let rows = orphans
                .iter()
                .map(|file| self.row(&visit.address, file, now))
                .collect();
            record_rows(self.ledger, self.rules, rows, now).await?;
            self.found.orphans_recorded += total;
        }
        self.found.list(&visit.address, &orphans, record);
        Ok(if record { 0 } else { total })
    }

    /// The facts of a file that nobody recorded: the time inside its id, and what the only upload in doubt
    /// of its batch said.
    fn row(&self, batch: &BatchAddress, file: &ListedFile, now: Timestamp) -> NewFile {
        let mut of_batch = self.doubts.iter().filter(|upload| {
            upload.parent.as_ref() == Some(&batch.parent) && upload.batch.as_ref() == Some(&batch.batch)
        });
        let upload: Option<&Upload> = match (of_batch.next(), of_batch.next()) {
            (Some(upload), None) => Some(upload),
            (None, _) | (Some(_), Some(_)) => None,
        };
        // A time that lies ahead of our clock says nothing; now is later than the truth, never earlier.
        let made = push_id_time(file.file.as_str());
        let made = made.filter(|at| at.millis_since(now) <= FUTURE_TOLERANCE_MILLIS);
        NewFile {
            address: FileAddress {
                batch: batch.clone(),
                file: file.file.clone(),
            },
            uploaded_at: made.unwrap_or(now),
            processed_at: None,
            document_type: file
                .document_type
                .clone()
                .or_else(|| upload.and_then(|upload| upload.document_type.clone())),
            labels: upload.map_or_else(Labels::new, |upload| upload.labels.clone()),
            subject: upload.and_then(|upload| upload.subject.clone()),
            copy_of: None,
        }
    }

    /// Takes in linked copies that the ledger does not know: their ids are readable only while the
    /// original is there.
    async fn copies(&mut self, batch: &BatchAddress, listed: &[ListedFile]) -> Result<(), LedgerError> {
        let mut rows = Vec::new();
        for file in listed {
            let Some(copy) = &file.copy else { continue };
            let address = FileAddress {
                batch: BatchAddress {
                    parent: Parent::Extraction(copy.extraction.clone()),
                    batch: copy.batch.clone(),
                    account: batch.account.clone(),
                },
                file: copy.file.clone(),
            };
            let original = FileAddress {
                batch: batch.clone(),
                file: file.file.clone(),
            };
            let known = self.ledger.locate(&address).await?;
            if known.is_some_and(|known| known.copy_of.is_some()) {
                continue;
            }
            if let Some(record) = self.ledger.locate(&original).await? {
                rows.push(copy_row(&record, original, address));
            }
        }
        self.found.copies += rows.len() as u64;
        record_rows(self.ledger, self.rules, rows, (self.clock)())
            .await
            .map(drop)
    }

    /// Live files that are not listed: one look may be a slip of the API, so a second has to say the same.
    async fn gone(&mut self, visit: &Visit, listed: &[ListedFile]) -> Result<(), LedgerError> {
        let Some(key) = visit.key else { return Ok(()) };
        let there = ids_of(listed);
        let missing: Vec<FileId> = visit
            .live
            .iter()
            .filter(|file| !there.contains(file))
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let again = match self.looker.files_of(&visit.address).await {
            Listing::Files(again) => again,
            Listing::NoBatch | Listing::CannotTell { .. } => {
                let BatchAddress { parent, batch, .. } = visit.address.clone();
                let reason = "files are missing, and a second look failed".to_owned();
                self.found.unclear.push(Unclear {
                    parent,
                    batch: Some(batch),
                    reason,
                });
                return Ok(());
            }
        };
        let there = ids_of(&again);
        let gone: Vec<FileId> = missing.into_iter().filter(|file| !there.contains(file)).collect();
        let reason = "gone by others: two looks at its batch do not list it";
        let now = (self.clock)();
        self.found.gone += self.ledger.note_missing(key, &gone, reason, now).await?;
        Ok(())
    }
}

impl Reconciled {
    fn list(&mut self, batch: &BatchAddress, orphans: &[&ListedFile], recorded: bool) {
        self.orphans_total += orphans.len() as u64;
        let room = LISTED_ORPHANS.saturating_sub(self.orphans.len());
        self.orphans.extend(orphans.iter().take(room).map(|file| Orphan {
            address: FileAddress {
                batch: batch.clone(),
                file: file.file.clone(),
            },
            id_time: push_id_time(file.file.as_str()),
            recorded,
        }));
    }
}

fn ids_of(listed: &[ListedFile]) -> HashSet<&FileId> {
    listed.iter().map(|file| &file.file).collect()
}

/// A copy takes everything that decides from its original.
fn copy_row(original: &FileRecord, copy_of: FileAddress, address: FileAddress) -> NewFile {
    NewFile {
        address,
        uploaded_at: original.uploaded_at,
        processed_at: original.processed_at,
        document_type: original.document_type.as_deref().map(str::to_owned),
        labels: (*original.labels).clone(),
        subject: original.subject.clone(),
        copy_of: Some(copy_of),
    }
}
