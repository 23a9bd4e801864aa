//! Plans that wait, and the leave to run exactly one of them.

use sqlx::SqliteConnection;

use super::fault::{conflict, during};
use super::rows::{count, file_id, policy_name, timestamp};
use super::{intern, leaves};
use crate::evidence::Fact;
use crate::ledger::{LedgerError, StoredPlan};
use crate::model::{Approval, BatchKey, FileKey, SweepId, Timestamp};

/// A prefix shorter than this may name a plan that nobody meant.
const SHORTEST_PREFIX: usize = 8;

pub(super) async fn store(
    tx: &mut SqliteConnection,
    plan: &StoredPlan,
    files: &[FileKey],
    sweep: SweepId,
) -> Result<(), LedgerError> {
    let context = "storing a plan";
    let policy = intern::policy(tx, &plan.policy).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO plans (hash, policy, sweep, at, files, waits_for)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (hash) DO UPDATE
         SET at = excluded.at, sweep = excluded.sweep, waits_for = excluded.waits_for
         RETURNING id",
    )
    .bind(&plan.hash)
    .bind(policy)
    .bind(sweep.0)
    .bind(plan.at.as_millis())
    .bind(i64::try_from(plan.files).unwrap_or(i64::MAX))
    .bind(plan.waits_for.as_deref())
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    write_files(tx, id, files).await?;
    if plan.waits_for.is_none() {
        return Ok(());
    }
    let fact = Fact::Plan {
        plan: plan.hash.clone(),
        policy: plan.policy.to_string(),
        sweep: sweep.0,
        files: plan.files,
    };
    leaves::append(tx, plan.at, fact).await
}

async fn write_files(tx: &mut SqliteConnection, plan: i64, files: &[FileKey]) -> Result<(), LedgerError> {
    if files.is_empty() {
        return Ok(());
    }
    let list = serde_json::to_string(
        &files
            .iter()
            .map(|key| (key.batch.0, &key.file))
            .collect::<Vec<_>>(),
    )
    .expect("numbers and ids are plain");
    sqlx::query(
        "INSERT INTO plan_files (plan, batch, file_id)
         SELECT ?1, value ->> 0, value ->> 1
         FROM json_each(?2)
         WHERE true -- or the parser takes ON for a join
         ON CONFLICT DO NOTHING",
    )
    .bind(plan)
    .bind(list)
    .execute(tx)
    .await
    .map_err(during("storing a plan"))?;
    Ok(())
}

pub(super) async fn add(tx: &mut SqliteConnection, hash: &str, files: &[FileKey]) -> Result<(), LedgerError> {
    let plan: Option<i64> = sqlx::query_scalar(
        "SELECT id
         FROM plans
         WHERE hash = ?1 AND waits_for IS NULL",
    )
    .bind(hash)
    .fetch_optional(&mut *tx)
    .await
    .map_err(during("looking for a plan"))?;
    let plan = plan.ok_or_else(|| conflict("the plan", "it is not stored, or waits already"))?;
    write_files(tx, plan, files).await
}

pub(super) async fn waiting(
    tx: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<StoredPlan>, LedgerError> {
    let rows: Vec<(String, String, i64, i64, String)> = sqlx::query_as(
        "SELECT p.hash, o.name, p.at, p.files, p.waits_for
         FROM plans p
         JOIN policies o ON o.id = p.policy
         WHERE p.waits_for IS NOT NULL AND p.at >= ?1
         ORDER BY p.at DESC, p.id DESC",
    )
    .bind(since.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading plans that wait"))?;
    rows.into_iter()
        .map(|(hash, policy, at, files, waits_for)| {
            Ok(StoredPlan {
                hash,
                policy: policy_name(policy)?,
                at: timestamp(at)?,
                files: count(files)?,
                waits_for: Some(waits_for),
            })
        })
        .collect()
}

pub(super) async fn files(
    tx: &mut SqliteConnection,
    hash: &str,
    after: Option<&FileKey>,
    page: u32,
) -> Result<Vec<FileKey>, LedgerError> {
    let (batch, file) = after.map_or((i64::MIN, ""), |key| (key.batch.0, key.file.as_str()));
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT batch, file_id
         FROM plan_files
         WHERE plan = (SELECT id FROM plans WHERE hash = ?1)
           AND (batch, file_id) > (?2, ?3)
         ORDER BY batch, file_id
         LIMIT ?4",
    )
    .bind(hash)
    .bind(batch)
    .bind(file)
    .bind(page)
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of a plan"))?;
    rows.into_iter()
        .map(|(batch, file)| {
            Ok(FileKey {
                batch: BatchKey(batch),
                file: file_id(file)?,
            })
        })
        .collect()
}

pub(super) async fn approve(
    tx: &mut SqliteConnection,
    hash: &str,
    at: Timestamp,
    valid_until: Timestamp,
) -> Result<Approval, LedgerError> {
    if hash.len() < SHORTEST_PREFIX {
        return Err(conflict(
            "the plan",
            format!("give at least {SHORTEST_PREFIX} characters of its hash"),
        ));
    }
    let found: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT p.id, p.hash, o.name
         FROM plans p
         JOIN policies o ON o.id = p.policy
         WHERE p.waits_for IS NOT NULL
           AND substr(p.hash, 1, length(?1)) = ?1
         LIMIT 2",
    )
    .bind(hash)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("looking for a plan"))?;
    let [(plan, whole, policy)] = found.as_slice() else {
        let problem = if found.is_empty() {
            "no plan with that hash waits"
        } else {
            "more than one plan that waits begins like that: give more of the hash"
        };
        return Err(conflict("the plan", problem));
    };
    sqlx::query(
        "INSERT INTO approvals (plan, given_at, valid_until)
         VALUES (?1, ?2, ?3)",
    )
    .bind(plan)
    .bind(at.as_millis())
    .bind(valid_until.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("approving a plan"))?;
    let fact = Fact::Approval {
        plan: whole.clone(),
        policy: policy.clone(),
        valid_until: valid_until.as_millis(),
    };
    leaves::append(tx, at, fact).await?;
    Ok(Approval {
        plan: whole.clone(),
        policy: policy_name(policy.clone())?,
        given_at: at,
        valid_until,
    })
}

pub(super) async fn approvals(
    tx: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Approval>, LedgerError> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT p.hash, o.name, a.given_at, a.valid_until
         FROM approvals a
         JOIN plans p ON p.id = a.plan
         JOIN policies o ON o.id = p.policy
         WHERE a.used_at IS NULL AND a.valid_until > ?1
         ORDER BY a.given_at DESC, a.id DESC",
    )
    .bind(now.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading approvals"))?;
    rows.into_iter()
        .map(|(plan, policy, given_at, valid_until)| {
            Ok(Approval {
                plan,
                policy: policy_name(policy)?,
                given_at: timestamp(given_at)?,
                valid_until: timestamp(valid_until)?,
            })
        })
        .collect()
}

pub(super) async fn use_up(
    tx: &mut SqliteConnection,
    hash: &str,
    sweep: SweepId,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE approvals
         SET used_at = ?3, used_by = ?2
         WHERE used_at IS NULL
           AND plan = (SELECT id FROM plans WHERE hash = ?1)",
    )
    .bind(hash)
    .bind(sweep.0)
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("using up an approval"))?;
    // Approving a plan twice gives one leave, not two: all of them are used up.
    if done.rows_affected() == 0 {
        return Err(conflict("the approval", "there is none, or it was used"));
    }
    sqlx::query(
        "UPDATE plans
         SET waits_for = NULL
         WHERE hash = ?1",
    )
    .bind(hash)
    .execute(&mut *tx)
    .await
    .map_err(during("using up an approval"))?;
    let fact = Fact::ApprovalUsed {
        plan: hash.to_owned(),
        sweep: sweep.0,
    };
    leaves::append(tx, at, fact).await
}
