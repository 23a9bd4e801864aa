//! Holds. Whether one covers a file is `Holds::covering`'s to say; the counts here are for whoever
//! places one.

use crate::ledger::common::holds::{HoldRow, as_placed, columns, hold};
use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::due;
use super::fault::{conflict, during};
use super::leaves::{self, Sealing};
use super::rows::{count, state};
use crate::evidence::Fact;
use crate::ledger::{LedgerError, Placed};
use crate::model::{AttemptId, FileState, Hold, HoldId, HoldScope, NewHold, Timestamp};

pub(super) async fn add(tx: &mut PgConnection, new: &NewHold, at: Timestamp) -> Result<Placed, LedgerError> {
    let (kind, key, value) = columns(&new.scope);
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO holds (scope, label_key, value, reason, reference, owner, review_by, placed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         RETURNING id",
    )
    .bind(kind)
    .bind(key)
    .bind(value)
    .bind(&new.reason)
    .bind(new.reference.as_deref())
    .bind(new.owner.as_deref())
    .bind(new.review_by.map(|at| at.as_millis()))
    .bind(at.as_millis())
    .fetch_one(&mut *tx)
    .await
    .map_err(during("placing a hold"))?;
    tell_of(tx, id, new, at).await?;
    let mut placed = Placed {
        hold: HoldId(id),
        covers: 0,
        under_way: Vec::new(),
        already_deleted: 0,
    };
    for (state, files) in count_by_state(tx, &new.scope).await? {
        match state {
            FileState::Live | FileState::Unknown | FileState::Quarantined => placed.covers += files,
            FileState::Deleted | FileState::Gone => placed.already_deleted += files,
            FileState::Deleting => placed.under_way = under_way(tx, &as_placed(id, new, at)).await?,
        }
    }
    Ok(placed)
}

async fn tell_of(tx: &mut PgConnection, id: i64, new: &NewHold, at: Timestamp) -> Result<(), LedgerError> {
    let (scope, key, value) = columns(&new.scope);
    let mut sealing = Sealing::new()?;
    let covers = key.map_or_else(|| value.to_owned(), |key| format!("{key}={value}"));
    let fact = Fact::Hold {
        hold: id,
        scope: scope.to_owned(),
        covers: sealing.text("covers", &covers),
        reason: sealing.text("reason", &new.reason),
        reference: sealing.optional("reference", new.reference.as_deref()),
        owner: sealing.optional("owner", new.owner.as_deref()),
        review_by: new.review_by.map(|at| at.as_millis()),
    };
    leaves::append_sealed(tx, at, fact, sealing).await
}

/// Files in the scope by state, as `Hold::covers` sees it.
async fn count_by_state(
    tx: &mut PgConnection,
    scope: &HoldScope,
) -> Result<Vec<(FileState, u64)>, LedgerError> {
    let statement = match scope {
        HoldScope::File(id) => sqlx::query_as(
            "SELECT f.state, count(*)
             FROM (
                 SELECT batch, file_id FROM files WHERE file_id = $1
                 UNION
                 SELECT batch, file_id FROM copies WHERE original_file = $1
             ) k
             JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id
             GROUP BY f.state",
        )
        .bind(id.as_str()),
        HoldScope::Batch(id) => sqlx::query_as(
            "SELECT f.state, count(*)
             FROM (
                 SELECT batch, file_id FROM files WHERE batch IN (SELECT id FROM batches WHERE batch = $1)
                 UNION
                 SELECT batch, file_id
                 FROM copies
                 WHERE original_batch IN (SELECT id FROM batches WHERE batch = $1)
             ) k
             JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id
             GROUP BY f.state",
        )
        .bind(id.as_str()),
        // Reads every file: no index leads from a label to its files, for a hold is placed seldom.
        HoldScope::Label { key, value } => sqlx::query_as(
            "SELECT f.state, count(*)
             FROM files f
             WHERE f.attributes IN (
                 SELECT a.id
                 FROM attributes a, json_each_text(a.labels::json) l
                 WHERE l.key = $1 AND l.value = $2
             )
             GROUP BY f.state",
        )
        .bind(key.as_str())
        .bind(value.as_str()),
        HoldScope::Policy(name) => sqlx::query_as(
            "SELECT state, sum(files)::bigint
             FROM tallies
             WHERE policy = (SELECT id FROM policies WHERE name = $1)
             GROUP BY state
             HAVING sum(files) > 0",
        )
        .bind(name.as_str()),
    };
    let rows: Vec<(i64, i64)> = statement
        .fetch_all(tx)
        .await
        .map_err(during("counting the files of a hold"))?;
    rows.into_iter()
        .map(|(code, files)| Ok((state(code)?, count(files)?)))
        .collect()
}

/// Attempts that a hold comes too late for.
async fn under_way(tx: &mut PgConnection, hold: &Hold) -> Result<Vec<AttemptId>, LedgerError> {
    let mut attempts = BTreeSet::new();
    for file in due::deleting(tx).await? {
        if !hold.covers(&file, file.owner.as_ref()) {
            continue;
        }
        let ids: Vec<i64> = sqlx::query_scalar(
            "SELECT a.id
             FROM attempt_files l
             JOIN attempts a ON a.id = l.attempt
             WHERE l.file_id = $2 AND a.batch = $1 AND a.settled_at IS NULL",
        )
        .bind(file.key.batch.0)
        .bind(file.key.file.as_str())
        .fetch_all(&mut *tx)
        .await
        .map_err(during("reading attempts under way"))?;
        attempts.extend(ids.into_iter().map(AttemptId));
    }
    Ok(attempts.into_iter().collect())
}

pub(super) async fn release(
    tx: &mut PgConnection,
    id: HoldId,
    reason: &str,
    at: Timestamp,
    ends_at: Timestamp,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE holds
         SET released_at = $2, release_reason = $3, ends_at = $4
         WHERE id = $1 AND released_at IS NULL",
    )
    .bind(id.0)
    .bind(at.as_millis())
    .bind(reason)
    .bind(ends_at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("releasing a hold"))?;
    if done.rows_affected() == 1 {
        let mut sealing = Sealing::new()?;
        let fact = Fact::Release {
            hold: id.0,
            reason: sealing.text("reason", reason),
            ends_at: ends_at.as_millis(),
        };
        return leaves::append_sealed(tx, at, fact, sealing).await;
    }
    Err(conflict(
        format!("hold {}", id.0),
        "there is none, or it is released",
    ))
}

/// Releases it, unless there is none or somebody did; whether it did.
pub(super) async fn release_once(
    tx: &mut PgConnection,
    id: HoldId,
    reason: &str,
    at: Timestamp,
    ends_at: Timestamp,
) -> Result<bool, LedgerError> {
    match release(tx, id, reason, at, ends_at).await {
        Ok(()) => Ok(true),
        Err(LedgerError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Those that cover at `at`; costs what they are, not what has ended.
pub(super) async fn active(tx: &mut PgConnection, at: Timestamp) -> Result<Vec<Hold>, LedgerError> {
    let rows: Vec<HoldRow> = sqlx::query_as(
        "SELECT id, scope, label_key, value, reason, reference, owner, review_by, placed_at, released_at,
                ends_at
         FROM holds
         WHERE ends_at IS NULL OR ends_at > $1
         ORDER BY id",
    )
    .bind(at.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading the holds in force"))?;
    rows.into_iter().map(hold).collect()
}

pub(super) async fn all(tx: &mut PgConnection) -> Result<Vec<Hold>, LedgerError> {
    let rows: Vec<HoldRow> = sqlx::query_as(
        "SELECT id, scope, label_key, value, reason, reference, owner, review_by, placed_at, released_at,
                ends_at
         FROM holds
         ORDER BY id",
    )
    .fetch_all(tx)
    .await
    .map_err(during("reading holds"))?;
    rows.into_iter().map(hold).collect()
}
