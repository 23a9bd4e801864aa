//! The crate's metadata store, with the board in the place of its clock and its arithmetic.
//!
//! Wraps the crate's own `SimpleMetadataStore`: it keeps the jobs, the board says which are due. What the
//! scheduler works out itself (from the placeholder pattern, with a stale UTC offset) is thrown away.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_cron_scheduler::job::JobId;
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData, JobType};
use tokio_cron_scheduler::store::{DataStore, InitStore};
use tokio_cron_scheduler::{JobSchedulerError, MetaDataStorage, SimpleMetadataStore};

use super::board::Board;

/// A tick that the scheduler takes as come, whatever its clock says: one second after 1970 began.
/// (Zero would have the job deleted.)
const HAS_COME: u64 = 1;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

/// See the module.
pub(super) struct BoardStore {
    jobs: SimpleMetadataStore,
    board: Arc<Board>,
}

impl BoardStore {
    pub(super) fn new(board: Arc<Board>) -> Self {
        Self {
            jobs: SimpleMetadataStore::default(),
            board,
        }
    }
}

impl DataStore<JobStoredData> for BoardStore {
    fn get(&mut self, id: JobId) -> Answer<Option<JobStoredData>> {
        self.jobs.get(id)
    }

    fn add_or_update(&mut self, data: JobStoredData) -> Answer<()> {
        self.jobs.add_or_update(data)
    }

    fn delete(&mut self, id: JobId) -> Answer<()> {
        self.jobs.delete(id)
    }
}

impl InitStore for BoardStore {
    fn init(&mut self) -> Answer<()> {
        self.jobs.init()
    }

    fn inited(&mut self) -> Answer<bool> {
        self.jobs.inited()
    }
}

impl MetaDataStorage for BoardStore {
    /// Only the jobs that are due. The others are left out, so none is ever seen without a next tick,
    /// which the scheduler would answer by deleting it.
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        let due = self.board.due().into_iter();
        let ticks = due.map(|id| JobAndNextTick {
            id: Some(id.into()),
            job_type: JobType::Cron.into(),
            next_tick: HAS_COME,
            last_tick: None,
        });
        let ticks = ticks.collect();
        Box::pin(std::future::ready(Ok(ticks)))
    }

    /// Nothing: the board moves on when the job has run, not when the scheduler meant to run it.
    fn set_next_and_last_tick(
        &mut self,
        _: JobId,
        _: Option<DateTime<Utc>>,
        _: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn time_till_next_job(&mut self) -> Answer<Option<Duration>> {
        Box::pin(std::future::ready(Ok(self.board.time_till_next())))
    }
}
