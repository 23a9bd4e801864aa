//! Opening: is it ours, can the server be relied on, is the schema the one that this program knows?

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::Mutex;

use super::host::host;
use super::right::{Holder, Lease};
use super::session::{Address, Session, connect};
use super::{LedgerError, PostgresLedger, Slot, lineage, migrate};
use crate::ledger::anchor::Anchor;
use crate::ledger::checkpoints::CheckpointFile;
use crate::ledger::{DeleterLock, OpenMode};

/// Where a ledger is, and how to get in.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://USER@HOST:PORT/DATABASE`, with `?host=/DIRECTORY` for a Unix socket and `sslmode` as libpq
    /// reads it; the password by `password`, else by `PGPASSFILE`.
    pub url: String,
    /// The password, where it comes from a file of its own.
    pub password: Option<SecretString>,
    /// What this host keeps of the ledger begins with this path: `<beside>.anchor`, `<beside>.checkpoints`.
    pub beside: PathBuf,
    /// How long what is claimed stays ours while nothing is heard of us: longer than a request may take.
    pub lease: Lease,
}

impl PostgresLedger {
    /// Opens the ledger of a database; its schema is made or migrated where `mode` lets it.
    ///
    /// # Errors
    /// `Missing` when there is none and `mode` only reads; `NotOurs` for a foreign or newer schema, an older one
    /// that may not be migrated, or a server that is too old or loses commits; `NotWritable` when it
    /// cannot be reached.
    pub async fn open(options: &PostgresOptions, mode: OpenMode) -> Result<Self, LedgerError> {
        Self::open_as(options, mode, Holder::default()).await
    }

    /// Opens it for writing, under the right to delete: claims end with the right, and by the server's word.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_under(options: &PostgresOptions, lock: &DeleterLock) -> Result<Self, LedgerError> {
        let Some(right) = lock.right() else {
            return Err(LedgerError::NotWritable {
                problem: "the right to delete is not one to claim under".to_owned(),
            });
        };
        Self::open_as(options, OpenMode::ReadWrite, Holder::of(right)).await
    }

    async fn open_as(options: &PostgresOptions, mode: OpenMode, holder: Holder) -> Result<Self, LedgerError> {
        let address = Arc::new(address(options)?);
        let mut first = connect(&address).await?;
        let found = migrate::Found::at(&mut first).await?;
        match mode {
            OpenMode::ReadOnly => found.ready_to_read(&address.name)?,
            OpenMode::ReadWrite => {
                migrate::migrate(&mut first, &address.name, &found, migrate::MIGRATIONS).await?;
            }
        }
        drop(first);
        let writer = match mode {
            OpenMode::ReadOnly => None,
            OpenMode::ReadWrite => Some(slot(Session::open(&address, false).await?)),
        };
        let readers = [
            slot(Session::open(&address, true).await?),
            slot(Session::open(&address, true).await?),
        ];
        let ledger = Self {
            writer,
            holder,
            readers,
            side: slot(Session::later(&address)),
            turn: AtomicUsize::new(0),
            host: host(&options.beside),
            beside: options.beside.clone(),
            anchor: Anchor::beside(&options.beside),
            checkpoints: CheckpointFile::beside(&options.beside),
        };
        if mode == OpenMode::ReadWrite {
            // One that was copied elsewhere is read at most.
            if let Some(closed) = lineage::closed(&ledger).await? {
                return Err(closed.refusal(&address.name));
            }
            // Before anything is written that could hide it. Whoever deletes asks again, and fails if
            // this fails; a hold must be possible all the same.
            if let Err(error) = lineage::rollback(&ledger).await {
                tracing::warn!(%error, "the ledger cannot be held against its anchor");
            }
        }
        Ok(ledger)
    }
}

fn slot(session: Session) -> Slot {
    Arc::new(Mutex::new(session))
}

/// How it is called.
pub(in crate::ledger) fn name(options: &PostgresOptions) -> Result<String, LedgerError> {
    Ok(address(options)?.name)
}

pub(super) fn address(options: &PostgresOptions) -> Result<Address, LedgerError> {
    // The text may hold a password: neither it nor what the parser says of it is repeated.
    let parsed = PgConnectOptions::from_str(&options.url).map_err(|_| LedgerError::NotOurs {
        path: "the ledger".to_owned(),
        problem: "its URL cannot be read: write `postgres://USER@HOST/DATABASE`".to_owned(),
    })?;
    let parsed = match &options.password {
        Some(password) => parsed.password(password.expose_secret()),
        None => parsed,
    };
    let parsed = parsed.application_name("retentiond").disable_statement_logging();
    let place = match parsed.get_socket() {
        Some(directory) => directory.display().to_string(),
        None => format!("{}:{}", parsed.get_host(), parsed.get_port()),
    };
    let database = parsed.get_database().unwrap_or(parsed.get_username());
    Ok(Address {
        name: format!("database {database} at {place}"),
        options: parsed,
    })
}
