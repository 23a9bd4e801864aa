//! Looks before and after: who is there, who has gone unasked, and that the asked-for files are gone and **all others
//! still there**.

use std::collections::HashSet;

use super::Target;
use crate::engine::run::{Batch, Run};
use crate::engine::stop::Stop;
use crate::engine::sweep::SweepError;
use crate::extracta::remote::{ListedFile, Listing};
use crate::model::{BreakerKind, FileId, FileState, Finding};
use crate::outcome::FileEvent;

/// Looks after a deletion before "still listed" is believed: the listing may lag.
const LOOKS: u32 = 3;

/// What the first look says.
pub(super) enum Before {
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
    pub(super) async fn first_look(&self, batch: &Batch, targets: usize) -> Result<Before, SweepError> {
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
    pub(super) async fn who_is_there(
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
    pub(super) async fn gone_unasked(
        &self,
        batch: &Batch,
        files: Vec<FileId>,
        reason: &str,
    ) -> Result<(), SweepError> {
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

    /// Looks again: asked-for files gone, all others still there. `before` may be missing when the
    /// files' fate is probed after a crash: then only they are judged. Whether a look succeeded.
    pub(in crate::engine) async fn second_look(
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
