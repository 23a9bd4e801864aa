//! One batch: look → second copies → delete → look again.
//!
//! The first look harvests linked copies durably and notes who is there; the second must find the
//! asked-for files gone and **all others still there**.

mod copies;
mod looks;

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use self::looks::Before;
use super::run::{Batch, Run};
use super::stop::Stop;
use super::sweep::SweepError;
use crate::extracta::remote::ListedFile;
use crate::model::{FileId, FileState, Module, Timestamp};

/// A file to delete in this batch.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) file: FileId,
    pub(super) deadline_at: Timestamp,
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
}
