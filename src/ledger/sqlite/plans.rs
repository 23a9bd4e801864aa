//! Plans that wait, and the leave to run exactly one of them.

pub(super) use crate::ledger::common::controls::approval;
use std::sync::Arc;

use sqlx::SqliteConnection;

use super::fault::{conflict, during};
use super::rows::{batch_address, count, file_id, policy_name, timestamp};
use super::{intern, leaves};
use crate::evidence::Fact;
use crate::ledger::{LedgerError, StoredFile, StoredPlan};
use crate::model::{Approval, BatchAddress, BatchKey, FileKey, SweepId, Timestamp};
use crate::rules::policy::RuleDigest;

/// A prefix shorter than this may name a plan that nobody meant.
const SHORTEST_PREFIX: usize = 8;

/// Rows of a stored plan deleted by one statement.
const FORGOTTEN_AT_ONCE: u32 = 10_000;

pub(super) async fn store(
    tx: &mut SqliteConnection,
    plan: &StoredPlan,
    files: &[StoredFile],
    sweep: SweepId,
) -> Result<(), LedgerError> {
    let context = "storing a plan";
    let policy = intern::policy(tx, &plan.policy).await?;
    let rules = intern::rule_set(tx, &plan.rules).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO plans (hash, policy, sweep, at, files, waits_for, rule_set)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (hash) DO UPDATE
         SET policy = excluded.policy, sweep = excluded.sweep, at = excluded.at, files = excluded.files,
             waits_for = excluded.waits_for, rule_set = excluded.rule_set
         RETURNING id",
    )
    .bind(&plan.hash)
    .bind(policy)
    .bind(sweep.0)
    .bind(plan.at.as_millis())
    .bind(i64::try_from(plan.files).unwrap_or(i64::MAX))
    .bind(plan.waits_for.as_deref())
    .bind(rules)
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    if plan.waits_for.is_none() || !files.is_empty() {
        forget_files(tx, id).await?;
    }
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

/// What was stored before under the same hash: what somebody changed in it must not stay. By the page, for SQLite
/// keeps the key of every row that a statement is to delete, and a plan may have a million.
async fn forget_files(tx: &mut SqliteConnection, plan: i64) -> Result<(), LedgerError> {
    loop {
        let gone = sqlx::query(
            "DELETE FROM plan_files
             WHERE plan = ?1
               AND place IN (SELECT place FROM plan_files WHERE plan = ?1 ORDER BY place LIMIT ?2)",
        )
        .bind(plan)
        .bind(FORGOTTEN_AT_ONCE)
        .execute(&mut *tx)
        .await
        .map_err(during("storing a plan"))?;
        if gone.rows_affected() < u64::from(FORGOTTEN_AT_ONCE) {
            return Ok(());
        }
    }
}

async fn write_files(tx: &mut SqliteConnection, plan: i64, files: &[StoredFile]) -> Result<(), LedgerError> {
    if files.is_empty() {
        return Ok(());
    }
    let list = serde_json::to_string(
        &files
            .iter()
            .map(|file| {
                (
                    file.place,
                    file.key.batch.0,
                    &file.key.file,
                    file.starts_at.as_millis(),
                    file.due_at.as_millis(),
                )
            })
            .collect::<Vec<_>>(),
    )
    .expect("numbers and ids are plain");
    sqlx::query(
        "INSERT INTO plan_files (plan, place, batch, file_id, starts_at, due_at)
         SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
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

pub(super) async fn add(
    tx: &mut SqliteConnection,
    hash: &str,
    files: &[StoredFile],
) -> Result<(), LedgerError> {
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
    let rows: Vec<(String, String, String, i64, i64, String)> = sqlx::query_as(
        "SELECT p.hash, o.name, r.digest, p.at, p.files, p.waits_for
         FROM plans p
         JOIN policies o ON o.id = p.policy
         JOIN rule_sets r ON r.id = p.rule_set
         WHERE p.waits_for IS NOT NULL AND p.at >= ?1
         ORDER BY p.at DESC, p.id DESC",
    )
    .bind(since.as_millis())
    .fetch_all(tx)
    .await
    .map_err(during("reading plans that wait"))?;
    rows.into_iter()
        .map(|(hash, policy, rules, at, files, waits_for)| {
            Ok(StoredPlan {
                hash,
                policy: policy_name(policy)?,
                rules: RuleDigest(rules),
                at: timestamp(at)?,
                files: count(files)?,
                waits_for: Some(waits_for),
            })
        })
        .collect()
}

type FileRow = (i64, i64, String, i64, i64, String, String, String, String);

pub(super) async fn files(
    tx: &mut SqliteConnection,
    hash: &str,
    from: u64,
    page: u32,
) -> Result<Vec<StoredFile>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(
        "SELECT f.place, f.batch, f.file_id, f.starts_at, f.due_at, b.account, b.module, b.parent, b.batch
         FROM plan_files f
         JOIN batches b ON b.id = f.batch
         WHERE f.plan = (SELECT id FROM plans WHERE hash = ?1)
           AND f.place >= ?2
         ORDER BY f.place
         LIMIT ?3",
    )
    .bind(hash)
    .bind(i64::try_from(from).unwrap_or(i64::MAX))
    .bind(page)
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of a plan"))?;
    let mut known: Option<(i64, Arc<BatchAddress>)> = None;
    let mut files = Vec::with_capacity(rows.len());
    for (place, key, file, starts_at, due_at, account, module, parent, batch) in rows {
        let address = match &known {
            Some((of, address)) if *of == key => Arc::clone(address),
            Some(_) | None => Arc::new(batch_address(&account, &module, parent, batch)?),
        };
        known = Some((key, Arc::clone(&address)));
        files.push(StoredFile {
            place: count(place)?,
            key: FileKey {
                batch: BatchKey(key),
                file: file_id(file)?,
            },
            batch: address,
            starts_at: timestamp(starts_at)?,
            due_at: timestamp(due_at)?,
        });
    }
    Ok(files)
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
    rows.into_iter().map(approval).collect()
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
