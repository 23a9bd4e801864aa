//! The server's clock, and those of the other hosts.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresLedger;
use super::clock;
use super::fault::during;
use super::rows::{optional, timestamp};
use crate::ledger::common::controls::anomaly;
use crate::ledger::{Clocks, LedgerError, OtherClocks};
use crate::model::{ClockAnomaly, ClockMark, Timestamp};

#[async_trait]
impl Clocks for PostgresLedger {
    async fn other_clocks(&self) -> Result<OtherClocks, LedgerError> {
        let host = self.host.clone();
        self.read_one(move |tx| Box::pin(others(tx, host))).await
    }

    async fn vouch_for_clock(&self, mark: &ClockMark, at: Timestamp) -> Result<(), LedgerError> {
        let (mark, host) = (mark.clone(), self.host.clone());
        self.write(move |tx| {
            Box::pin(async move {
                clock::reset_high_water(tx, &mark, &host).await?;
                begin_anew(tx, &host).await?;
                clock::resolve(tx, at, None).await
            })
        })
        .await
    }
}

async fn others(tx: &mut PgConnection, host: String) -> Result<OtherClocks, LedgerError> {
    let (server, peers, objecting): (i64, Option<i64>, Option<String>) = sqlx::query_as(
        "SELECT server_ms(),
                (SELECT max(high_water) FROM clocks WHERE host <> $1),
                (
                    SELECT min(host)
                    FROM anomalies
                    WHERE resolved_at IS NULL
                      AND host <> $1
                      AND still_objects(heard_at)
                )",
    )
    .bind(&host)
    .fetch_one(tx)
    .await
    .map_err(during("reading the clocks of others"))?;
    Ok(OtherClocks {
        host: Some(host),
        server: Some(timestamp(server)?),
        peers: optional(peers)?,
        objecting,
    })
}

pub(super) async fn own(tx: &mut PgConnection, host: &str) -> Result<Vec<ClockAnomaly>, LedgerError> {
    let rows: Vec<(String, i64, i64, Option<i64>)> = sqlx::query_as(
        "SELECT identity, seen_at, skew_ms, resolved_at
         FROM anomalies
         WHERE resolved_at IS NULL
           AND (host = $1 OR host IS NULL)
         ORDER BY id",
    )
    .bind(host)
    .fetch_all(tx)
    .await
    .map_err(during("reading clock anomalies"))?;
    rows.into_iter().map(anomaly).collect()
}

/// Nothing ties the other hosts' clocks to what they read before: each needs a second witness first.
async fn begin_anew(tx: &mut PgConnection, host: &str) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE clocks
         SET boot_id = ''
         WHERE host <> $1",
    )
    .bind(host)
    .execute(tx)
    .await
    .map_err(during("letting the other hosts begin anew"))?;
    Ok(())
}
