//! Readings of the clocks, and the anomalies between them.

use crate::ledger::common::controls::{anomaly, mark as mark_of};
use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use super::rows::count;
use super::{leaves, tree};
use crate::evidence::Fact;
use crate::ledger::LedgerError;
use crate::model::{ClockAnomaly, ClockMark, Timestamp};

pub(super) async fn mark(tx: &mut SqliteConnection) -> Result<Option<(ClockMark, Timestamp)>, LedgerError> {
    let row: Option<(i64, i64, String, i64)> = sqlx::query_as(
        "SELECT wall, boottime_ms, boot_id, high_water
         FROM clock",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading the clock mark"))?;
    row.map(mark_of).transpose()
}

pub(super) async fn set_mark(tx: &mut SqliteConnection, new: &ClockMark) -> Result<(), LedgerError> {
    let last = mark(tx).await?.map(|(last, _)| last.wall);
    if let Some((from, until)) = tree::gap(last, new.wall) {
        leaves::append(tx, new.wall, Fact::Gap { from, until }).await?;
    }
    sqlx::query(
        "INSERT INTO clock (one, wall, boottime_ms, boot_id, high_water)
         VALUES (1, ?1, ?2, ?3, ?1)
         ON CONFLICT (one) DO UPDATE
         SET wall = excluded.wall,
             boottime_ms = excluded.boottime_ms,
             boot_id = excluded.boot_id,
             high_water = max(high_water, excluded.wall)",
    )
    .bind(new.wall.as_millis())
    .bind(new.boottime_ms)
    .bind(&new.boot_id)
    .execute(tx)
    .await
    .map_err(during("keeping the clock mark"))?;
    Ok(())
}

pub(super) async fn reset_high_water(tx: &mut SqliteConnection, mark: &ClockMark) -> Result<(), LedgerError> {
    set_mark(tx, mark).await?;
    sqlx::query(
        "UPDATE clock
         SET high_water = wall",
    )
    .execute(tx)
    .await
    .map_err(during("lowering the high-water mark"))?;
    Ok(())
}

pub(super) async fn add_anomaly(
    tx: &mut SqliteConnection,
    anomaly: &ClockAnomaly,
) -> Result<bool, LedgerError> {
    let done = sqlx::query(
        "INSERT INTO anomalies (identity, seen_at, skew_ms, resolved_at)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (identity) DO NOTHING",
    )
    .bind(&anomaly.identity)
    .bind(anomaly.seen_at.as_millis())
    .bind(anomaly.skew_ms)
    .bind(anomaly.resolved_at.map(|at| at.as_millis()))
    .execute(tx)
    .await
    .map_err(during("noting a clock anomaly"))?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn resolve_anomalies(tx: &mut SqliteConnection, at: Timestamp) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE anomalies
         SET resolved_at = ?1
         WHERE resolved_at IS NULL",
    )
    .bind(at.as_millis())
    .execute(tx)
    .await
    .map_err(during("resolving clock anomalies"))?;
    Ok(())
}

pub(super) async fn anomalies(tx: &mut SqliteConnection) -> Result<(u64, Vec<ClockAnomaly>), LedgerError> {
    let context = "reading clock anomalies";
    let (ever, standing): (i64, String) = sqlx::query_as(
        "SELECT count(*),
                json_group_array(json_array(identity, seen_at, skew_ms, resolved_at) ORDER BY id)
                    FILTER (WHERE resolved_at IS NULL)
         FROM anomalies",
    )
    .fetch_one(tx)
    .await
    .map_err(during(context))?;
    let rows: Vec<(String, i64, i64, Option<i64>)> =
        serde_json::from_str(&standing).map_err(|error| damaged(format!("{context}: {error}")))?;
    let standing: Result<Vec<_>, LedgerError> = rows.into_iter().map(anomaly).collect();
    Ok((count(ever)?, standing?))
}
