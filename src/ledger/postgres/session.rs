//! One connection to the server: opened, set up, and opened again once it was cut.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::LedgerError;
use super::fault::{self, during};
use crate::ledger::common::asking::{Body, closed};

/// PostgreSQL 15, of Debian 12.
const OLDEST_SERVER: i64 = 15_00_00;

/// What every session says first. A writer that stalls in the middle of its transaction (a stopped process) holds
/// up all others: the server ends it. Waiting for another's write ends as it does beside SQLite.
const SET_UP: &str = "SET search_path = retentiond;
     SET TimeZone = 'UTC';
     SET lock_timeout = '5s';
     SET statement_timeout = '10min';
     SET idle_in_transaction_session_timeout = '30s';
     SET tcp_keepalives_idle = 30;
     SET tcp_keepalives_interval = 10;
     SET tcp_keepalives_count = 3;
     SET tcp_user_timeout = 60000;
     SET client_min_messages = warning;
     -- A commit waits for the disk, and for the standby where there is a synchronous one.
     SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') <> 'remote_apply'";

/// Which server, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) name: String,
    pub(super) options: PgConnectOptions,
}

/// A connection that is there or can be made.
#[derive(Debug)]
pub(super) struct Session {
    address: Arc<Address>,
    /// For readers, beside what their transactions say.
    read_only: bool,
    open: Option<PgConnection>,
    closed: bool,
}

impl Session {
    pub(super) async fn open(address: &Arc<Address>, read_only: bool) -> Result<Self, LedgerError> {
        let mut session = Self {
            read_only,
            ..Self::later(address)
        };
        session.ready().await?;
        Ok(session)
    }

    /// One that is opened when it is first wanted, to write.
    pub(super) fn later(address: &Arc<Address>) -> Self {
        Self {
            address: Arc::clone(address),
            read_only: false,
            open: None,
            closed: false,
        }
    }

    /// One more of the same kind.
    pub(super) async fn another(&self) -> Result<Self, LedgerError> {
        Self::open(&self.address, self.read_only).await
    }

    /// The connection, made anew where it was given up.
    pub(super) async fn ready(&mut self) -> Result<&mut PgConnection, LedgerError> {
        if self.closed {
            return Err(closed());
        }
        if self.open.is_none() {
            let mut connection = connect(&self.address).await.map_err(meanwhile)?;
            if self.read_only {
                sqlx::raw_sql("SET default_transaction_read_only = on")
                    .execute(&mut connection)
                    .await
                    .map_err(during("opening the ledger"))?;
            }
            self.open = Some(connection);
        }
        self.open.as_mut().ok_or_else(closed)
    }

    /// Begins a transaction. A connection that was cut while nobody used it is made anew: nothing was under way.
    pub(super) async fn begin(&mut self, begin: &'static str) -> Result<&mut PgConnection, LedgerError> {
        let was_open = self.open.is_some();
        match sqlx::raw_sql(begin).execute(self.ready().await?).await {
            Ok(_) => return self.ready().await,
            Err(error) if was_open && fault::is_cut(&error) => self.forget(),
            Err(error) => {
                // The lock was not to be had, or worse: out of the transaction, or out of the session.
                if sqlx::raw_sql("ROLLBACK")
                    .execute(self.ready().await?)
                    .await
                    .is_err()
                {
                    self.forget();
                }
                return Err(during("beginning a transaction")(error));
            }
        }
        let begun = sqlx::raw_sql(begin).execute(self.ready().await?).await;
        match begun {
            Ok(_) => self.ready().await,
            Err(error) => {
                self.forget();
                Err(during("beginning a transaction")(error))
            }
        }
    }

    /// What a `body` of one statement gave, outside of a transaction. It is asked once more where the connection had
    /// been cut: `body` must be one that may be done twice.
    pub(super) async fn one<T>(
        &mut self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Clone,
    ) -> Result<T, LedgerError> {
        let was_open = self.open.is_some();
        let first = self.once(body.clone()).await;
        if first.is_err() && was_open && self.open.is_none() {
            return self.once(body).await;
        }
        first
    }

    async fn once<T>(
        &mut self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T>,
    ) -> Result<T, LedgerError> {
        let done = AssertUnwindSafe(body(self.ready().await?)).catch_unwind().await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                // A statement at fault leaves the connection as it was.
                if let Some(connection) = &mut self.open
                    && connection.ping().await.is_err()
                {
                    self.forget();
                }
                Err(error)
            }
            Err(panic) => {
                self.forget();
                std::panic::resume_unwind(panic)
            }
        }
    }

    /// The server ends whatever was under way in it.
    pub(super) fn forget(&mut self) {
        self.open = None;
    }

    /// For good.
    pub(super) async fn close(&mut self) {
        self.closed = true;
        if let Some(connection) = self.open.take() {
            // Nothing is lost if closing fails: every committed transaction is the server's.
            let _ = connection.close().await;
        }
    }
}

/// A server that was there and is not any more is a disk that cannot be written: it is tried again.
fn meanwhile(error: LedgerError) -> LedgerError {
    if let LedgerError::Refused { problem, .. } = error {
        return LedgerError::NotWritable { problem };
    }
    error
}

/// A connection that is set up, to a server that can be relied on.
pub(super) async fn connect(address: &Address) -> Result<PgConnection, LedgerError> {
    let context = "opening the ledger";
    let connecting = PgConnection::connect_with(&address.options);
    let mut connection = connecting.await.map_err(fault::entering(address))?;
    sqlx::raw_sql(SET_UP)
        .execute(&mut connection)
        .await
        .map_err(during(context))?;
    let (version, encoding, synchronous, fsync): (i64, String, String, String) = sqlx::query_as(
        "SELECT current_setting('server_version_num')::bigint,
                current_setting('server_encoding'),
                current_setting('synchronous_commit'),
                current_setting('fsync')",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(during(context))?;
    let refuse = |problem: String| LedgerError::NotOurs {
        path: address.name.clone(),
        problem,
    };
    if version < OLDEST_SERVER {
        return Err(refuse(format!(
            "the server is PostgreSQL {}; this program needs {} or newer",
            version / 10_000,
            OLDEST_SERVER / 10_000
        )));
    }
    if encoding != "UTF8" {
        return Err(refuse(format!(
            "the database is encoded in {encoding}; make one with `createdb --encoding=UTF8`"
        )));
    }
    if !matches!(synchronous.as_str(), "on" | "remote_apply") {
        return Err(refuse(format!(
            "the server keeps `synchronous_commit` at `{synchronous}`: a commit would not survive a power failure"
        )));
    }
    if fsync != "on" {
        tracing::warn!("the server runs with fsync off: a power failure may lose the ledger");
    }
    Ok(connection)
}
