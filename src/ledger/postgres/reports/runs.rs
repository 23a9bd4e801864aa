//! Sweeps of the period: how they ended, which were not done, and which scheduled instants have one.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::super::fault::during;
use super::super::rows::{count, policy_name, timestamp};
use super::super::sweeps::sweep_state;
use crate::ledger::common::unfinished::{UnfinishedRow, of_row};
use crate::ledger::{LedgerError, ReportPeriod, Run, SweepCount, UnfinishedSweep};
use crate::model::{PolicyName, Timestamp};

/// A run that began so long after the period's end may still be that of an instant within it.
const WITHIN_MS: i64 = 3_600_000;

pub(super) async fn sweeps(
    tx: &mut PgConnection,
    period: &ReportPeriod,
) -> Result<Vec<SweepCount>, LedgerError> {
    let rows: Vec<(String, String, i64, i64, i64)> = sqlx::query_as(
        "SELECT p.name, s.state, count(*),
                count(*) FILTER (WHERE s.trigger = 'catch-up'),
                count(*) FILTER (WHERE coalesce(s.summary::json ->> 'due', '0') = '0')
         FROM sweeps s
         JOIN policies p ON p.id = s.policy
         WHERE s.started_at >= $1 AND s.started_at < $2
         GROUP BY p.name, s.state
         ORDER BY p.name, s.state",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("counting sweeps"))?;
    rows.into_iter()
        .map(|(policy, state, sweeps, caught_up, empty)| {
            Ok(SweepCount {
                policy: policy_name(policy)?,
                state: sweep_state(&state)?,
                sweeps: count(sweeps)?,
                caught_up: count(caught_up)?,
                empty: count(empty)?,
            })
        })
        .collect()
}

pub(super) async fn unfinished(
    tx: &mut PgConnection,
    period: &ReportPeriod,
) -> Result<Vec<UnfinishedSweep>, LedgerError> {
    let rows: Vec<UnfinishedRow> = sqlx::query_as(
        "SELECT s.id, p.name, s.trigger, s.started_at, s.ended_at, s.state, s.summary,
                EXISTS (
                    SELECT 1
                    FROM plans w
                    WHERE w.hash = s.summary::json ->> 'plan'
                      AND (w.waits_for IS NOT NULL OR w.id IN (SELECT plan FROM approvals))
                ),
                (SELECT min(n.id) FROM sweeps n WHERE n.policy = s.policy AND n.id > s.id)
         FROM sweeps s
         JOIN policies p ON p.id = s.policy
         WHERE s.started_at >= $1 AND s.started_at < $2 AND s.state <> 'done'
         ORDER BY s.id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading sweeps that were not done"))?;
    rows.into_iter().map(of_row).collect()
}

pub(super) async fn scheduled(tx: &mut PgConnection, period: &ReportPeriod) -> Result<Vec<Run>, LedgerError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT p.name, s.occurrence, s.started_at
         FROM sweeps s
         JOIN policies p ON p.id = s.policy
         WHERE s.occurrence IS NOT NULL
           AND s.started_at >= $1
           AND s.started_at <= $2
         ORDER BY p.name, s.started_at, s.id",
    )
    .bind(period.from.as_millis())
    .bind(period.to.as_millis().saturating_add(WITHIN_MS))
    .fetch_all(tx)
    .await
    .map_err(during("reading scheduled sweeps"))?;
    rows.into_iter()
        .map(|(policy, occurrence, started_at)| {
            Ok(Run {
                policy: policy_name(policy)?,
                occurrence: timestamp(occurrence)?,
                started_at: timestamp(started_at)?,
            })
        })
        .collect()
}

pub(super) async fn scheduled_since(
    tx: &mut PgConnection,
) -> Result<BTreeMap<PolicyName, Timestamp>, LedgerError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT p.name, s.first_seen
         FROM schedules s
         JOIN policies p ON p.id = s.policy",
    )
    .fetch_all(tx)
    .await
    .map_err(during("reading since when policies are scheduled"))?;
    rows.into_iter()
        .map(|(policy, since)| Ok((policy_name(policy)?, timestamp(since)?)))
        .collect()
}
