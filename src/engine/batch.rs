//! One batch: look → second copies → delete → look again.
//!
//! The first look harvests linked copies durably and notes who is there; the second must find the
//! asked-for files gone and **all others still there**.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::change::{agrees, goes};
use super::gate::Stop;
use super::planning::in_force;
use super::run::{Batch, Run};
use super::sweep::SweepError;
use crate::extracta::remote::{ListedFile, Listing};
use crate::ledger::Hinted;
use crate::model::{
    BatchAddress, BreakerKind, FileAddress, FileId, FileKey, FileRecord, FileState, Finding, Module, NewFile,
    Parent, Timestamp,
};
use crate::outcome::FileEvent;
use crate::rules::decide::{decide, hint};

/// Looks after a deletion before "still listed" is believed: the listing may lag.
const LOOKS: u32 = 3;

/// A file to delete in this batch.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) file: FileId,
    pub(super) deadline_at: Timestamp,
}

/// What the first look says.
enum Before {
    /// The listing was not asked for (verification and copies are off).
    NotAsked,
    /// The files that are there.
    There(Vec<ListedFile>),
    /// Nothing can be said: leave the batch for the next sweep.
    Unclear,
    /// No batch any more: all are gone.
    NoBatch,
}

impl Run<'_> {
    /// Sweeps `targets` of one batch, chunk after chunk.
    pub(super) async fn sweep_batch(&self, batch: &Batch, targets: Vec<Target>) -> Result<(), SweepError> {
        if batch.address.account.as_ref() != self.account {
            // Its ids would be asked for with another account's key.
            tracing::error!(batch.id = %batch.address.batch, "a batch of another account: left alone");
            self.leave_behind(targets.len());
            return Ok(());
        }
        if !self.may_delete().await? {
            return Ok(());
        }
        let before = self.first_look(batch, targets.len()).await?;
        let files = match &before {
            Before::Unclear => return Ok(()),
            Before::NoBatch => {
                let all: Vec<FileId> = targets.into_iter().map(|t| t.file).collect();
                return self.gone_unasked(batch, all, "the batch does not exist").await;
            }
            Before::NotAsked => targets.into_iter().map(|t| t.file).collect(),
            Before::There(listed) => self.who_is_there(batch, targets, listed).await?,
        };
        let listed = match &before {
            Before::There(listed) => Some(listed.as_slice()),
            Before::NotAsked | Before::Unclear | Before::NoBatch => None,
        };
        let rest = if self.has_canary() || batch.is_copy {
            files.as_slice()
        } else {
            self.canary(batch, &files, listed).await?
        };
        self.delete_listed(batch, rest, listed).await?;
        self.verify(batch, &files, listed).await?;
        Ok(())
    }

    /// Linked copies first, then the files, chunk by chunk.
    async fn delete_listed(
        &self,
        batch: &Batch,
        files: &[FileId],
        listed: Option<&[ListedFile]>,
    ) -> Result<(), SweepError> {
        let Some(listed) = listed else {
            return self.delete_chunks(batch, files).await;
        };
        self.copies_first(batch, files, listed).await?;
        let waiting = self.originals_of_copies_left(batch, files).await?;
        if waiting.is_empty() {
            return self.delete_chunks(batch, files).await;
        }
        // The copy's ids stay readable while its original is there: it goes first, or both wait.
        self.leave_behind(waiting.len());
        let ready: Vec<FileId> = files
            .iter()
            .filter(|file| !waiting.contains(file))
            .cloned()
            .collect();
        self.delete_chunks(batch, &ready).await
    }

    /// Those of `files` that have a linked copy still to be deleted.
    async fn originals_of_copies_left(
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

    /// Whether a second look was had, where one is wanted.
    async fn verify(
        &self,
        batch: &Batch,
        files: &[FileId],
        listed: Option<&[ListedFile]>,
    ) -> Result<bool, SweepError> {
        if let (Some(listed), true) = (listed, self.way.settings.verify) {
            let there: HashSet<FileId> = listed.iter().map(|f| f.file.clone()).collect();
            return self.second_look(batch, files, Some(&there)).await;
        }
        Ok(true)
    }

    /// The first file alone, verified before the rest. Gives the files that may follow: none, until
    /// one deletion of this sweep has been borne out.
    async fn canary<'f>(
        &self,
        batch: &Batch,
        files: &'f [FileId],
        listed: Option<&[ListedFile]>,
    ) -> Result<&'f [FileId], SweepError> {
        for (at, file) in files.iter().enumerate() {
            let requests = self.tally.read().requests;
            let alone = std::slice::from_ref(file);
            self.delete_listed(batch, alone, listed).await?;
            // All that has been asked for so far is missing by now.
            let looked = self.verify(batch, &files[..=at], listed).await?;
            match self.state_of_canary(batch, alone).await? {
                _ if self.halted().is_some() => return Ok(&[]),
                _ if !looked => {
                    // Confirmed perhaps, but not seen: nothing follows on a word alone.
                    self.leave_behind(files.len() - at);
                    let files = (files.len() - at) as u64;
                    self.halt(Stop::Incomplete { files });
                    return Ok(&[]);
                }
                Some(FileState::Deleted | FileState::Gone) => {
                    self.canary_sang();
                    return Ok(&files[at + 1..]);
                }
                Some(FileState::Unknown) => {
                    let reason = "it is still listed, or its outcome is not known".to_owned();
                    self.halt(Stop::Canary { reason });
                    return Ok(&[]);
                }
                // Nothing was asked (a hold came): it says nothing.
                _ if self.tally.read().requests == requests => {}
                Some(FileState::Live | FileState::Deleting | FileState::Quarantined) | None => {
                    if self.canary_failed() {
                        return Ok(&[]);
                    }
                }
            }
        }
        Ok(&[])
    }

    /// Where the first file stands. An unknown outcome is looked at also where verification is off: left
    /// unknown, one bad file would stop this and every later sweep before the files behind it.
    async fn state_of_canary(
        &self,
        batch: &Batch,
        alone: &[FileId],
    ) -> Result<Option<FileState>, SweepError> {
        let state = async || -> Result<Option<FileState>, SweepError> {
            let states = self.engine.ledger.states(batch.key, alone).await?;
            Ok(states.first().map(|(_, state)| *state))
        };
        let found = state().await?;
        if found == Some(FileState::Unknown) && !self.way.settings.verify && self.halted().is_none() {
            self.second_look(batch, alone, None).await?;
            return state().await;
        }
        Ok(found)
    }

    async fn delete_chunks(&self, batch: &Batch, files: &[FileId]) -> Result<(), SweepError> {
        let mut rest = files;
        while !rest.is_empty() && self.halted().is_none() {
            let most = match batch.address.parent.module() {
                Module::Classification => self.chunk.load(Ordering::SeqCst),
                Module::Extraction => 1,
            };
            let (chunk, after) = rest.split_at(most.min(rest.len()));
            self.delete_list(batch, chunk.to_vec()).await?;
            rest = after;
        }
        Ok(())
    }

    async fn first_look(&self, batch: &Batch, targets: usize) -> Result<Before, SweepError> {
        let settings = &self.way.settings;
        if !settings.verify && !settings.linked_copies {
            return Ok(Before::NotAsked);
        }
        Ok(match self.way.remote.list(&batch.address).await {
            Listing::Files(listed) => {
                self.account_is_proven().await?;
                Before::There(listed)
            }
            Listing::NoBatch if self.believes_absence() => Before::NoBatch,
            Listing::NoBatch => {
                self.tally.add(|sum| sum.kept += targets as u64);
                self.leave_behind(targets);
                Before::Unclear
            }
            Listing::CannotTell { reason } => {
                tracing::warn!(batch.id = %batch.address.batch, files = targets, reason, "the batch cannot be looked at: left for the next sweep");
                self.tally.add(|sum| sum.kept += targets as u64);
                self.leave_behind(targets);
                self.note_failure(&reason).await?;
                Before::Unclear
            }
        })
    }

    /// Sorts out who is gone already and who is still being processed.
    async fn who_is_there(
        &self,
        batch: &Batch,
        targets: Vec<Target>,
        listed: &[ListedFile],
    ) -> Result<Vec<FileId>, SweepError> {
        let now = self.engine.clock.now();
        let (mut files, mut gone, mut pending) = (Vec::new(), Vec::new(), 0_u64);
        for target in targets {
            match listed.iter().find(|l| l.file == target.file) {
                None => gone.push(target.file),
                // A copy may still appear while processing lasts; past the deadline it is stuck.
                Some(l) if self.way.settings.linked_copies && l.is_pending() && now < target.deadline_at => {
                    pending += 1;
                }
                Some(_) => files.push(target.file),
            }
        }
        if pending > 0 {
            tracing::info!(batch.id = %batch.address.batch, files = pending, "still being processed: left for a later sweep");
            self.tally.add(|sum| sum.kept += pending);
        }
        self.gone_unasked(batch, gone, "not listed before the deletion")
            .await?;
        Ok(files)
    }

    /// Files that are missing although nobody asked for them: one look may be a slip of the API, and
    /// what is called gone is never asked for again. So a second one has to find the same.
    async fn gone_unasked(&self, batch: &Batch, files: Vec<FileId>, reason: &str) -> Result<(), SweepError> {
        if files.is_empty() || !self.pause(self.engine.settings.backoff).await {
            return Ok(());
        }
        let missing: Vec<FileId> = match self.way.remote.list(&batch.address).await {
            Listing::Files(listed) => {
                let there: HashSet<FileId> = listed.into_iter().map(|f| f.file).collect();
                files
                    .iter()
                    .filter(|file| !there.contains(*file))
                    .cloned()
                    .collect()
            }
            Listing::NoBatch => files.clone(),
            Listing::CannotTell { .. } => Vec::new(),
        };
        self.leave_behind(files.len() - missing.len());
        self.found_gone(batch, &missing, reason).await
    }

    async fn found_gone(&self, batch: &Batch, files: &[FileId], reason: &str) -> Result<(), SweepError> {
        if files.is_empty() {
            return Ok(());
        }
        let now = self.engine.clock.now();
        let moved = self
            .engine
            .ledger
            .note(batch.key, files, FileEvent::FoundGone, reason, now)
            .await?;
        self.tally.add(|sum| {
            if batch.is_copy {
                sum.copies += moved
            } else {
                sum.gone += moved
            }
        });
        Ok(())
    }

    /// Writes linked copies to the ledger, then deletes them, before their originals go: the ids of a
    /// copy are readable only while the original is there.
    async fn copies_first(
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

    /// Looks again: asked-for files gone, all others still there. `before` may be missing when the
    /// files' fate is probed after a crash: then only they are judged. Whether a look succeeded.
    pub(super) async fn second_look(
        &self,
        batch: &Batch,
        files: &[FileId],
        before: Option<&HashSet<FileId>>,
    ) -> Result<bool, SweepError> {
        let asked = self.asked(batch, files).await?;
        for look in 1..=LOOKS {
            if asked.is_empty() {
                return Ok(true);
            }
            if self.halted() == Some(Stop::Shutdown) {
                // The next start looks: an orderly end must not take longer than one request.
                return Ok(false);
            }
            let there: HashSet<FileId> = match self.way.remote.list(&batch.address).await {
                Listing::Files(listed) => listed.into_iter().map(|f| f.file).collect(),
                Listing::NoBatch if self.believes_absence() => HashSet::new(),
                Listing::NoBatch => return Ok(false),
                Listing::CannotTell { reason } => {
                    tracing::warn!(batch.id = %batch.address.batch, reason, "the deletion cannot be verified now");
                    continue;
                }
            };
            self.check_neighbours(batch, files, before, &there).await?;
            let lagging = asked
                .iter()
                .any(|(file, state)| *state != FileState::Unknown && there.contains(file));
            if lagging && look < LOOKS && self.pause(self.engine.settings.backoff).await {
                continue;
            }
            self.take_findings(batch, asked, &there).await?;
            return Ok(true);
        }
        self.leave_behind(asked.len());
        Ok(false)
    }

    /// The files whose fate a look can tell: those with a request behind them.
    async fn asked(&self, batch: &Batch, files: &[FileId]) -> Result<Vec<(FileId, FileState)>, SweepError> {
        let states = self.engine.ledger.states(batch.key, files).await?;
        Ok(states
            .into_iter()
            .filter(|(_, state)| match state {
                FileState::Deleted | FileState::Gone | FileState::Unknown => true,
                FileState::Live | FileState::Deleting | FileState::Quarantined => false,
            })
            .collect())
    }

    async fn check_neighbours(
        &self,
        batch: &Batch,
        files: &[FileId],
        before: Option<&HashSet<FileId>>,
        there: &HashSet<FileId>,
    ) -> Result<(), SweepError> {
        let Some(before) = before else { return Ok(()) };
        let missing: Vec<FileId> = before
            .iter()
            .filter(|file| !there.contains(*file) && !files.contains(file))
            .cloned()
            .collect();
        // A batch of copies can be swept for two originals side by side: what the other one asked for
        // has an intent in the ledger.
        let states = self.engine.ledger.states(batch.key, &missing).await?;
        let explained = |file: &FileId| {
            let untouched = |state: &FileState| matches!(state, FileState::Live | FileState::Quarantined);
            states
                .iter()
                .any(|(known, state)| known == file && !untouched(state))
        };
        let missing = missing.iter().filter(|file| !explained(file)).count();
        if missing == 0 {
            return Ok(());
        }
        let reason = format!(
            "{missing} file(s) of batch {} have vanished without being asked for while files beside them were deleted",
            batch.address
        );
        self.trip(BreakerKind::Collateral, &reason).await
    }

    async fn take_findings(
        &self,
        batch: &Batch,
        asked: Vec<(FileId, FileState)>,
        there: &HashSet<FileId>,
    ) -> Result<(), SweepError> {
        let ledger = &self.engine.ledger;
        let now = self.engine.clock.now();
        let (unknown, answered): (Vec<_>, Vec<_>) = asked
            .into_iter()
            .partition(|(_, state)| *state == FileState::Unknown);
        let findings: Vec<(FileId, Finding)> = answered
            .into_iter()
            .map(|(file, _)| {
                let finding = if there.contains(&file) {
                    Finding::StillThere
                } else {
                    Finding::Absent
                };
                (file, finding)
            })
            .collect();
        let (still, absent): (Vec<_>, Vec<_>) = findings
            .into_iter()
            .partition(|(_, finding)| *finding == Finding::StillThere);
        let verified = ledger.verified(batch.key, &absent, now).await?;
        ledger.verified(batch.key, &still, now).await?;
        self.tally.add(|sum| {
            if !batch.is_copy {
                sum.verified += verified;
                sum.deleted -= (still.len() as u64).min(sum.deleted);
            }
        });
        if !still.is_empty() {
            let still: Vec<FileId> = still.into_iter().map(|(file, _)| file).collect();
            tracing::error!(batch.id = %batch.address.batch, files = still.len(), "confirmed as deleted, but still listed");
            self.strike(batch, &still, 1, "confirmed as deleted, but still listed")
                .await?;
            // What is not given up is looked at again soon, not only at the next occurrence.
            self.leave_behind(self.asked(batch, &still).await?.len());
        }
        let (present, lost): (Vec<_>, Vec<_>) = unknown
            .into_iter()
            .map(|(f, _)| f)
            .partition(|f| there.contains(f));
        self.found_gone(
            batch,
            &lost,
            "the outcome was unknown; the file is not listed any more",
        )
        .await?;
        self.leave_behind(present.len());
        ledger
            .note(
                batch.key,
                &present,
                FileEvent::StillThere,
                "the outcome was unknown; still listed",
                now,
            )
            .await?;
        Ok(())
    }
}
