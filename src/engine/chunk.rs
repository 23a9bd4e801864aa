//! One list of files, whatever it takes: patience, halving, bisection.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::executor::concerns_list;
use super::gate::NOT_BEFORE;
use super::run::{BISECTION_REQUESTS, Batch, Run, Suspect};
use super::stop::Stop;
use super::sweep::SweepError;
use crate::model::{BreakerKind, FileId};
use crate::outcome::{Bisection, FileEvent, Outcome, Refusal};

/// Setting that remembers a smaller list size after a 413.
const CHUNK_SIZE: &str = "chunk.size";

/// A file refused so often on its own goes to an operator.
pub(super) const STRIKES: u32 = 3;

/// Tries of one list while nothing of it leaves the machine.
const UNSENT_TRIES: u32 = 3;

/// Tries of one list while the API says "later".
const WAIT_TRIES: u32 = 5;

/// One bad file of a thousand causes so many errors in a row on the way down; more are an outage, and
/// no file is to blame.
const ERRORS_OF_ONE_FILE: u32 = 10;

/// Waits up to this are sat out within the sweep; longer ones end it.
const LONGEST_WAIT_MS: i64 = 120_000;

/// How a list ended.
#[derive(Debug)]
enum End {
    /// Settled, or nothing left to ask for.
    Settled,
    /// Something in the list is refused.
    Refused { reason: String },
    /// The list is too long.
    TooLarge,
    /// 500: nobody knows.
    ServerError,
    /// The sweep has to stop.
    Halted,
}

impl Run<'_> {
    /// Deletes `files` of `batch`; what stays behind is in the ledger with its reason.
    pub(super) async fn delete_list(&self, batch: &Batch, files: Vec<FileId>) -> Result<(), SweepError> {
        let mut queue = VecDeque::from([files]);
        while let Some(list) = queue.pop_front() {
            if list.is_empty() {
                continue;
            }
            match self.patiently(batch, &list).await? {
                End::Settled => {}
                End::Halted => return Ok(()),
                End::TooLarge if list.len() > 1 => {
                    let half = list.len().div_ceil(2);
                    self.remember_chunk(half).await?;
                    let (left, right) = list.split_at(half);
                    queue.push_front(right.to_vec());
                    queue.push_front(left.to_vec());
                }
                End::TooLarge => self.strike(batch, &list, 1, "too large even alone").await?,
                End::Refused { reason } if list.len() > 1 => self.bisect(batch, list, &reason).await?,
                End::Refused { reason } => self.strike(batch, &list, 1, &reason).await?,
                End::ServerError => {
                    self.note_failure("HTTP 500").await?;
                    let suspect = Suspect {
                        batch: batch.clone(),
                        files: list,
                    };
                    self.suspects
                        .lock()
                        .expect("no holder of this lock panics")
                        .push(suspect);
                }
            }
        }
        Ok(())
    }

    /// Repeats a list while nothing is known to have been done: not sent, or "come back later".
    async fn patiently(&self, batch: &Batch, list: &[FileId]) -> Result<End, SweepError> {
        let (mut unsent, mut waits) = (0, 0);
        loop {
            self.keep_quiet().await;
            let _leave = self.room_to_delete().await;
            self.turn_to_delete().await;
            if !self.may_delete().await? {
                return Ok(End::Halted);
            }
            let Some(outcome) = self.attempt(batch, list).await? else {
                return Ok(End::Settled);
            };
            match outcome {
                Outcome::Confirmed { emptied_batch } => {
                    self.note_success();
                    self.check_emptied(batch, emptied_batch).await?;
                    return Ok(End::Settled);
                }
                Outcome::Gone => {
                    self.note_success();
                    return Ok(End::Settled);
                }
                Outcome::NotSent { reason } => {
                    unsent += 1;
                    if unsent >= UNSENT_TRIES {
                        self.trip(BreakerKind::Api, &format!("the API cannot be reached: {reason}"))
                            .await?;
                        return Ok(End::Halted);
                    }
                    self.back_off(unsent).await;
                }
                Outcome::Wait { millis } => {
                    waits += 1;
                    if !self.wait_for_api(millis, waits).await? {
                        return Ok(End::Halted);
                    }
                }
                Outcome::Refused(refusal) => return self.refused(refusal).await,
                Outcome::ServerError => return Ok(End::ServerError),
                Outcome::Unknown { reason } => {
                    if !self.way.settings.verify {
                        // No second look follows that could tell.
                        self.leave_behind(list.len());
                    }
                    self.note_failure(&reason).await?;
                    return Ok(End::Settled);
                }
            }
        }
    }

    async fn refused(&self, refusal: Refusal) -> Result<End, SweepError> {
        if concerns_list(&refusal) {
            self.note_success();
        }
        match refusal {
            Refusal::List { reason } => Ok(End::Refused { reason }),
            Refusal::TooLarge => Ok(End::TooLarge),
            Refusal::Auth { status } => {
                self.trip(
                    BreakerKind::Auth,
                    &format!("the API refuses the key (HTTP {status})"),
                )
                .await?;
                Ok(End::Halted)
            }
            Refusal::WrongAddress { reason } => {
                self.trip(
                    BreakerKind::Api,
                    &format!("this does not look like the API: {reason}"),
                )
                .await?;
                Ok(End::Halted)
            }
        }
    }

    async fn back_off(&self, tries: u32) {
        let wait = self.engine.settings.backoff * 2_u32.saturating_pow(tries);
        self.pause(wait.min(Duration::from_secs(60))).await;
    }

    /// Honours "later": short waits are sat out, long ones end the sweep. Whether to try again.
    async fn wait_for_api(&self, millis: Option<i64>, waits: u32) -> Result<bool, SweepError> {
        let own = i64::try_from(self.engine.settings.backoff.as_millis()).unwrap_or(1000) * 5;
        let wait = millis.unwrap_or_else(|| own.saturating_mul(1 << waits.min(6)));
        if wait <= LONGEST_WAIT_MS && waits <= WAIT_TRIES {
            tracing::info!(wait_ms = wait, "the API asks to wait");
            // All batches of the sweep wait, not only this one.
            self.quiet_for(Duration::from_millis(u64::try_from(wait).unwrap_or(0)));
            return Ok(true);
        }
        let now = self.engine.clock.now();
        let until = now.checked_add_millis(wait).unwrap_or(now);
        self.engine
            .ledger
            .set_setting(&self.setting(NOT_BEFORE), Some(&until.to_string()))
            .await?;
        self.halt(Stop::NotBefore { until });
        Ok(false)
    }

    /// What an earlier sweep found to be too long.
    pub(super) async fn learn_chunk(&self) -> Result<(), SweepError> {
        let size = self.engine.ledger.setting(&self.setting(CHUNK_SIZE)).await?;
        if let Some(size) = size.and_then(|text| text.parse::<usize>().ok()) {
            self.chunk.fetch_min(size.max(1), Ordering::SeqCst);
        }
        Ok(())
    }

    async fn remember_chunk(&self, size: usize) -> Result<(), SweepError> {
        tracing::warn!(size, "the API finds the list too long: smaller lists from now on");
        self.chunk.fetch_min(size.max(1), Ordering::SeqCst);
        self.engine
            .ledger
            .set_setting(&self.setting(CHUNK_SIZE), Some(&size.max(1).to_string()))
            .await?;
        Ok(())
    }

    /// Cuts a refused list until the bad files stand alone.
    pub(super) async fn bisect(
        &self,
        batch: &Batch,
        list: Vec<FileId>,
        reason: &str,
    ) -> Result<(), SweepError> {
        let mut bisection = Bisection::new(list);
        let mut last_reason = reason.to_owned();
        let mut errors_in_a_row = 0;
        while self.bisections.load(Ordering::SeqCst) < BISECTION_REQUESTS {
            let Some(part) = bisection.next_list() else { break };
            self.bisections.fetch_add(1, Ordering::SeqCst);
            match self.patiently(batch, &part).await? {
                End::Settled => {
                    errors_in_a_row = 0;
                    bisection.accepted();
                }
                End::Refused { reason } => {
                    last_reason = reason;
                    bisection.refused();
                }
                End::ServerError => {
                    errors_in_a_row += 1;
                    if errors_in_a_row > ERRORS_OF_ONE_FILE {
                        self.trip(BreakerKind::Api, "HTTP 500 for every part of a list")
                            .await?;
                        return Ok(());
                    }
                    "HTTP 500".clone_into(&mut last_reason);
                    bisection.refused();
                }
                End::TooLarge => bisection.refused(),
                End::Halted => return Ok(()),
            }
        }
        self.leave_behind(bisection.exhausted().len());
        // A file that ends up alone was part of every refused list on the way down.
        let bad = bisection.bad().to_vec();
        self.strike(batch, &bad, STRIKES, &last_reason).await
    }

    /// Counts refusals of single files; enough of them, and an operator has to look.
    pub(super) async fn strike(
        &self,
        batch: &Batch,
        files: &[FileId],
        by: u32,
        reason: &str,
    ) -> Result<(), SweepError> {
        if files.is_empty() {
            return Ok(());
        }
        let counts = self.engine.ledger.strike(batch.key, files, by, reason).await?;
        let given_up: Vec<FileId> = counts
            .into_iter()
            .filter(|(_, n)| *n >= STRIKES)
            .map(|(file, _)| file)
            .collect();
        if given_up.is_empty() {
            return Ok(());
        }
        let now = self.engine.clock.now();
        let moved = self
            .engine
            .ledger
            .note(batch.key, &given_up, FileEvent::GivenUp, reason, now)
            .await?;
        tracing::warn!(batch.id = %batch.address.batch, files = moved, reason, "quarantined: `retentiond quarantine list` shows them");
        self.tally.add(|sum| sum.quarantined += moved);
        Ok(())
    }

    /// `deleteAll: true` is an alarm unless the ledger agrees that nothing else was in the batch.
    async fn check_emptied(&self, batch: &Batch, emptied: bool) -> Result<(), SweepError> {
        if emptied && self.engine.ledger.batch_is_live(batch.key).await? {
            let reason = format!(
                "the API says that it emptied batch {}, in which the ledger knows files that nobody asked to delete",
                batch.address
            );
            self.trip(BreakerKind::Collateral, &reason).await?;
        }
        Ok(())
    }
}
