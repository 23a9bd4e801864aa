//! What the requests of a sweep came to, whoever made them.

use sqlx::SqliteConnection;

use super::fault::{conflict, during};
use super::rows::count;
use crate::ledger::LedgerError;
use crate::ledger::common::sweeps::{CameTo, came_to as summed};
use crate::model::{SweepId, SweepSummary};

pub(super) async fn sent(tx: &mut SqliteConnection, sweep: SweepId) -> Result<u64, LedgerError> {
    let sent: Option<i64> = sqlx::query_scalar(
        "SELECT sent
         FROM sweeps
         WHERE id = ?1",
    )
    .bind(sweep.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading what a sweep has sent"))?;
    count(sent.ok_or_else(|| conflict(format!("sweep {}", sweep.0), "there is no such sweep"))?)
}

pub(super) async fn came_to(tx: &mut SqliteConnection, sweep: SweepId) -> Result<SweepSummary, LedgerError> {
    let counts: CameTo = sqlx::query_as(
        "SELECT count(DISTINCT attempt),
                count(*) FILTER (WHERE NOT is_copy),
                count(*) FILTER (WHERE NOT is_copy AND went AND result = 2),
                count(*) FILTER (WHERE NOT is_copy AND went AND result = 2 AND deadline_at < intent_at),
                count(*) FILTER (WHERE NOT is_copy AND went AND result = 3),
                count(*) FILTER (WHERE NOT is_copy AND finding = 'absent'),
                count(*) FILTER (WHERE is_copy AND went AND result IN (2, 3))
         FROM (
             SELECT l.attempt, l.result, l.finding, a.intent_at, f.deadline_at,
                    l.finding IS NOT 'still-there' AS went,
                    EXISTS (
                        SELECT 1
                        FROM copies c
                        WHERE c.batch = a.batch AND c.file_id = l.file_id
                    ) AS is_copy
             FROM attempts a
             CROSS JOIN attempt_files l ON l.attempt = a.id
             CROSS JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id
             WHERE a.sweep = ?1
         ) asked",
    )
    .bind(sweep.0)
    .fetch_one(tx)
    .await
    .map_err(during("counting what a sweep came to"))?;
    summed(counts)
}
