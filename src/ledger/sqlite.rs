//! The ledger in one SQLite file (WAL, `synchronous=FULL`).
//!
//! Every call is one transaction, and every transaction runs in a task of its own: a caller that
//! goes away (a time-out, a dropped request) can neither leave one half-done nor leave a connection
//! inside one. One writer connection and up to two readers, held by plain locks and not by a pool: a
//! pool's acquire time-outs fire at once under tokio's paused clock, and nothing here needs them.
//! `BEGIN` and `COMMIT` are ours too, because sqlx goes on counting a transaction that SQLite has
//! rolled back by itself (disk full), and then refuses every later one.

mod batch;
mod batches;
mod came_to;
mod changes;
mod check;
mod checksum;
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
mod intake;
mod intern;
pub(in crate::ledger) mod layout;
mod leaves;
mod lineage;
#[cfg(feature = "postgres")]
pub(in crate::ledger) mod loading;
mod migrate;
mod notes;
mod occurred;
mod open;
mod openings;
mod others;
mod past;
mod plan_hash;
mod planner;
mod plans;
mod recovery;
mod redact;
mod rehint;
mod reports;
mod rows;
mod settle;
mod shared;
mod standing;
mod stats;
mod sweeps;
mod tallies;
#[cfg(test)]
mod tests;
mod told_again;
mod tree;
mod undecided;
mod unverified;
mod uploads;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;

use super::LedgerError;
use super::anchor::Anchor;
use super::checkpoints::CheckpointFile;
use super::common::asking::{Asker, Body, closed, finish};
use fault::during;
pub use open::OpenMode;

type Slot = Arc<Mutex<Option<SqliteConnection>>>;

/// Device and inode of the file that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// A ledger in a SQLite file.
#[derive(Debug)]
pub struct SqliteLedger {
    path: PathBuf,
    identity: Identity,
    /// The write-ahead log's: it stays as long as anyone has the ledger open.
    log: Option<Identity>,
    writer: Option<Slot>,
    readers: [Slot; 2],
    turn: AtomicUsize,
    /// Only opening anew gives it connections again.
    closed: AtomicBool,
    anchor: Anchor,
    checkpoints: CheckpointFile,
    /// Set by the first failed write or fsync of the file: what reached the disk is not known after
    /// it, and asking again would lie (Rebello et al., ATC 2020). Only opening anew clears it.
    failed: Arc<OnceLock<String>>,
}

impl SqliteLedger {
    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the connections, and waits for those that are busy. Every later call fails.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if self.writer.is_some() {
            self.anchor.sync();
        }
        for slot in self.readers.iter().chain(&self.writer) {
            if let Some(connection) = slot.lock().await.take() {
                // Nothing is lost if closing fails: every committed transaction is on the disk.
                let _ = connection.close().await;
            }
        }
    }

    /// Empties the write-ahead log, unless another process is at it: whoever opens the ledger first has to
    /// read all of it.
    async fn checkpoint(&self) -> Result<(), LedgerError> {
        let Some(writer) = &self.writer else {
            return Ok(());
        };
        let mut writer = Arc::clone(writer).lock_owned().await;
        // After a failed fsync nothing is written any more.
        let (Some(connection), None) = (writer.as_mut(), self.failed.get()) else {
            return Ok(());
        };
        let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(connection)
            .await
            .map_err(fault::during("working the log into the ledger"));
        leave_if_unsynced(&done, &self.failed, &mut writer);
        done.map(drop)
    }

    /// Runs `body` in an immediate transaction: committed if it says `Ok`, undone otherwise.
    async fn write<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut SqliteConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        finish(self.begin_write(body).await?).await
    }

    /// [`Self::write`] with a question in its middle, answered by `reply` in the caller's own future
    /// (which may borrow). If the caller goes away before it has answered, the transaction is undone.
    async fn write_asking<Q, A, T>(
        &self,
        body: impl for<'t> FnOnce(&'t mut SqliteConnection, Asker<Q, A>) -> Body<'t, T> + Send + 'static,
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
        body: impl for<'t> FnOnce(&'t mut SqliteConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T, LedgerError>>, LedgerError> {
        let Some(writer) = &self.writer else {
            return Err(LedgerError::NotWritable {
                problem: "it was opened for reading only".to_owned(),
            });
        };
        let mut connection = Arc::clone(writer).lock_owned().await;
        // The one before us may have failed while we waited for our turn.
        if let Some(problem) = self.failed.get() {
            return Err(fault::damaged(problem));
        }
        let failed = Arc::clone(&self.failed);
        let anchor = self.anchor.clone();
        Ok(tokio::spawn(async move {
            // Deferred, a read followed by a write would fail at once when another process wrote between.
            let done = transaction(&mut connection, "BEGIN IMMEDIATE", body, |tx| {
                Box::pin(lineage::count_and_commit(tx))
            })
            .await;
            leave_if_unsynced(&done, &failed, &mut connection);
            let (value, line) = done?;
            line.follow(&anchor);
            Ok(value)
        }))
    }

    /// Runs `body` on one consistent snapshot.
    async fn read<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut SqliteConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut connection = self.reader().await?;
        let task = async move {
            let done = transaction(&mut connection, "BEGIN", body, |tx| Box::pin(commit(tx))).await;
            done.map(|(value, ())| value)
        };
        finish(tokio::spawn(task)).await
    }

    /// [`Self::read`] for a `body` of one statement, which is a snapshot by itself: the questions that a
    /// sweep asks before every request come cheaper by two thirds.
    async fn read_one<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut SqliteConnection) -> Body<'t, T> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut connection = self.reader().await?;
        let task = async move {
            let reader = connection.as_mut().ok_or_else(closed)?;
            body(reader).await
        };
        finish(tokio::spawn(task)).await
    }

    /// A reader that is free, or the one whose turn it is to be waited for.
    async fn reader(&self) -> Result<OwnedMutexGuard<Option<SqliteConnection>>, LedgerError> {
        let free = |slot: &Slot| Arc::clone(slot).try_lock_owned().ok();
        let mut slot = match self.readers.iter().find_map(free) {
            Some(free) => free,
            None => {
                let next = self.turn.fetch_add(1, Ordering::Relaxed) % self.readers.len();
                Arc::clone(&self.readers[next]).lock_owned().await
            }
        };
        if slot.is_none() && !self.closed.load(Ordering::Acquire) {
            let reader = open::checked(&open::reading(&self.path)).await?;
            if !self.same_file() {
                return Err(fault::damaged("another file lies in its place: start again"));
            }
            *slot = Some(reader);
        }
        Ok(slot)
    }
}

/// After a failed fsync or write the connection is left as it is until the process ends: closing it would
/// checkpoint, and so sync again what the disk has refused.
fn leave_if_unsynced<T>(
    done: &Result<T, LedgerError>,
    failed: &OnceLock<String>,
    connection: &mut Option<SqliteConnection>,
) {
    if let Err(LedgerError::Damaged { problem }) = done
        && problem.contains(fault::FSYNC_FAILED)
    {
        let _ = failed.set(problem.clone());
        std::mem::forget(connection.take());
    }
}

async fn transaction<T, E>(
    connection: &mut Option<SqliteConnection>,
    begin: &'static str,
    body: impl for<'t> FnOnce(&'t mut SqliteConnection) -> Body<'t, T>,
    end: impl for<'t> FnOnce(&'t mut SqliteConnection) -> Body<'t, E>,
) -> Result<(T, E), LedgerError> {
    let Some(tx) = connection.as_mut() else {
        return Err(closed());
    };
    sqlx::query(begin)
        .execute(&mut *tx)
        .await
        .map_err(during("beginning a transaction"))?;
    let done = AssertUnwindSafe(body(tx)).catch_unwind().await;
    let failure = match done {
        Ok(Ok(value)) => match end(tx).await {
            Ok(ended) => return Ok((value, ended)),
            Err(error) => Ok(error),
        },
        Ok(Err(error)) => Ok(error),
        Err(panic) => Err(panic),
    };
    // Fails only where SQLite has rolled back by itself already.
    let _ = sqlx::query("ROLLBACK").execute(&mut *tx).await;
    match failure {
        Ok(error) => Err(error),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

async fn commit(tx: &mut SqliteConnection) -> Result<(), LedgerError> {
    sqlx::query("COMMIT")
        .execute(tx)
        .await
        .map_err(during("committing"))?;
    Ok(())
}
