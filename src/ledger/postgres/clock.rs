//! Readings of the clocks, and the anomalies between them.

use crate::ledger::common::controls::{anomaly, mark as mark_of};
use sqlx::PgConnection;

use super::fault::during;
use super::rows::{count, optional};
use super::{leaves, tree};
use crate::evidence::Fact;
use crate::ledger::LedgerError;
use crate::model::{ClockAnomaly, ClockMark, Timestamp};

pub(super) async fn mark(
    tx: &mut PgConnection,
    host: &str,
) -> Result<Option<(ClockMark, Timestamp)>, LedgerError> {
    let row: Option<(i64, i64, String, i64)> = sqlx::query_as(
        "SELECT wall, boottime_ms, boot_id, high_water
         FROM clocks
         WHERE host = $1
         UNION ALL
         -- From when there was one host.
         SELECT wall, boottime_ms, boot_id, high_water
         FROM clock
         WHERE NOT EXISTS (SELECT 1 FROM clocks)",
    )
    .bind(host)
    .fetch_optional(tx)
    .await
    .map_err(during("reading the clock mark"))?;
    row.map(mark_of).transpose()
}

/// When any host looked last.
pub(super) async fn last_look(tx: &mut PgConnection) -> Result<Option<Timestamp>, LedgerError> {
    let wall: Option<i64> = sqlx::query_scalar("SELECT wall FROM clock")
        .fetch_optional(tx)
        .await
        .map_err(during("reading the clock mark"))?;
    optional(wall)
}

pub(super) async fn set_mark(tx: &mut PgConnection, new: &ClockMark, host: &str) -> Result<(), LedgerError> {
    let last = last_look(tx).await?;
    if let Some((from, until)) = tree::gap(last, new.wall) {
        leaves::append(tx, new.wall, Fact::Gap { from, until }).await?;
    }
    sqlx::query(
        "WITH own AS (
             INSERT INTO clocks (host, wall, boottime_ms, boot_id, high_water)
             VALUES (
                 $4, $1, $2, $3,
                 greatest($1, (SELECT high_water FROM clock WHERE NOT EXISTS (SELECT 1 FROM clocks)))
             )
             ON CONFLICT (host) DO UPDATE
             SET wall = excluded.wall,
                 boottime_ms = excluded.boottime_ms,
                 boot_id = excluded.boot_id,
                 high_water = greatest(clocks.high_water, excluded.wall)
         )
         INSERT INTO clock (one, wall, boottime_ms, boot_id, high_water)
         VALUES (1, $1, $2, $3, $1)
         ON CONFLICT (one) DO UPDATE
         SET wall = excluded.wall,
             boottime_ms = excluded.boottime_ms,
             boot_id = excluded.boot_id,
             high_water = greatest(clock.high_water, excluded.wall)",
    )
    .bind(new.wall.as_millis())
    .bind(new.boottime_ms)
    .bind(&new.boot_id)
    .bind(host)
    .execute(tx)
    .await
    .map_err(during("keeping the clock mark"))?;
    Ok(())
}

pub(super) async fn reset_high_water(
    tx: &mut PgConnection,
    mark: &ClockMark,
    host: &str,
) -> Result<(), LedgerError> {
    set_mark(tx, mark, host).await?;
    sqlx::query(
        "WITH hosts AS (
             UPDATE clocks
             SET high_water = CASE WHEN host = $2 THEN $1 ELSE least(high_water, $1) END
         )
         UPDATE clock
         SET high_water = $1",
    )
    .bind(mark.wall.as_millis())
    .bind(host)
    .execute(tx)
    .await
    .map_err(during("lowering the high-water mark"))?;
    Ok(())
}

/// One that stands is heard again: that it was said is kept by the server's clock.
pub(super) async fn add_anomaly(
    tx: &mut PgConnection,
    anomaly: &ClockAnomaly,
    host: &str,
) -> Result<bool, LedgerError> {
    let new: Option<bool> = sqlx::query_scalar(
        "INSERT INTO anomalies (identity, seen_at, skew_ms, resolved_at, host, heard_at)
         VALUES ($1, $2, $3, $4, $5, server_ms())
         ON CONFLICT (identity) DO UPDATE
         SET heard_at = excluded.heard_at
         WHERE anomalies.resolved_at IS NULL
         -- A row that was there has been locked.
         RETURNING xmax = 0",
    )
    .bind(&anomaly.identity)
    .bind(anomaly.seen_at.as_millis())
    .bind(anomaly.skew_ms)
    .bind(anomaly.resolved_at.map(|at| at.as_millis()))
    .bind(host)
    .fetch_optional(tx)
    .await
    .map_err(during("noting a clock anomaly"))?;
    Ok(new.unwrap_or(false))
}

/// Those of `host`; without one, all.
pub(super) async fn resolve(
    tx: &mut PgConnection,
    at: Timestamp,
    host: Option<String>,
) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE anomalies
         SET resolved_at = $1
         WHERE resolved_at IS NULL
           AND ($2::text IS NULL OR host IS NULL OR host = $2 OR NOT still_objects(heard_at))",
    )
    .bind(at.as_millis())
    .bind(host)
    .execute(tx)
    .await
    .map_err(during("resolving clock anomalies"))?;
    Ok(())
}

pub(super) async fn anomalies(tx: &mut PgConnection) -> Result<(u64, Vec<ClockAnomaly>), LedgerError> {
    let context = "reading clock anomalies";
    let ever: i64 = sqlx::query_scalar("SELECT count(*) FROM anomalies")
        .fetch_one(&mut *tx)
        .await
        .map_err(during(context))?;
    let rows: Vec<(String, i64, i64, Option<i64>)> = sqlx::query_as(
        "SELECT identity, seen_at, skew_ms, resolved_at
         FROM anomalies
         WHERE resolved_at IS NULL
           AND still_objects(heard_at)
         ORDER BY id",
    )
    .fetch_all(tx)
    .await
    .map_err(during(context))?;
    let standing: Result<Vec<_>, LedgerError> = rows.into_iter().map(anomaly).collect();
    Ok((count(ever)?, standing?))
}
