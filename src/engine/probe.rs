//! Unknown outcomes are probed: nothing stays in doubt that a look can settle.

use super::run::{Batch, Run};
use super::sweep::{Engine, SweepError};
use crate::ledger::LedgerError;
use crate::model::{FileId, FileRecord, FileState};

/// Deletions older than this that nobody could look at stay unverified, and the record says so.
const LOOK_BACK_MS: i64 = 7 * 86_400_000;

/// Unknown files looked at in one sweep, at most; the rest next time.
const PAGE: u32 = 5_000;

impl Engine {
    /// Recent deletions without a second look; none, where looks are switched off.
    pub(super) async fn unverified(&self, run: &Run<'_>, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        if !run.way.settings.verify {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let since = now.checked_add_millis(-LOOK_BACK_MS).unwrap_or(now);
        self.ledger.unverified(since, page).await
    }
}

impl Run<'_> {
    /// Looks at every batch with unknown files: gone ones become `gone`, present ones `live` again.
    pub(super) async fn probe_unknown(&self) -> Result<(), SweepError> {
        let unknown = self.engine.ledger.unknown_in(self.account, PAGE).await?;
        self.look_at(unknown).await?;
        // What was found there is planned anew; only what is still unknown stays behind.
        let still = self.engine.ledger.unknown_in(self.account, PAGE).await?.len();
        self.left_behind_so_far(still as u64);
        Ok(())
    }

    /// Looks at confirmed deletions whose second look a crash or an unclear listing prevented.
    pub(super) async fn look_at_unverified(&self) -> Result<(), SweepError> {
        let files = self.engine.unverified(self, PAGE).await?;
        self.look_at(files).await
    }

    pub(super) async fn look_at(&self, mut files: Vec<FileRecord>) -> Result<(), SweepError> {
        // With this key nothing can be seen of another account.
        files.retain(|file| file.batch.account.as_ref() == self.account);
        files.sort_by(|a, b| a.key.cmp(&b.key));
        for group in files.chunk_by(|a, b| a.key.batch == b.key.batch) {
            if self.look_around().await?.is_some() {
                return Ok(());
            }
            self.probe_batch(group).await?;
        }
        Ok(())
    }

    async fn probe_batch(&self, group: &[FileRecord]) -> Result<(), SweepError> {
        let Some(first) = group.first() else { return Ok(()) };
        let files: Vec<FileId> = group.iter().map(|file| file.key.file.clone()).collect();
        tracing::info!(batch.id = %first.batch.batch, files = files.len(), "looking at earlier requests");
        self.second_look(&Batch::of(first), &files, None).await?;
        Ok(())
    }

    /// Lists answered by 500 are cut in two once other lists have succeeded: one file may be the cause.
    pub(super) async fn settle_suspects(&self) -> Result<(), SweepError> {
        let suspects = std::mem::take(&mut *self.suspects.lock().expect("no holder of this lock panics"));
        let others_succeed = self.tally.read().deleted > 0;
        for suspect in suspects {
            if self.halted().is_some() {
                return Ok(());
            }
            let looked = self.second_look(&suspect.batch, &suspect.files, None).await?;
            match suspect.files.as_slice() {
                // The API answers, only not for this file.
                [_] if looked => self.strike(&suspect.batch, &suspect.files, 1, "HTTP 500").await?,
                _ if others_succeed => {
                    self.take_up(&suspect.batch, &suspect.files).await?;
                    self.bisect(&suspect.batch, suspect.files.clone(), "HTTP 500")
                        .await?;
                    self.second_look(&suspect.batch, &suspect.files, None).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Files that a look has left behind are asked for again in this sweep after all.
    async fn take_up(&self, batch: &Batch, files: &[FileId]) -> Result<(), SweepError> {
        let states = self.engine.ledger.states(batch.key, files).await?;
        let open = states
            .iter()
            .filter(|(_, state)| matches!(state, FileState::Live | FileState::Unknown));
        let open = open.count() as u64;
        self.left_behind_so_far(self.left_so_far().saturating_sub(open));
        Ok(())
    }
}
