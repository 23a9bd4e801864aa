//! A plan is carried out: batch after batch until the canary has sung, then side by side; where other processes are on
//! the same ledger, by all of them.
//!
//! Whoever has opened and planned a sweep leads it. Once its canary has sung, and somebody else is there or comes later, the
//! leader puts the rest where others find it, and everybody, the leader too, takes one part after the other. The leader waits for the last, adds up what
//! was counted and closes the sweep. Nothing is safer or less safe for it: every file is claimed as ever.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::batch::Target;
use super::batches::ByBatch;
use super::run::{Batch, Run};
use super::stop::Stop;
use super::sweep::{Engine, SweepError};
use crate::ledger::{LedgerError, Offer, PART_FILES, Part, Peer, TakenPart};
use crate::model::{BatchKey, FileId, FileState, Timestamp};
use crate::rules::plan::Plan;

/// Files in one offer, about.
const PAGE: usize = 10_000;

/// How often the leader looks whether the parts of the others are done.
const LOOK: Duration = Duration::from_millis(300);

/// How often who sweeps alone looks whether somebody has come.
const LOOK_FOR_OTHERS: Duration = Duration::from_secs(5);

/// Files of an interrupted process looked at by the leader of a sweep, at most; the rest next time.
const ORPHANS: u32 = 5_000;

impl Engine {
    /// Batch after batch until one deletion has been verified, then side by side.
    pub(super) async fn execute(&self, run: &Run<'_>, plan: &Plan) -> Result<(), SweepError> {
        let batches = ByBatch::new(plan, run.account);
        let mut left = 0..batches.count();
        while !run.has_canary() && run.halted().is_none() {
            let Some(at) = left.next() else {
                break;
            };
            let (batch, targets) = batches.get(at);
            run.sweep_batch(&batch, targets).await?;
        }
        if run.has_canary() {
            self.with_whoever_is_there(run, &batches, left).await?;
        }
        run.settle_suspects().await?;
        self.await_others(run).await?;
        match &run.approval {
            Some(hash) if run.halted().is_none() && run.incomplete().is_none() => {
                Ok(self.ledger.use_up(hash, run.sweep, self.clock.now()).await?)
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Alone while nobody else is alive on this ledger; what is left when somebody comes is shared.
    async fn with_whoever_is_there(
        &self,
        run: &Run<'_>,
        batches: &ByBatch<'_>,
        mut left: Range<usize>,
    ) -> Result<(), SweepError> {
        // Whoever helps goes by the account of the policy, and requests have several.
        let may_share = !(run.account.is_some() && run.is_of_requests());
        while !left.is_empty() {
            if may_share && run.halted().is_none() {
                let alone = self.offer(run, batches, left.clone()).await?;
                if alone.start > left.start {
                    run.with_others.store(true, Ordering::SeqCst);
                    self.lead(run).await?;
                }
                left = alone;
            }
            let somebody = AtomicBool::new(false);
            let next = std::iter::from_fn(|| match somebody.load(Ordering::SeqCst) {
                true => None,
                false => left.next(),
            });
            let watch = async {
                loop {
                    tokio::time::sleep(LOOK_FOR_OTHERS).await;
                    somebody.store(may_share && self.has_others().await, Ordering::SeqCst);
                }
            };
            // What is under way is never dropped: the watch has no end.
            tokio::select! {
                outcome = self.side_by_side(run, batches, next) => outcome?,
                () = watch => {}
            }
        }
        Ok(())
    }

    /// Where it cannot be told, nobody has come so far.
    async fn has_others(&self) -> bool {
        match self.ledger.peers().await {
            Ok(peers) => peers.iter().any(Peer::is_living_other),
            Err(error) => {
                tracing::debug!(%error, "whether other processes are on the ledger cannot be told now");
                false
            }
        }
    }

    /// An error in one batch stops the sweep, but the requests under way are let finish and their
    /// outcomes are written: a dropped answer is a lost one.
    async fn side_by_side(
        &self,
        run: &Run<'_>,
        batches: &ByBatch<'_>,
        left: impl Iterator<Item = usize> + Send,
    ) -> Result<(), SweepError> {
        let mut outcomes = stream::iter(left)
            .map(|at| async move {
                let (batch, targets) = batches.get(at);
                let outcome = run.sweep_batch(&batch, targets).await;
                if outcome.is_err() {
                    run.halt(Stop::Shutdown);
                }
                outcome
            })
            .buffer_unordered(run.way.settings.concurrency);
        let mut first = Ok(());
        while let Some(outcome) = outcomes.next().await {
            first = first.and(outcome);
        }
        first
    }

    /// Puts these batches where others find them, page by page. Gives those that nobody else is there for.
    async fn offer(
        &self,
        run: &Run<'_>,
        batches: &ByBatch<'_>,
        mut left: Range<usize>,
    ) -> Result<Range<usize>, SweepError> {
        let offer = Offer {
            sweep: run.sweep,
            budget: run.budget,
        };
        while !left.is_empty() {
            let (mut parts, mut files, mut end) = (Vec::new(), 0, left.start);
            while files < PAGE && end < left.end {
                let (batch, targets) = batches.get(end);
                files += targets.len();
                parts.extend(targets.chunks(PART_FILES).map(|page| part_of(&batch, page)));
                end += 1;
            }
            if !self.ledger.offer(&offer, &parts).await? {
                break;
            }
            left.start = end;
        }
        Ok(left)
    }

    /// Works at the parts with the others, until all are done or the sweep is stopped.
    async fn lead(&self, run: &Run<'_>) -> Result<(), SweepError> {
        tracing::info!(sweep.id = run.sweep.0, policy = %run.policy, "the rest of the sweep is shared with other processes");
        let mut waiting = true;
        while run.halted().is_none() {
            let taken = match waiting {
                true => self.take_parts(run, None, None).await?,
                false => 0,
            };
            let left = self.ledger.parts_left(run.sweep).await?;
            if left.waiting + left.under_way == 0 {
                break;
            }
            waiting = left.waiting > 0;
            // Others are at work: what stops them stops the wait for them.
            if taken == 0 && !(run.may_delete().await? && run.pause(LOOK).await) {
                break;
            }
        }
        let left = self.add_up(run).await?;
        run.leave_behind(usize::try_from(left).unwrap_or(usize::MAX));
        self.settle_orphans(run).await
    }

    /// A sweep that another process led: who still works at a part of it ends that, what else is left of the parts is
    /// planned anew.
    pub(super) async fn take_over(&self, run: &Run<'_>) -> Result<(), SweepError> {
        loop {
            self.ledger.withdraw(run.sweep).await?;
            let left = self.ledger.parts_left(run.sweep).await?;
            if left.waiting + left.under_way == 0 || !run.may_delete().await? || !run.pause(LOOK).await {
                break;
            }
        }
        self.add_up(run).await?;
        Ok(())
    }

    /// What others have asked for in this sweep and not written down: no sweep is over before their answers are, or
    /// their leases. Whoever dies meanwhile leaves an orphan, and a look tells.
    pub(super) async fn await_others(&self, run: &Run<'_>) -> Result<(), SweepError> {
        let asked = self.ledger.asked_by_others(run.sweep).await?;
        if asked.is_empty() {
            return Ok(());
        }
        run.with_others.store(true, Ordering::SeqCst);
        tracing::info!(sweep.id = run.sweep.0, policy = %run.policy, "waiting for what other processes have asked for");
        while run.may_delete().await? && run.pause(LOOK).await {
            self.recover().await?;
            if self.ledger.asked_by_others(run.sweep).await?.is_empty() {
                break;
            }
        }
        let left = run.left_so_far();
        self.settle_orphans(run).await?;
        let mut open = 0;
        for (batch, files) in asked {
            open += self.open_files(batch, &files).await?.len() as u64;
        }
        // The look may have counted them too.
        run.left_behind_so_far(run.left_so_far().max(left + open));
        Ok(())
    }

    /// Counts what was done at the parts of this sweep, ours and those of others, and takes away what is left of
    /// them. Gives the files that were left undone at those that are done.
    async fn add_up(&self, run: &Run<'_>) -> Result<u64, SweepError> {
        let (sum, left) = self.ledger.parts_done(run.sweep).await?;
        run.tally.add(|so_far| so_far.add(&sum));
        self.ledger.clear_parts(run.sweep).await?;
        Ok(left)
    }

    /// What somebody who died in the middle of a part had asked for: a look tells what became of it.
    async fn settle_orphans(&self, run: &Run<'_>) -> Result<(), SweepError> {
        if run.halted().is_none() {
            self.recover().await?;
            run.look_at(self.ledger.unknown_in(run.account, ORPHANS).await?)
                .await?;
        }
        Ok(())
    }

    /// One part after the other, side by side, beginning with `first`; no new one after `until`. Gives how many were
    /// done.
    pub(super) async fn take_parts(
        &self,
        run: &Run<'_>,
        first: Option<TakenPart>,
        until: Option<Instant>,
    ) -> Result<u64, SweepError> {
        let workers = run.way.settings.concurrency.max(1);
        let begin = std::iter::once(first).chain(std::iter::repeat_with(|| None));
        let mut workers = stream::iter(begin.take(workers))
            .map(|first| async move {
                let outcome = self.one_after_the_other(run, first, until).await;
                if outcome.is_err() {
                    run.halt(Stop::Shutdown);
                }
                outcome
            })
            .buffer_unordered(workers);
        let mut outcome = Ok(0);
        while let Some(ended) = workers.next().await {
            outcome = outcome.and_then(|before| ended.map(|done| before + done));
        }
        if run.halted().is_some()
            && let Err(error) = self.ledger.give_parts_back().await
        {
            tracing::warn!(%error, "parts of a sweep cannot be given back now; the next turn does it");
        }
        outcome
    }

    async fn one_after_the_other(
        &self,
        run: &Run<'_>,
        mut next: Option<TakenPart>,
        until: Option<Instant>,
    ) -> Result<u64, SweepError> {
        let mut done = 0;
        loop {
            let part = match next.take() {
                Some(part) => Some(part),
                None if until.is_some_and(|until| Instant::now() >= until) => None,
                None if !run.may_delete().await? => None,
                None => match self.ledger.take_part(Some(run.sweep), &run.rules.digest).await {
                    // Our own claim is at the row of our seat.
                    Err(LedgerError::Busy) if run.pause(LOOK).await => continue,
                    taken => taken?,
                },
            };
            let Some(part) = part else {
                return Ok(done);
            };
            self.work_at(run, &part).await?;
            done += 1;
        }
    }

    async fn work_at(&self, run: &Run<'_>, taken: &TakenPart) -> Result<(), SweepError> {
        let part = run.part();
        let batch = Batch {
            key: taken.part.batch,
            address: Arc::clone(&taken.address),
            is_copy: false,
        };
        let mut files = taken.part.files.clone();
        if taken.takes > 1 {
            // Somebody began it. Of what that one asked for and did not hear, a look of the leader tells.
            let ids: Vec<FileId> = files.iter().map(|(file, _)| file.clone()).collect();
            let open = self.open_files(batch.key, &ids).await?;
            files.retain(|(file, _)| {
                open.iter()
                    .any(|(known, state)| known == file && *state != FileState::Deleting)
            });
        }
        tracing::debug!(
            sweep.id = run.sweep.0,
            part = taken.id,
            files = files.len(),
            "a part is begun"
        );
        if !files.is_empty() {
            part.sweep_batch(&batch, files.into_iter().map(target).collect())
                .await?;
            part.settle_suspects().await?;
        }
        let counted = part.tally.read();
        let ended = match run.halted() {
            // What stops us need not stop the others.
            Some(_) => self.ledger.hand_on(taken.id, &counted).await,
            None => {
                let left = part.left_so_far();
                self.ledger.end_part(taken.id, &counted, left).await
            }
        };
        match ended {
            Err(LedgerError::Conflict { .. }) => {
                tracing::warn!(
                    sweep.id = run.sweep.0,
                    part = taken.id,
                    "another process has taken this part over meanwhile: what was done of it is counted from the record"
                );
                Ok(())
            }
            ended => Ok(ended?),
        }
    }

    /// Those that are neither over nor given up.
    async fn open_files(
        &self,
        batch: BatchKey,
        files: &[FileId],
    ) -> Result<Vec<(FileId, FileState)>, SweepError> {
        let mut states = self.ledger.states(batch, files).await?;
        states.retain(|(_, state)| match state {
            FileState::Live | FileState::Deleting | FileState::Unknown => true,
            FileState::Deleted | FileState::Gone | FileState::Quarantined => false,
        });
        Ok(states)
    }
}

fn part_of(batch: &Batch, targets: &[Target]) -> Part {
    let file = |target: &Target| (target.file.clone(), target.deadline_at);
    Part {
        batch: batch.key,
        files: targets.iter().map(file).collect(),
    }
}

fn target((file, deadline_at): (FileId, Timestamp)) -> Target {
    Target { file, deadline_at }
}
