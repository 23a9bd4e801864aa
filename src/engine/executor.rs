//! Claim → call → settle: the only place that drives ledger and remote together.
//!
//! The intent is durable before the first byte leaves, the outcome is written after it, and no
//! transaction lasts across HTTP. One call of [`Run::attempt`] makes at most one delete request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::change::agrees;
use super::progress::Progress;
use super::run::{Batch, Run};
use super::sweep::SweepError;
use super::throttle::Sign;
use crate::extracta::remote::{DeleteExtractionFile, DeleteFiles};
use crate::ledger::{Claim, ClaimRequest, LedgerError, Settlement};
use crate::model::{AttemptId, AttemptKind, FileId, FileRecord, Holds, Module, Parent, Timestamp};
use crate::outcome::{FileEvent, Outcome, Refusal, Reply, interpret_delete, interpret_extraction_delete};
use crate::rules::check;
use crate::rules::decide::decide;

/// An outcome that cannot be written is tried again so often before the file is left as it is (and
/// found as an orphan later).
const SETTLE_TRIES: u32 = 6;

impl Run<'_> {
    /// One request for `files` of `batch`, and what its answer means; `None` when the claim left nothing to ask for.
    ///
    /// An extraction batch takes one file at a time: its call has no list.
    pub(super) async fn attempt(
        &self,
        batch: &Batch,
        files: &[FileId],
    ) -> Result<Option<Outcome>, SweepError> {
        let late = Mutex::new(Vec::new());
        let asked = self.engine.clock.mark().boottime_ms;
        let Some(claim) = self.claim(batch, files, &late).await? else {
            return Ok(None);
        };
        self.note_kept(batch, &claim);
        let Some(attempt) = claim.attempt else {
            return Ok(None);
        };
        let span_len = claim.files.len();
        tracing::debug!(
            sweep.id = self.sweep.0,
            attempt = attempt.0,
            chunk.len = span_len,
            "intent committed"
        );
        let begun = tokio::time::Instant::now();
        let (reply, outcome) = self.send(batch, &claim, asked).await;
        self.throttle.heard(sign_of(&outcome), begun.elapsed());
        let outcome = self.doubt_absence(outcome);
        if !self.settle(attempt, &claim, &reply, &outcome).await? {
            // Whoever took them over may have found them there.
            self.leave_behind(claim.files.len());
            return Ok(None);
        }
        if matches!(outcome, Outcome::Confirmed { .. }) {
            // After the outcome: nothing may come between an answer and its record.
            self.account_is_proven().await?;
        }
        self.count(
            batch,
            &claim.files,
            &outcome,
            &late.into_inner().unwrap_or_default(),
        );
        Ok(Some(outcome))
    }

    /// The intent; `None` when the clock is not to be believed any more, or the policy's window has closed.
    async fn claim(
        &self,
        batch: &Batch,
        files: &[FileId],
        late: &Mutex<Vec<FileId>>,
    ) -> Result<Option<Claim>, SweepError> {
        let Some(mark) = self.trusted_mark().await? else {
            return Ok(None);
        };
        let now = mark.wall;
        let request = ClaimRequest {
            sweep: self.sweep,
            kind: batch.kind(),
            batch: batch.key,
            files,
            at: now,
            boottime_ms: mark.boottime_ms,
            budget: self.budget,
        };
        let permit = |file: &FileRecord, holds: &Holds| self.permit(file, holds, now, late);
        for tries in 1.. {
            // At every intent, not only where a chunk begins: a sweep may last longer than its window.
            if self.closes().is_some() {
                return Ok(None);
            }
            match self.engine.ledger.claim(&request, &permit).await {
                // Another process writes (a big `record`): nothing was sent, so waiting costs nothing.
                Err(LedgerError::Busy) if tries < SETTLE_TRIES => {
                    self.pause(self.engine.settings.backoff * tries).await;
                }
                // Other rules were adopted just now: the sweep stops, and has not failed.
                Err(LedgerError::Conflict { .. }) if self.look_around().await?.is_some() => return Ok(None),
                outcome => return Ok(Some(outcome?)),
            }
        }
        Ok(None)
    }

    /// Decides again, inside the claiming transaction, by both roads.
    fn permit(
        &self,
        file: &FileRecord,
        holds: &Holds,
        now: Timestamp,
        late: &Mutex<Vec<FileId>>,
    ) -> Result<(), String> {
        let decision = decide(file, self.rules, holds, now);
        self.takes(&decision)?;
        if !agrees(self.rules, file, holds, now, self.purpose()) {
            return Err("it stays under the changed rules that wait".to_owned());
        }
        let sets = std::iter::once(self.rules).chain(self.rules.awaiting.as_deref());
        for rules in sets {
            check::permits(file, rules, holds, now, self.purpose())
                .map_err(|violation| violation.to_string())?;
        }
        if decision.deadline_at.is_some_and(|deadline| deadline < now) {
            late.lock()
                .expect("no holder of this lock panics")
                .push(file.key.file.clone());
        }
        Ok(())
    }

    /// The request for a claim, for which was asked at `asked` (a reading of the second clock).
    async fn send(&self, batch: &Batch, claim: &Claim, asked: i64) -> (Reply, Outcome) {
        let files = claim.files.as_slice();
        let passed = self.engine.clock.mark().boottime_ms.saturating_sub(asked);
        let reply = match &batch.address.parent {
            _ if batch.address.account.as_ref() != self.account => Reply::NotSent {
                reason: "the batch is another account's".to_owned(),
            },
            _ if claim
                .good_for
                .is_some_and(|trust| i128::from(passed) > trust.as_millis().cast_signed()) =>
            {
                // Others may have taken the files over by now.
                Reply::NotSent {
                    reason: "the lease ran out before the request was sent".to_owned(),
                }
            }
            Parent::Classification(id) => {
                match DeleteFiles::new(id.clone(), batch.address.batch.clone(), files.to_vec()) {
                    Ok(request) => self.way.remote.delete_files(&request).await,
                    Err(invalid) => Reply::NotSent {
                        reason: invalid.to_string(),
                    },
                }
            }
            Parent::Extraction(id) => match files {
                [file] => {
                    let request = DeleteExtractionFile {
                        extraction: id.clone(),
                        batch: batch.address.batch.clone(),
                        file: file.clone(),
                    };
                    self.way.remote.delete_extraction_file(&request).await
                }
                _ => Reply::NotSent {
                    reason: "deleteExtraction takes exactly one file".to_owned(),
                },
            },
        };
        let outcome = match batch.address.parent.module() {
            Module::Classification => interpret_delete(&reply, files.len()),
            Module::Extraction => interpret_extraction_delete(&reply),
        };
        (reply, outcome)
    }

    /// "Does not exist" from an account that has proven nothing is only a refusal.
    fn doubt_absence(&self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Gone if !self.believes_absence() => Outcome::Refused(Refusal::List {
                reason: "does not exist, says an account that has not shown any batch of this ledger"
                    .to_owned(),
            }),
            Outcome::Confirmed { .. }
            | Outcome::Gone
            | Outcome::NotSent { .. }
            | Outcome::Refused(_)
            | Outcome::Wait { .. }
            | Outcome::ServerError
            | Outcome::Unknown { .. } => outcome,
        }
    }

    /// Writes the outcome, patiently: the deletion may have happened, so giving up loses knowledge. `false` where
    /// another process has called this one dead meanwhile: the outcome is unknown by then, and a look tells.
    async fn settle(
        &self,
        attempt: AttemptId,
        claim: &Claim,
        reply: &Reply,
        outcome: &Outcome,
    ) -> Result<bool, SweepError> {
        let event = event_of(outcome);
        let settlement = Settlement {
            at: self.engine.clock.now(),
            outcome: outcome.label(),
            http_status: reply.status(),
            detail: outcome.reason().map(str::to_owned),
            files: claim.files.iter().map(|file| (file.clone(), event)).collect(),
        };
        let mut wait = self.engine.settings.backoff;
        for attempt_no in 1.. {
            match self.engine.ledger.settle(attempt, &settlement).await {
                Ok(()) => return Ok(true),
                Err(LedgerError::Conflict { what, problem }) if claim.good_for.is_some() => {
                    tracing::warn!(
                        attempt = attempt.0,
                        what,
                        problem,
                        outcome = outcome.label(),
                        "the outcome came too late: another process has taken these files over"
                    );
                    return Ok(false);
                }
                Err(LedgerError::Busy | LedgerError::NotWritable { .. }) if attempt_no < SETTLE_TRIES => {
                    tracing::warn!(
                        attempt = attempt.0,
                        "the outcome cannot be written yet; trying again"
                    );
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn note_kept(&self, batch: &Batch, claim: &Claim) {
        if claim.kept.is_empty() {
            return;
        }
        for (file, reason) in &claim.kept {
            tracing::debug!(sweep.id = self.sweep.0, file.id = %file, reason, "kept at the claim");
        }
        let kept = claim.kept.len();
        tracing::info!(sweep.id = self.sweep.0, batch.id = %batch.address.batch, kept, "files kept at the claim");
        self.tally.add(|sum| sum.kept += kept as u64);
    }

    fn count(&self, batch: &Batch, files: &[FileId], outcome: &Outcome, late: &[FileId]) {
        let n = files.len() as u64;
        let was_late = files.iter().filter(|file| late.contains(file)).count() as u64;
        self.tally.add(|sum| {
            sum.requests += 1;
            if batch.is_copy {
                sum.copies += u64::from(matches!(outcome, Outcome::Confirmed { .. } | Outcome::Gone)) * n;
                return;
            }
            sum.sent += n;
            match outcome {
                Outcome::Confirmed { .. } => {
                    sum.deleted += n;
                    sum.late += was_late;
                }
                Outcome::Gone => sum.gone += n,
                Outcome::NotSent { .. }
                | Outcome::Refused(_)
                | Outcome::Wait { .. }
                | Outcome::ServerError
                | Outcome::Unknown { .. } => {}
            }
        });
        let of = |is: bool| if is { n } else { 0 };
        self.engine.settings.progress.tell(Progress::Settled {
            outcome: outcome.label(),
            deleted: of(matches!(outcome, Outcome::Confirmed { .. })),
            gone: of(matches!(outcome, Outcome::Gone)),
        });
        let so_far = self.tally.read();
        self.engine.settings.progress.tell(Progress::Deleting {
            files: so_far.deleted + so_far.gone,
            of: so_far.due,
        });
        tracing::info!(
            sweep.id = self.sweep.0,
            policy = %self.policy,
            batch.id = %batch.address.batch,
            chunk.len = n,
            outcome = outcome.label(),
            "delete request settled"
        );
    }
}

/// What an outcome says about how busy the API is.
const fn sign_of(outcome: &Outcome) -> Sign {
    match outcome {
        Outcome::Wait { .. } => Sign::TooMany,
        Outcome::Confirmed { .. } | Outcome::Gone | Outcome::Refused(_) | Outcome::ServerError => {
            Sign::Answered
        }
        Outcome::NotSent { .. } | Outcome::Unknown { .. } => Sign::None,
    }
}

/// What an outcome does to each file asked for.
const fn event_of(outcome: &Outcome) -> FileEvent {
    match outcome {
        Outcome::Confirmed { .. } => FileEvent::Confirmed,
        Outcome::Gone => FileEvent::FoundGone,
        Outcome::NotSent { .. } | Outcome::Wait { .. } | Outcome::Refused(_) => FileEvent::Released,
        Outcome::ServerError | Outcome::Unknown { .. } => FileEvent::Lost,
    }
}

impl Batch {
    /// The call that deletes from this batch.
    pub(super) fn kind(&self) -> AttemptKind {
        match self.address.parent.module() {
            Module::Classification => AttemptKind::DeleteFiles,
            Module::Extraction => AttemptKind::DeleteExtraction,
        }
    }

    /// A batch as a file record names it.
    pub(super) fn of(file: &FileRecord) -> Self {
        Self {
            key: file.key.batch,
            address: Arc::clone(&file.batch),
            is_copy: file.copy_of.is_some(),
        }
    }
}

/// Whether a refusal is about the list itself, so that a smaller list may pass.
pub(super) const fn concerns_list(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::List { .. } | Refusal::TooLarge => true,
        Refusal::Auth { .. } | Refusal::WrongAddress { .. } => false,
    }
}
