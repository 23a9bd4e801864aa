//! Which ledger: the one place that knows what may stand behind the contract.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::anchor::Position;
use super::common::table::Layout;
use super::copy::side::{Source, Standing, Target};
use super::{DeleterLock, Ledger, LedgerError, OpenMode, Pacing, ReconcileLock, SqliteLedger, sqlite};
#[cfg(feature = "postgres")]
use super::{PostgresLedger, PostgresOptions};

/// Where a ledger is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Server(PostgresOptions),
}

impl Place {
    /// Opens it.
    ///
    /// # Errors
    /// As [`SqliteLedger::open`] or `PostgresLedger::open`.
    pub async fn open(&self, mode: OpenMode) -> Result<Arc<dyn Ledger>, LedgerError> {
        Ok(match self {
            Self::File(path) => Arc::new(SqliteLedger::open(&path.to_string_lossy(), mode).await?),
            #[cfg(feature = "postgres")]
            Self::Server(options) => Arc::new(PostgresLedger::open(options, mode).await?),
        })
    }

    /// How it is called in errors and where it is named for good: never with a password.
    ///
    /// # Errors
    /// `NotOurs` for a URL that cannot be read.
    pub fn name(&self) -> Result<String, LedgerError> {
        match self {
            // By whatever link it is reached.
            Self::File(path) => Ok(format!("sqlite:{}", super::lock::beside(path, "").display())),
            #[cfg(feature = "postgres")]
            Self::Server(options) => super::postgres::name(options),
        }
    }

    /// What this host keeps of it begins so.
    pub(super) fn beside(&self) -> &Path {
        match self {
            Self::File(path) => path,
            #[cfg(feature = "postgres")]
            Self::Server(options) => &options.beside,
        }
    }

    pub(super) async fn source(&self) -> Result<Box<dyn Source>, LedgerError> {
        Ok(match self {
            Self::File(path) => Box::new(sqlite::copying::source(path).await?),
            #[cfg(feature = "postgres")]
            Self::Server(options) => Box::new(super::postgres::copying::source(options).await?),
        })
    }

    pub(super) async fn standing(&self) -> Result<Standing, LedgerError> {
        match self {
            Self::File(path) => sqlite::copying::standing(path).await,
            #[cfg(feature = "postgres")]
            Self::Server(options) => super::postgres::copying::standing(options).await,
        }
    }

    /// What a copy fills, where it was found `standing` so; emptied unless it holds what goes on to be a copy of `of`.
    pub(super) async fn target(
        &self,
        layout: &Layout,
        standing: &Standing,
        of: &Position,
    ) -> Result<Box<dyn Target>, LedgerError> {
        Ok(match self {
            Self::File(path) => Box::new(sqlite::copying::target(path, layout, standing, of).await?),
            #[cfg(feature = "postgres")]
            Self::Server(options) => {
                Box::new(super::postgres::copying::target(options, layout, standing, of).await?)
            }
        })
    }

    /// What hands out the starts of calls to all processes on this ledger; `None` beside a file, where there is one.
    ///
    /// # Errors
    /// `NotOurs` where the server's address cannot be read. It is not reached yet.
    pub fn pacing(&self) -> Result<Option<Arc<dyn Pacing>>, LedgerError> {
        Ok(match self {
            Self::File(_) => None,
            #[cfg(feature = "postgres")]
            Self::Server(options) => Some(Arc::new(super::postgres::PostgresPacing::of(options)?)),
        })
    }

    /// Takes the right to delete: before anything of a file is made or changed, in a schema that is there. On a
    /// server others may have it too.
    ///
    /// # Errors
    /// `InUse` names who holds a file's, or is alone; else what keeps us from asking.
    pub async fn lock(&self) -> Result<DeleterLock, LedgerError> {
        match self {
            Self::File(path) => DeleterLock::acquire(path),
            #[cfg(feature = "postgres")]
            Self::Server(options) => DeleterLock::on_server(options).await,
        }
    }

    /// The same with nobody beside us, as long as it is held: for what must not happen under the hands of others.
    ///
    /// # Errors
    /// `InUse` names one who has the right; else what keeps us from asking.
    pub async fn lock_alone(&self) -> Result<DeleterLock, LedgerError> {
        match self {
            Self::File(_) => self.lock().await,
            #[cfg(feature = "postgres")]
            Self::Server(options) => DeleterLock::alone_on_server(options).await,
        }
    }

    /// Takes the turn to reconcile everything: it is one process's at a time.
    ///
    /// # Errors
    /// `InUse` names whose it is; else what keeps us from asking.
    pub async fn lock_reconcile(&self) -> Result<ReconcileLock, LedgerError> {
        match self {
            Self::File(path) => ReconcileLock::acquire(path),
            #[cfg(feature = "postgres")]
            Self::Server(options) => ReconcileLock::on_server(options).await,
        }
    }

    /// Opens it for writing, for whoever holds the right to delete: without the right nothing can be claimed in it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "only a server asks who holds it")
    )]
    pub async fn open_to_delete(&self, lock: &DeleterLock) -> Result<Arc<dyn Ledger>, LedgerError> {
        match self {
            // The kernel takes the lock from nobody but the dead.
            Self::File(_) => self.open(OpenMode::ReadWrite).await,
            #[cfg(feature = "postgres")]
            Self::Server(options) => Ok(Arc::new(PostgresLedger::open_under(options, lock).await?)),
        }
    }
}
