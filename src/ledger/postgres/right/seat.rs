//! One seat: its session, its locks, its row.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;

use super::{Lease, lost};
use crate::ledger::LedgerError;
use crate::ledger::postgres::BEGIN_WRITE;
use crate::ledger::postgres::fault::during;
use crate::ledger::postgres::migrate;
use crate::ledger::postgres::session::{Address, connect};
use crate::rules::policy::RuleDigest;

/// `RtNd`, and which of our locks it is: in the space of two 4-byte keys, where no 8-byte one collides.
const RIGHT: (i32, i32) = (0x5274_4e64, 1);
/// Of whoever reconciles everything.
const RECONCILING: (i32, i32) = (0x5274_4e64, 2);

/// A server notices the end of a process a moment after it: so long the next one waits.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Before anything is locked: [`PATIENCE`].
const SET_UP: &str = "SET lock_timeout = '2s';
     SET idle_session_timeout = 0";

/// Holds its locks as long as it lives.
#[derive(Debug)]
pub(super) struct Seat {
    session: PgConnection,
    pub(super) number: i64,
    /// What the row says of the rules.
    rules: Option<RuleDigest>,
}

/// `PID on HOST`.
pub(super) fn name() -> String {
    format!("{} on {}", std::process::id(), host())
}

fn host() -> String {
    let name = rustix::system::uname();
    format!("{:.30}", name.nodename().to_string_lossy())
}

impl Seat {
    /// Takes one, in a schema that is made or migrated where needed. What is under way under the number `before`,
    /// which was ours, goes over to it.
    pub(super) async fn take(
        address: &Address,
        lease: Lease,
        before: Option<i64>,
    ) -> Result<Self, LedgerError> {
        let context = "taking the right to delete";
        let mut session = connect(address).await?;
        let found = migrate::Found::at(&mut session).await?;
        migrate::migrate(&mut session, &address.name, &found, migrate::MIGRATIONS).await?;
        enter(
            &mut session,
            address,
            "SELECT pg_advisory_lock_shared($1, $2)",
            RIGHT,
        )
        .await?;
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(|error| lost(&error.to_string()))?;
        let number = i64::from_le_bytes(bytes);
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(number)
            .execute(&mut session)
            .await
            .map_err(during(context))?;
        sqlx::query(
            "INSERT INTO peers (number, name, version, since, seen_at, lease_until)
             SELECT $1, $2, $3, now, now, now + $4
             FROM server_ms() now",
        )
        .bind(number)
        .bind(name())
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(lease.lasts_ms())
        .execute(&mut session)
        .await
        .map_err(during(context))?;
        sqlx::query(
            "DELETE FROM peers
             WHERE lease_until < server_ms() - 86400000",
        )
        .execute(&mut session)
        .await
        .map_err(during(context))?;
        if let Some(before) = before {
            go_over(&mut session, before, number).await?;
        }
        wait_for_the_dead(&mut session).await?;
        Ok(Self {
            session,
            number,
            rules: None,
        })
    }

    /// Renews the lease; `false` where it is lost, or the session is.
    pub(super) async fn renew(&mut self, lease: Lease) -> bool {
        let renewed = sqlx::query(
            "UPDATE peers
             SET seen_at = server_ms(), lease_until = server_ms() + $2
             WHERE number = $1 AND lease_until > server_ms()",
        )
        .bind(self.number)
        .bind(lease.lasts_ms())
        .execute(&mut self.session)
        .await
        .map_err(during("renewing the lease"));
        match renewed {
            Ok(renewed) => renewed.rows_affected() == 1,
            // A claim is at the row: it renews the lease itself.
            Err(LedgerError::Busy) => true,
            Err(error) => {
                tracing::warn!(%error, "the lease of the right to delete could not be renewed");
                false
            }
        }
    }

    /// Tells the others by which rules we go. Nothing depends on it.
    pub(super) async fn goes_by(&mut self, rules: &RuleDigest) {
        if self.rules.as_ref() == Some(rules) {
            return;
        }
        let told = sqlx::query(
            "UPDATE peers
             SET rules = $2
             WHERE number = $1",
        )
        .bind(self.number)
        .bind(&rules.0)
        .execute(&mut self.session)
        .await;
        if told.is_ok() {
            self.rules = Some(rules.clone());
        }
    }

    /// Ends the leases of processes of this host that have ended.
    pub(super) async fn bury_the_dead(&mut self) -> Result<(), LedgerError> {
        bury(&mut self.session).await
    }

    /// Gives it up, so that the server knows at once.
    pub(super) async fn leave(self) {
        // A session that does not answer is dropped: the server finds out by itself.
        let _ = tokio::time::timeout(PATIENCE, self.session.close()).await;
    }
}

/// A session that has the lock of all who delete for itself.
pub(super) async fn enter_alone(address: &Address) -> Result<PgConnection, LedgerError> {
    alone_with(address, RIGHT).await
}

/// A session that has the lock of whoever reconciles everything.
pub(super) async fn enter_reconciling(address: &Address) -> Result<PgConnection, LedgerError> {
    alone_with(address, RECONCILING).await
}

async fn alone_with(address: &Address, key: (i32, i32)) -> Result<PgConnection, LedgerError> {
    let mut session = connect(address).await?;
    enter(&mut session, address, "SELECT pg_advisory_lock($1, $2)", key).await?;
    Ok(session)
}

/// One of our locks.
async fn enter(
    session: &mut PgConnection,
    address: &Address,
    lock: &'static str,
    key: (i32, i32),
) -> Result<(), LedgerError> {
    sqlx::raw_sql(SET_UP)
        .execute(&mut *session)
        .await
        .map_err(during("taking the right to delete"))?;
    let entered = sqlx::query(lock)
        .bind(key.0)
        .bind(key.1)
        .execute(&mut *session)
        .await
        .map_err(during("taking the right to delete"));
    match entered {
        Ok(_) => Ok(()),
        Err(LedgerError::Busy) => Err(LedgerError::InUse {
            path: address.name.clone(),
            pid: holder(session, key).await?,
        }),
        Err(error) => Err(error),
    }
}

/// Inside a transaction, until its end: nobody has the right to delete. Else `InUse` names one who has.
pub(in crate::ledger::postgres) async fn alone(
    tx: &mut PgConnection,
    database: &str,
) -> Result<(), LedgerError> {
    let begun = Instant::now();
    loop {
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1, $2)")
            .bind(RIGHT.0)
            .bind(RIGHT.1)
            .fetch_one(&mut *tx)
            .await
            .map_err(during("looking for who has the right to delete"))?;
        if alone {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(LedgerError::InUse {
                path: database.to_owned(),
                pid: holder(tx, RIGHT).await?,
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What is under way under one number of ours goes over to the next, in one order with all claims.
async fn go_over(session: &mut PgConnection, before: i64, number: i64) -> Result<(), LedgerError> {
    let context = "going on under a new lease";
    sqlx::raw_sql(BEGIN_WRITE)
        .execute(&mut *session)
        .await
        .map_err(during(context))?;
    for statement in [
        // A claim that is still to come under the old number finds that it does not stand.
        "UPDATE peers SET lease_until = 0 WHERE number = $1 AND number <> $2",
        "UPDATE attempts SET peer = $2 WHERE peer = $1 AND settled_at IS NULL",
        "UPDATE sweeps SET peer = $2 WHERE peer = $1 AND state = 'open'",
        "UPDATE uploads SET peer = $2 WHERE peer = $1 AND state = 'open'",
        "UPDATE parts SET peer = $2 WHERE peer = $1 AND summary IS NULL",
    ] {
        sqlx::query(statement)
            .bind(before)
            .bind(number)
            .execute(&mut *session)
            .await
            .map_err(during(context))?;
    }
    // Nothing of it is evidence: the ledger's transactions are not counted up.
    sqlx::raw_sql("COMMIT")
        .execute(session)
        .await
        .map_err(during(context))?;
    Ok(())
}

/// Processes of this host that have ended, and that the server still takes for living: what they left is free in a moment.
async fn wait_for_the_dead(session: &mut PgConnection) -> Result<(), LedgerError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let living: Vec<String> = sqlx::query_scalar("SELECT name FROM living")
            .fetch_all(&mut *session)
            .await
            .map_err(during("looking for who else has the right to delete"))?;
        if !living.iter().any(|name| has_ended(name)) {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Those whose session is gone and whose process of this host is too: nothing of theirs is on its way, and their lease
/// is over.
async fn bury(session: &mut PgConnection) -> Result<(), LedgerError> {
    let context = "looking after processes that have ended";
    let cut: Vec<(i64, String)> = sqlx::query_as(
        "SELECT number, name
         FROM peers
         WHERE lease_until > server_ms()
           AND number NOT IN (SELECT number FROM living)",
    )
    .fetch_all(&mut *session)
    .await
    .map_err(during(context))?;
    let ended: Vec<i64> = cut
        .into_iter()
        .filter(|(_, name)| has_ended(name))
        .map(|(number, _)| number)
        .collect();
    if !ended.is_empty() {
        sqlx::query(
            "UPDATE peers
             SET lease_until = 0
             WHERE number = ANY ($1)",
        )
        .bind(ended)
        .execute(session)
        .await
        .map_err(during(context))?;
    }
    Ok(())
}

/// Whether a peer is a process of this host that is not there any more.
fn has_ended(name: &str) -> bool {
    let Some((pid, of)) = name.split_once(" on ") else {
        return false;
    };
    let pid = pid.parse().ok().and_then(Pid::from_raw);
    of == host() && pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Process and host, as the session of one who has that lock is called.
async fn holder(session: &mut PgConnection, key: (i32, i32)) -> Result<String, LedgerError> {
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
           AND l.objsubid = 2
         ORDER BY a.backend_start
         LIMIT 1",
    )
    .bind(i64::from(key.0))
    .bind(i64::from(key.1))
    .fetch_optional(session)
    .await
    .map_err(during("looking for who has the right to delete"))?;
    let (name, from) = found.unwrap_or_default();
    let name = name.as_deref().and_then(|name| name.strip_prefix("retentiond "));
    let name = name.unwrap_or("unknown");
    Ok(from.map_or_else(|| name.to_owned(), |from| format!("{name} ({from})")))
}
