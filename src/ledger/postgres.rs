//! The ledger in a PostgreSQL database, in a schema of its own called `retentiond`.
//!
//! As beside SQLite every call is one transaction in a task of its own: a caller that goes away can neither
//! leave one half-done nor leave a connection inside one. One writer connection and two readers, held by plain
//! locks; one that was cut is opened again by the next call. A commit whose answer was lost is an error to the
//! caller, never shown as success: what it left `deleting` is an orphan, and orphans are probed.
//!
//! The first statement of a write locks the one row of `lineage`, the last one counts it up. So the
//! writers of all processes follow one another, each statement sees what the one before has committed, and the
//! evidence tree has one order: what `BEGIN IMMEDIATE` gives in a file. Readers see one snapshot.
//!
//! How statements are written here:
//! - Lists are arrays: `unnest($1::bigint[], $2::text[]) j (batch, file_id)`; the place in a list by `WITH
//!   ORDINALITY`, from 1. Nothing is ordered by a column of `unnest`: its collation is the database's.
//! - Text columns are `COLLATE "C"`: order and ranges are by bytes, as in SQLite and in Rust.
//! - Columns are BIGINT, BOOLEAN, TEXT or BYTEA, and so are the Rust types that they are read as: `sum` gives
//!   NUMERIC and is cast, a bare `0` is INT4 and is cast, a NULL needs an `Option`.
//! - `ON CONFLICT … DO UPDATE` names its columns, and the table in `tallies.files + excluded.files`.

mod backup;
mod batches;
mod came_to;
mod changes;
mod check;
mod claims;
mod clock;
mod clocks;
mod controls;
pub(in crate::ledger) mod copying;
mod coverage;
mod due;
mod erasures;
mod events;
mod fault;
mod figures;
mod history;
mod holds;
mod host;
mod intake;
mod intern;
mod leaves;
mod lineage;
mod migrate;
mod notes;
mod occurred;
mod open;
mod openings;
mod others;
mod pacing;
mod past;
mod plan_hash;
mod plans;
mod recovery;
mod redact;
mod rehint;
mod reports;
mod right;
mod rows;
mod session;
mod settle;
mod shared;
mod standing;
mod stats;
mod sweeps;
mod tallies;
mod told_again;
mod tree;
mod undecided;
mod unverified;
mod uploads;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use sqlx::PgConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::LedgerError;
use super::anchor::Anchor;
use super::checkpoints::CheckpointFile;
use super::common::asking::{Asker, Body, finish};
use fault::during;
pub use open::PostgresOptions;
pub(super) use open::name;
pub(super) use pacing::PostgresPacing;
use right::Holder;
pub use right::Lease;
pub(super) use right::{Alone, Right};
use session::Session;

type Slot = Arc<Mutex<Session>>;

const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Whoever holds this row writes; the others wait.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;
     SELECT sequence
     FROM lineage
     FOR UPDATE";
/// Beside the order of the writers: for what is no evidence.
const BEGIN_BESIDE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A ledger in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresLedger {
    writer: Option<Slot>,
    /// The right to delete under which it was opened.
    holder: Holder,
    readers: [Slot; 2],
    /// For what is no evidence; opened by the first who wants it.
    side: Slot,
    turn: AtomicUsize,
    /// What this host is called among those on this ledger.
    host: String,
    /// What this host keeps of it begins so.
    beside: PathBuf,
    anchor: Anchor,
    checkpoints: CheckpointFile,
}

impl PostgresLedger {
    /// Closes the connections, and waits for those that are busy. Every later call fails.
    pub async fn close(&self) {
        if self.writer.is_some() {
            self.anchor.sync();
        }
        for slot in self.readers.iter().chain(&self.writer).chain([&self.side]) {
            slot.lock().await.close().await;
        }
    }

    /// Runs `body` in a transaction of its own turn: committed if it says `Ok`, undone otherwise.
    async fn write<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        finish(self.begin_write(body).await?).await
    }

    /// [`Self::write`] with a question in its middle, answered by `reply` in the caller's own future
    /// (which may borrow). If the caller goes away before it has answered, the transaction is undone.
    async fn write_asking<Q, A, T>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection, Asker<Q, A>) -> Body<'t, T> + Send + 'static,
        reply: impl FnOnce(Q) -> A + Send,
    ) -> Result<T, LedgerError>
    where
        Q: Send + 'static,
        A: Send + 'static,
        T: Send + 'static,
    {
        let (asker, asked, answer) = Asker::new();
        let task = self.begin_write(move |tx| body(tx, asker)).await?;
        if let Ok(question) = asked.await {
            // The other end is gone only when the task failed, and then the task says why.
            let _ = answer.send(reply(question));
        }
        finish(task).await
    }

    async fn begin_write<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T, LedgerError>>, LedgerError> {
        let Some(writer) = &self.writer else {
            return Err(only_to_read());
        };
        let mut session = Arc::clone(writer).lock_owned().await;
        let anchor = self.anchor.clone();
        Ok(tokio::spawn(async move {
            let value = transaction(&mut session, BEGIN_WRITE, body, lineage::commit).await;
            let (value, line) = value?;
            line.follow(&anchor);
            Ok(value)
        }))
    }

    /// Runs `body` in a short transaction beside the order of the writers. Nothing that it writes is evidence.
    async fn beside<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        if self.writer.is_none() {
            return Err(only_to_read());
        }
        let mut session = Arc::clone(&self.side).lock_owned().await;
        let task = async move {
            let done = transaction(&mut session, BEGIN_BESIDE, body, |tx| Box::pin(end(tx))).await;
            done.map(|(value, ())| value)
        };
        finish(tokio::spawn(task)).await
    }

    /// Runs `body` on one consistent snapshot.
    async fn read<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut session = self.reader().await;
        let task = async move {
            let done = transaction(&mut session, BEGIN_READ, body, |tx| Box::pin(end(tx))).await;
            done.map(|(value, ())| value)
        };
        finish(tokio::spawn(task)).await
    }

    /// [`Self::read`] for a `body` of one statement, which is a snapshot by itself: a third of the round trips.
    /// Asked again where the connection was cut, once: to the caller an idle one that was cut is no failure.
    async fn read_one<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Clone + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut session = self.reader().await;
        finish(tokio::spawn(async move { session.one(body).await })).await
    }

    async fn reader(&self) -> OwnedMutexGuard<Session> {
        for slot in &self.readers {
            if let Ok(free) = Arc::clone(slot).try_lock_owned() {
                return free;
            }
        }
        let next = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        Arc::clone(&self.readers[next]).lock_owned().await
    }
}

fn only_to_read() -> LedgerError {
    LedgerError::NotWritable {
        problem: "it was opened for reading only".to_owned(),
    }
}

/// The end of a transaction that is not counted.
async fn end(tx: &mut PgConnection) -> Result<(), LedgerError> {
    sqlx::raw_sql("COMMIT")
        .execute(tx)
        .await
        .map_err(during("ending a transaction"))?;
    Ok(())
}

/// What `body` and the `end` after it gave. A session that cannot be brought out of its transaction is given up.
async fn transaction<T, E>(
    session: &mut Session,
    begin: &'static str,
    body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T>,
    end: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, E>,
) -> Result<(T, E), LedgerError> {
    let tx = session.begin(begin).await?;
    let done = AssertUnwindSafe(async {
        let value = body(&mut *tx).await?;
        Ok((value, end(&mut *tx).await?))
    });
    let failure = match done.catch_unwind().await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => Ok(error),
        Err(panic) => Err(panic),
    };
    if sqlx::raw_sql("ROLLBACK").execute(&mut *tx).await.is_err() {
        session.forget();
    }
    match failure {
        Ok(error) => Err(error),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
