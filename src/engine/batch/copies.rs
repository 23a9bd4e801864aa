//! Linked copies: written down and deleted before their originals.

use std::collections::HashSet;
use std::sync::Arc;

use super::Target;
use crate::engine::change::{agrees, goes};
use crate::engine::planning::in_force;
use crate::engine::run::{Batch, Run};
use crate::engine::sweep::SweepError;
use crate::extracta::remote::ListedFile;
use crate::ledger::Hinted;
use crate::model::{
    BatchAddress, FileAddress, FileId, FileKey, FileRecord, FileState, Module, NewFile, Parent,
};
use crate::rules::decide::{decide, hint};

impl Run<'_> {
    /// Writes linked copies to the ledger, then deletes them, before their originals go: the ids of a
    /// copy are readable only while the original is there.
    pub(super) async fn copies_first(
        &self,
        batch: &Batch,
        files: &[FileId],
        listed: &[ListedFile],
    ) -> Result<(), SweepError> {
        if !self.way.settings.linked_copies || batch.address.parent.module() != Module::Classification {
            return Ok(());
        }
        self.harvest(batch, files, listed).await?;
        let mut copies = self.engine.ledger.copies_of(batch.key, files).await?;
        copies.sort_by(|a, b| a.key.cmp(&b.key));
        for group in copies.chunk_by(|a, b| a.key.batch == b.key.batch) {
            let Some(first) = group.first() else { continue };
            let of = Batch::of(first);
            let targets = group.iter().map(|copy| Target {
                file: copy.key.file.clone(),
                deadline_at: copy.deadline_at.unwrap_or(copy.uploaded_at),
            });
            Box::pin(self.sweep_batch(&of, targets.collect())).await?;
        }
        Ok(())
    }

    /// Those of `files` that have a linked copy still to be deleted.
    pub(super) async fn originals_of_copies_left(
        &self,
        batch: &Batch,
        files: &[FileId],
    ) -> Result<HashSet<FileId>, SweepError> {
        if !self.way.settings.linked_copies || batch.address.parent.module() != Module::Classification {
            return Ok(HashSet::new());
        }
        let left = self.engine.ledger.copies_of(batch.key, files).await?;
        let now = self.engine.clock.now();
        let holds = in_force(self.engine.ledger.as_ref(), now).await?;
        // A copy that has to stay (a hold of its own) keeps no original: its ids are in the ledger.
        let due = left
            .into_iter()
            .filter(|copy| goes(&decide(copy, self.rules, &holds, now).verdict, self.purpose()))
            .filter(|copy| agrees(self.rules, copy, &holds, now, self.purpose()));
        Ok(due
            .filter_map(|copy| copy.copy_of.map(|original| original.file))
            .collect())
    }

    async fn harvest(
        &self,
        batch: &Batch,
        files: &[FileId],
        listed: &[ListedFile],
    ) -> Result<(), SweepError> {
        let mut rows = Vec::new();
        for (file, copy) in listed.iter().filter_map(|l| Some((&l.file, l.copy.as_ref()?))) {
            if !files.contains(file) {
                continue;
            }
            let original = FileAddress {
                batch: (*batch.address).clone(),
                file: file.clone(),
            };
            let Some(record) = self.engine.ledger.locate(&original).await? else {
                continue;
            };
            let address = FileAddress {
                batch: BatchAddress {
                    parent: Parent::Extraction(copy.extraction.clone()),
                    batch: copy.batch.clone(),
                    account: batch.address.account.clone(),
                },
                file: copy.file.clone(),
            };
            rows.push(self.copy_row(&record, original, address));
        }
        if !rows.is_empty() {
            let now = self.engine.clock.now();
            self.engine.ledger.record(&rows, &self.rules.digest, now).await?;
        }
        Ok(())
    }

    /// A copy takes everything that decides from its original.
    fn copy_row(&self, original: &FileRecord, copy_of: FileAddress, address: FileAddress) -> Hinted {
        let record = FileRecord {
            key: FileKey {
                batch: original.key.batch,
                file: address.file.clone(),
            },
            batch: Arc::new(address.batch.clone()),
            copy_of: Some(copy_of.clone()),
            state: FileState::Live,
            ..original.clone()
        };
        let file = NewFile {
            address,
            uploaded_at: original.uploaded_at,
            processed_at: original.processed_at,
            document_type: original.document_type.as_deref().map(str::to_owned),
            labels: (*original.labels).clone(),
            subject: original.subject.clone(),
            copy_of: Some(copy_of),
        };
        Hinted {
            hint: hint(&record, self.rules),
            file,
        }
    }
}
