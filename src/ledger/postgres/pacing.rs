//! The spacing of calls that all processes share: one row for each account and endpoint, by the server's clock.
//!
//! A connection of its own, made at the first question: nobody waits here for a write, and no write for this.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::fault::during;
use super::open::{PostgresOptions, address};
use super::session::Session;
use crate::ledger::common::asking::{Body, finish};
use crate::ledger::{CallStart, Lane, LedgerError, Pacing};

/// Asks the row.
#[derive(Debug)]
pub(in crate::ledger) struct PostgresPacing {
    session: Arc<Mutex<Session>>,
}

impl PostgresPacing {
    pub(in crate::ledger) fn of(options: &PostgresOptions) -> Result<Self, LedgerError> {
        let session = Session::later(&Arc::new(address(options)?));
        Ok(Self {
            session: Arc::new(Mutex::new(session)),
        })
    }

    /// One statement, committed by itself. Whether or not anybody waits for the answer, it is read to its end.
    async fn ask<T: Send + 'static>(
        &self,
        body: impl for<'t> FnOnce(&'t mut PgConnection) -> Body<'t, T> + Clone + Send + 'static,
    ) -> Result<T, LedgerError> {
        let mut session = Arc::clone(&self.session).lock_owned().await;
        finish(tokio::spawn(async move { session.one(body).await })).await
    }
}

#[async_trait]
impl Pacing for PostgresPacing {
    async fn next_call(
        &self,
        lane: &Lane,
        interval: Duration,
        patience: Duration,
    ) -> Result<CallStart, LedgerError> {
        let (asked, patience_us) = (lane.clone(), micros(patience));
        if interval.is_zero() {
            let wait = self.ask(move |tx| Box::pin(wait(tx, asked))).await?;
            return Ok(if wait > patience {
                CallStart::NotFor(wait)
            } else {
                CallStart::In(wait)
            });
        }
        let interval = micros(interval);
        let taken = self
            .ask(move |tx| Box::pin(take(tx, asked, interval, patience_us)))
            .await?;
        match taken {
            Some(wait) => Ok(CallStart::In(wait)),
            None => {
                let asked = lane.clone();
                let wait = self.ask(move |tx| Box::pin(wait(tx, asked))).await?;
                Ok(CallStart::NotFor(wait))
            }
        }
    }

    async fn put_off_calls(&self, lane: &Lane, wait: Duration) -> Result<(), LedgerError> {
        let (lane, wait) = (lane.clone(), micros(wait));
        self.ask(move |tx| Box::pin(put_off(tx, lane, wait))).await
    }
}

/// The next start, in one statement: its row is locked for as long as that takes. `None`: it is too far off.
async fn take(
    tx: &mut PgConnection,
    lane: Lane,
    interval: i64,
    patience: i64,
) -> Result<Option<Duration>, LedgerError> {
    let wait: Option<i64> = sqlx::query_scalar(
        "INSERT INTO pacing (account, endpoint, next_at)
         VALUES ($1, $2, clock_timestamp() + $3::bigint * INTERVAL '1 microsecond')
         ON CONFLICT (account, endpoint) DO UPDATE
         SET next_at = greatest(booked(pacing.next_at), clock_timestamp()) + $3::bigint * INTERVAL '1 microsecond'
         WHERE booked(pacing.next_at) <= clock_timestamp() + $4::bigint * INTERVAL '1 microsecond'
         RETURNING ceil(
             extract(epoch FROM next_at - $3::bigint * INTERVAL '1 microsecond' - clock_timestamp()) * 1000000
         )::bigint",
    )
    .bind(lane.account)
    .bind(lane.endpoint)
    .bind(interval)
    .bind(patience)
    .fetch_optional(tx)
    .await
    .map_err(during("taking the next start of a call"))?;
    Ok(wait.map(duration))
}

async fn wait(tx: &mut PgConnection, lane: Lane) -> Result<Duration, LedgerError> {
    let wait: Option<i64> = sqlx::query_scalar(
        "SELECT ceil(extract(epoch FROM booked(next_at) - clock_timestamp()) * 1000000)::bigint
         FROM pacing
         WHERE account = $1 AND endpoint = $2",
    )
    .bind(lane.account)
    .bind(lane.endpoint)
    .fetch_optional(tx)
    .await
    .map_err(during("asking when a call may leave"))?;
    Ok(wait.map(duration).unwrap_or_default())
}

async fn put_off(tx: &mut PgConnection, lane: Lane, wait: i64) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO pacing (account, endpoint, next_at)
         VALUES ($1, $2, clock_timestamp() + least($3::bigint * INTERVAL '1 microsecond', INTERVAL '1 hour'))
         ON CONFLICT (account, endpoint) DO UPDATE
         SET next_at = greatest(booked(pacing.next_at), excluded.next_at)",
    )
    .bind(lane.account)
    .bind(lane.endpoint)
    .bind(wait)
    .execute(tx)
    .await
    .map_err(during("putting calls off"))?;
    Ok(())
}

/// A day at most: more than anything here waits for, and far from where an instant ends.
fn micros(duration: Duration) -> i64 {
    let longest = Duration::from_secs(24 * 3600);
    i64::try_from(duration.min(longest).as_micros()).unwrap_or(i64::MAX)
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
