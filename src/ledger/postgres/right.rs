//! The right to delete, held in the server: an advisory lock of a session of its own.
//!
//! A session can end without its process hearing of it, and then the server gives the right to the next who
//! asks. So the holder's word is worth nothing: beside the lock that all compete for, the session holds one on a
//! random number of its own, and every claim asks *the server, inside its transaction*, whether that number is
//! still taken. Writers follow one another, so what another holder does comes after that claim or before it.

use std::sync::{Arc, Weak};

use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::LedgerError;
use super::fault::during;
use super::open::{PostgresOptions, address};
use super::session::{Address, connect};

/// `RtNd`, and which of our locks it is: in the space of two 4-byte keys, where no 8-byte one collides.
const RIGHT: (i32, i32) = (0x5274_4e64, 1);

/// Before anything is locked. A server notices the end of a process a moment after it: so long the next one waits.
const PATIENCE: &str = "SET lock_timeout = '2s';
     SET idle_session_timeout = 0";

/// The right to delete in one database; taken anew where its session was cut and nobody else has it.
#[derive(Debug)]
pub(in crate::ledger) struct Right {
    address: Address,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    /// Holds both locks as long as it lives.
    _session: PgConnection,
    number: i64,
}

impl Right {
    /// Takes it, or says who has it.
    pub(in crate::ledger) async fn acquire(options: &PostgresOptions) -> Result<Self, LedgerError> {
        let mut address = address(options)?;
        // What the next one is told.
        address.options = address.options.application_name(&format!(
            "retentiond {} on {:.30}",
            std::process::id(),
            rustix::system::uname().nodename().to_string_lossy()
        ));
        let held = take(&address).await?;
        Ok(Self {
            address,
            held: Mutex::new(Some(held)),
        })
    }

    /// The number by which the server knows the holder.
    async fn number(&self) -> Result<i64, LedgerError> {
        let mut held = self.held.lock().await;
        if let Some(held) = &*held {
            return Ok(held.number);
        }
        let again = take(&self.address).await?;
        tracing::warn!(
            "the right to delete was lost with its connection, and taken again: nobody else had it"
        );
        let number = again.number;
        *held = Some(again);
        Ok(number)
    }

    /// The server does not know this number any more.
    async fn gone(&self, number: i64) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.number == number) {
            *held = None;
        }
    }
}

/// What a ledger that was opened under a right knows of it. One that was not is for tests and for whoever claims nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Holder(Option<Weak<Right>>);

/// How a claim is made under a right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fence(Option<i64>);

impl Holder {
    pub(super) fn of(right: &Arc<Right>) -> Self {
        Self(Some(Arc::downgrade(right)))
    }

    /// Before a transaction; takes the right anew where it was lost and is free.
    pub(super) async fn fence(&self) -> Result<Fence, LedgerError> {
        let Some(right) = &self.0 else {
            return Ok(Fence(None));
        };
        let right = right.upgrade().ok_or_else(|| lost("it was given back"))?;
        Ok(Fence(Some(right.number().await?)))
    }

    /// The server said that the fence is down.
    pub(super) async fn fell(&self, fence: Fence) {
        if let (Some(right), Some(number)) = (self.0.as_ref().and_then(Weak::upgrade), fence.0) {
            right.gone(number).await;
        }
    }
}

impl Fence {
    /// Inside the transaction: whether the session that holds the right still lives.
    pub(super) async fn stands(self, tx: &mut PgConnection) -> Result<bool, LedgerError> {
        let Some(number) = self.0 else {
            return Ok(true);
        };
        // Whoever gets it has proven that nobody holds it.
        let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock_shared($1)")
            .bind(number)
            .fetch_one(tx)
            .await
            .map_err(during("asking for the right to delete"))?;
        Ok(!free)
    }
}

/// The right went between two looks at it.
pub(super) fn lost(how: &str) -> LedgerError {
    LedgerError::NotWritable {
        problem: format!("the right to delete was lost ({how}); nothing was claimed"),
    }
}

async fn take(address: &Address) -> Result<Held, LedgerError> {
    let context = "taking the right to delete";
    let mut session = connect(address).await?;
    sqlx::raw_sql(PATIENCE)
        .execute(&mut session)
        .await
        .map_err(during(context))?;
    let taken = sqlx::query("SELECT pg_advisory_lock($1, $2)")
        .bind(RIGHT.0)
        .bind(RIGHT.1)
        .execute(&mut session)
        .await
        .map_err(during(context));
    match taken {
        Ok(_) => {}
        Err(LedgerError::Busy) => {
            return Err(LedgerError::InUse {
                path: address.name.clone(),
                pid: holder(&mut session).await?,
            });
        }
        Err(error) => return Err(error),
    }
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| lost(&error.to_string()))?;
    let number = i64::from_le_bytes(bytes);
    sqlx::query("SELECT pg_advisory_lock($1)")
        .bind(number)
        .execute(&mut session)
        .await
        .map_err(during(context))?;
    Ok(Held {
        _session: session,
        number,
    })
}

/// Process and host, as the holder's session is called.
async fn holder(session: &mut PgConnection) -> Result<String, LedgerError> {
    let found: Option<(Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT a.application_name, host(a.client_addr)
         FROM pg_locks l
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory'
           AND l.granted
           -- A lock is a database's own.
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND l.classid::bigint = $1
           AND l.objid::bigint = $2
           -- Two keys.
           AND l.objsubid = 2",
    )
    .bind(i64::from(RIGHT.0))
    .bind(i64::from(RIGHT.1))
    .fetch_optional(session)
    .await
    .map_err(during("looking for who has the right to delete"))?;
    let (name, from) = found.unwrap_or_default();
    let name = name.as_deref().and_then(|name| name.strip_prefix("retentiond "));
    let name = name.unwrap_or("unknown");
    Ok(from.map_or_else(|| name.to_owned(), |from| format!("{name} ({from})")))
}
