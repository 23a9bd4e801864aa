//! The trigger: wakes the daemon when a policy is due to be swept.
//!
//! Between the schedules (`rules::schedule`, which compute every instant in the policy's zone) and
//! the daemon's loop, which sweeps. A thin layer over tokio-cron-scheduler: the crate gives the half
//! second beat and one job a policy; **when** a job is due is decided on our own [`board`], because
//! the crate's arithmetic keeps the UTC offset of the day a job was made. This room must not know
//! what a sweep is: a wake is a nudge, and may come twice after the clock was set back. Identity of an
//! occurrence, overlap and catch-up are settled in the ledger.

mod board;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::{
    Job, JobScheduler, JobSchedulerError, SimpleJobCode, SimpleNotificationCode, SimpleNotificationStore,
};

use crate::model::{PolicyName, Timestamp};

use board::{Board, Slot};
use store::BoardStore;

/// The next occurrence strictly after the given instant; `None` when there is none.
///
/// Pure and quick: it is called under the board's lock. It must not panic.
pub type NextOccurrence = Arc<dyn Fn(Timestamp) -> Option<Timestamp> + Send + Sync>;

/// The wall clock, as the daemon's clock tells it.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A pattern that the crate accepts. It decides nothing: see [`store`].
const PLACEHOLDER: &str = "0 0 0 * * *";

/// Room in the crate's channels. What does not fit is lost there and offered again half a second
/// later, with an error line each: so keep it above the number of policies that anybody writes.
const CHANNEL_SIZE: usize = 1024;

/// The crate answers additions and removals within microseconds; if one of its tasks has ended, never.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One policy and its occurrences.
#[derive(Clone)]
pub struct Entry {
    /// The policy to wake for.
    pub policy: PolicyName,
    /// Its occurrences.
    pub next: NextOccurrence,
}

/// An occurrence of this policy has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// The policy to sweep.
    pub policy: PolicyName,
}

/// Why the trigger could not be set. The occurrences in force before stay in force.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// The scheduler refused: the daemon cannot run without it.
    #[error("the scheduler cannot {step}")]
    Refused {
        /// What was asked of it.
        step: &'static str,
        /// The crate's reason.
        #[source]
        source: JobSchedulerError,
    },
    /// The scheduler does not answer: only a restart helps.
    #[error("the scheduler did not {step} within {} s", ANSWER_WITHIN.as_secs())]
    Silent {
        /// What was asked of it.
        step: &'static str,
    },
}

/// A running trigger. It beats until [`Trigger::stop`] or the end of the runtime.
pub struct Trigger {
    scheduler: JobScheduler,
    board: Arc<Board>,
}

impl Trigger {
    /// Starts to wake: for each entry a [`Wake`] at most half a second after each instant that its `next`
    /// gives, counted from now. Occurrences that were missed before are not made up for here.
    ///
    /// A full channel means that a wake is waiting anyway: the new one is dropped.
    ///
    /// # Errors
    /// [`TriggerError`] when the scheduler cannot be set up.
    pub async fn start(entries: Vec<Entry>, sender: Sender<Wake>, now: Now) -> Result<Self, TriggerError> {
        let board = Arc::new(Board::new(sender, now));
        let mut scheduler = JobScheduler::new_with_storage_and_code(
            Box::new(BoardStore::new(Arc::clone(&board))),
            Box::<SimpleNotificationStore>::default(),
            Box::<SimpleJobCode>::default(),
            Box::<SimpleNotificationCode>::default(),
            CHANNEL_SIZE,
        )
        .await
        .map_err(refused("be made"))?;
        scheduler.init().await.map_err(refused("be initialised"))?;
        let mut trigger = Self { scheduler, board };
        trigger.replace(entries).await?;
        trigger.scheduler.start().await.map_err(refused("start"))?;
        Ok(trigger)
    }

    /// Puts `entries` in the place of all present ones, in one step: no instant lies between.
    ///
    /// An occurrence that has come but not yet woken anybody survives, if its policy does.
    ///
    /// # Errors
    /// [`TriggerError`]; the present entries stay in force.
    pub async fn replace(&mut self, entries: Vec<Entry>) -> Result<(), TriggerError> {
        let mut slots = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.add_job().await {
                Ok(id) => slots.push((id, Slot::new(entry))),
                Err(error) => {
                    self.remove_jobs(slots.into_iter().map(|(id, _)| id)).await;
                    return Err(error);
                }
            }
        }
        let before = self.board.replace(slots);
        self.remove_jobs(before).await;
        Ok(())
    }

    /// When the beat was last felt: the health of the scheduler. Later than a few seconds ago, or it hangs.
    #[must_use]
    pub fn turned_at(&self) -> Timestamp {
        self.board.turned_at()
    }

    /// Ends it: no wake after this, and the sender is dropped, so that the receiver sees the end.
    pub async fn stop(mut self) {
        let jobs = self.board.close();
        self.remove_jobs(jobs).await;
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::debug!(%error, "the scheduler did not shut down");
        }
    }

    async fn add_job(&self) -> Result<JobId, TriggerError> {
        let step = "take a job";
        let board = Arc::clone(&self.board);
        let job = Job::new(PLACEHOLDER, move |id, _| board.fire(id)).map_err(refused(step))?;
        tokio::time::timeout(ANSWER_WITHIN, self.scheduler.add(job))
            .await
            .map_err(|_| TriggerError::Silent { step })?
            .map_err(refused(step))
    }

    /// A job that is not on the board never wakes anybody, so a failure here costs a few bytes.
    async fn remove_jobs(&self, jobs: impl IntoIterator<Item = JobId>) {
        for job in jobs {
            match tokio::time::timeout(ANSWER_WITHIN, self.scheduler.remove(&job)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "the scheduler kept a removed job"),
                Err(_) => {
                    tracing::debug!("the scheduler does not answer removals");
                    return;
                }
            }
        }
    }
}

fn refused(step: &'static str) -> impl FnOnce(JobSchedulerError) -> TriggerError {
    move |source| TriggerError::Refused { step, source }
}
