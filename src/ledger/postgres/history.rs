//! Attempts with their files, newest first.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};

use super::fault::{damaged, during};
use super::notes::finding_name;
use super::rows::{batch_address, file_id, optional, policy_name, state, timestamp};
use crate::ledger::{HistoryFilter, LedgerError};
use crate::model::{
    Attempt, AttemptFile, AttemptId, AttemptKind, BatchId, FileId, Finding, PolicyName, SweepId,
};

/// One row for each attempt, `$id` its number as the index has it; the filter's parts that are `NULL` let everything through.
macro_rules! select_attempts {
    ($id:literal, $from:literal, $first:literal) => {
        concat!(
            "SELECT a.id, a.sweep, p.name, a.kind, b.module, b.parent, b.batch, a.intent_at, a.settled_at,
                    a.outcome, a.http_status, a.detail, b.account
             FROM ",
            $from,
            " JOIN sweeps s ON s.id = a.sweep
              JOIN policies p ON p.id = s.policy
              JOIN batches b ON b.id = a.batch
              WHERE ",
            $first,
            " AND ($1 IS NULL OR TRUE)
              AND ($2 IS NULL OR a.sweep = $2)
              AND ($3 IS NULL OR a.intent_at >= $3)
              AND ($4 IS NULL OR a.intent_at < $4)
              AND ($7 IS NULL OR b.batch = $7)
              AND ($8 IS NULL OR p.name = $8)
              AND ",
            $id,
            " < coalesce($5, 9223372036854775807)
              ORDER BY ",
            $id,
            " DESC
              LIMIT $6"
        )
    };
}

struct AttemptRow {
    id: i64,
    sweep: i64,
    policy: String,
    kind: String,
    module: String,
    parent: String,
    batch: String,
    intent_at: i64,
    settled_at: Option<i64>,
    outcome: Option<String>,
    http_status: Option<i64>,
    detail: Option<String>,
    account: String,
}

impl FromRow<'_, PgRow> for AttemptRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(0)?,
            sweep: row.try_get(1)?,
            policy: row.try_get(2)?,
            kind: row.try_get(3)?,
            module: row.try_get(4)?,
            parent: row.try_get(5)?,
            batch: row.try_get(6)?,
            intent_at: row.try_get(7)?,
            settled_at: row.try_get(8)?,
            outcome: row.try_get(9)?,
            http_status: row.try_get(10)?,
            detail: row.try_get(11)?,
            account: row.try_get(12)?,
        })
    }
}

/// The statement that walks the index of the narrowest thing asked for; the rest of the filter is looked at
/// row by row.
pub(super) const fn statement(filter: &HistoryFilter) -> &'static str {
    if filter.file.is_some() {
        select_attempts!(
            "w.attempt",
            "attempt_files w
              JOIN attempts a ON a.id = w.attempt",
            "w.file_id = $1"
        )
    } else if filter.sweep.is_some() {
        select_attempts!("a.id", "attempts a", "a.sweep = $2")
    } else if filter.batch.is_some() {
        select_attempts!(
            "a.id",
            "batches w JOIN attempts a ON a.batch = w.id",
            "w.batch = $7"
        )
    } else if filter.policy.is_some() {
        select_attempts!(
            "a.id",
            "policies w JOIN sweeps ws ON ws.policy = w.id
              JOIN attempts a ON a.sweep = ws.id",
            "w.name = $8"
        )
    } else if filter.since.is_some() || filter.until.is_some() {
        select_attempts!(
            "a.id",
            "attempts a",
            "a.intent_at >= coalesce($3, -9223372036854775808) AND a.intent_at < coalesce($4, 9223372036854775807)"
        )
    } else {
        select_attempts!("a.id", "attempts a", "TRUE")
    }
}

pub(super) async fn history(
    tx: &mut PgConnection,
    filter: &HistoryFilter,
) -> Result<Vec<Attempt>, LedgerError> {
    let statement = statement(filter);
    let rows: Vec<AttemptRow> = sqlx::query_as(statement)
        .bind(filter.file.as_ref().map(FileId::as_str))
        .bind(filter.sweep.map(|sweep| sweep.0))
        .bind(filter.since.map(|at| at.as_millis()))
        .bind(filter.until.map(|at| at.as_millis()))
        .bind(filter.before.map(|attempt| attempt.0))
        .bind(i64::from(filter.limit))
        .bind(filter.batch.as_ref().map(BatchId::as_str))
        .bind(filter.policy.as_ref().map(PolicyName::as_str))
        .fetch_all(&mut *tx)
        .await
        .map_err(during("reading attempts"))?;
    let mut files = files(tx, &rows).await?;
    rows.into_iter()
        .map(|row| {
            let files = files.remove(&row.id).unwrap_or_default();
            attempt(row, files)
        })
        .collect()
}

type FileResult = (i64, String, Option<i64>, Option<i64>, Option<String>);

async fn files(
    tx: &mut PgConnection,
    attempts: &[AttemptRow],
) -> Result<HashMap<i64, Vec<AttemptFile>>, LedgerError> {
    let ids: Vec<i64> = attempts.iter().map(|attempt| attempt.id).collect();
    let rows: Vec<FileResult> = sqlx::query_as(
        "SELECT l.attempt, l.file_id, l.result, l.verified_at, l.finding
         FROM attempt_files l
         WHERE l.attempt = ANY ($1)
         ORDER BY l.attempt, l.file_id",
    )
    .bind(ids)
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of attempts"))?;
    let mut files: HashMap<i64, Vec<AttemptFile>> = HashMap::new();
    for (attempt, file, result, verified_at, found) in rows {
        files.entry(attempt).or_default().push(AttemptFile {
            file_id: file_id(file)?,
            result: result.map(state).transpose()?,
            verified_at: optional(verified_at)?,
            finding: found.map(|name| finding(&name)).transpose()?,
        });
    }
    Ok(files)
}

fn attempt(row: AttemptRow, files: Vec<AttemptFile>) -> Result<Attempt, LedgerError> {
    Ok(Attempt {
        attempt: AttemptId(row.id),
        sweep: SweepId(row.sweep),
        policy: policy_name(row.policy)?,
        call: kind(&row.kind)?,
        batch: batch_address(&row.account, &row.module, row.parent, row.batch)?,
        intent_at: timestamp(row.intent_at)?,
        settled_at: optional(row.settled_at)?,
        outcome: row.outcome,
        http_status: row
            .http_status
            .map(u16::try_from)
            .transpose()
            .map_err(|_| damaged("attempts: no HTTP status"))?,
        detail: row.detail,
        files,
    })
}

fn kind(name: &str) -> Result<AttemptKind, LedgerError> {
    [AttemptKind::DeleteFiles, AttemptKind::DeleteExtraction]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| damaged(format!("`{name}` is no call")))
}

fn finding(name: &str) -> Result<Finding, LedgerError> {
    [Finding::Absent, Finding::StillThere]
        .into_iter()
        .find(|finding| finding_name(*finding) == name)
        .ok_or_else(|| damaged(format!("`{name}` is no finding")))
}
