//! Unknown outcomes are probed: nothing stays in doubt that a look can settle.

use super::run::{Batch, Run};
use super::sweep::SweepError;
use crate::model::{FileId, FileRecord};

/// Unknown files looked at in one sweep, at most; the rest next time.
const PAGE: u32 = 5_000;

impl Run<'_> {
    /// Looks at every batch with unknown files: gone ones become `gone`, present ones `live` again.
    pub(super) async fn probe_unknown(&self) -> Result<(), SweepError> {
        let mut unknown = self.engine.ledger.unknown(PAGE).await?;
        unknown.sort_by(|a, b| a.key.cmp(&b.key));
        for group in unknown.chunk_by(|a, b| a.key.batch == b.key.batch) {
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
        tracing::info!(batch.id = %first.batch.batch, files = files.len(), "probing unknown outcomes");
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
                    self.bisect(&suspect.batch, suspect.files.clone(), "HTTP 500").await?;
                    self.second_look(&suspect.batch, &suspect.files, None).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
