//! A part is taken.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::ledger::postgres::fault::during;
use crate::ledger::postgres::rows::{batch_address, count, file_id, policy_name, timestamp};
use crate::ledger::{LedgerError, Part, TakenPart};
use crate::model::{BatchKey, SweepId};
use crate::rules::policy::RuleDigest;

type TakenRow = (
    i64,
    i64,
    i64,
    i64,
    Vec<String>,
    Vec<i64>,
    i64,
    String,
    String,
    String,
    String,
    String,
);

pub(super) async fn take(
    tx: &mut PgConnection,
    seat: i64,
    of: Option<SweepId>,
    rules: &RuleDigest,
) -> Result<Option<TakenPart>, LedgerError> {
    let of = match of {
        Some(sweep) => Some(sweep.0),
        None => sweep_to_help(tx, seat, rules).await?,
    };
    let Some(sweep) = of else {
        return Ok(None);
    };
    let row: Option<TakenRow> = sqlx::query_as(
        "WITH taken AS (
             UPDATE parts
             SET peer = $1, takes = takes + 1
             WHERE id = (
                 SELECT p.id
                 FROM parts p
                 WHERE p.sweep = $2
                   AND p.summary IS NULL
                   AND (p.peer IS NULL OR p.peer NOT IN (SELECT number FROM living))
                   AND EXISTS (
                       SELECT 1
                       FROM sweeps s
                       JOIN rule_sets r ON r.id = s.rule_set
                       WHERE s.id = $2
                         AND s.state = 'open'
                         AND r.digest = $3
                         -- What was adopted since by somebody else decides from then on.
                         AND r.id = coalesce((SELECT rule_set FROM rule_adoptions ORDER BY id DESC LIMIT 1), r.id)
                   )
                 ORDER BY p.id
                 LIMIT 1
                 FOR UPDATE OF p SKIP LOCKED
             )
             RETURNING id, sweep, budget, batch, files, deadlines, takes
         )
         SELECT t.id, t.sweep, t.budget, t.batch, t.files, t.deadlines, t.takes, n.name, b.account, b.module, b.parent, b.batch
         FROM taken t
         JOIN sweeps s ON s.id = t.sweep
         JOIN policies n ON n.id = s.policy
         JOIN batches b ON b.id = t.batch",
    )
    .bind(seat)
    .bind(sweep)
    .bind(&rules.0)
    .fetch_optional(tx)
    .await
    .map_err(during("taking a part of a sweep"))?;
    row.map(|row| taken(row, rules)).transpose()
}

/// A sweep that somebody else leads and that has a part for us.
async fn sweep_to_help(
    tx: &mut PgConnection,
    seat: i64,
    rules: &RuleDigest,
) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT s.id
         FROM sweeps s
         JOIN rule_sets r ON r.id = s.rule_set
         WHERE s.state = 'open'
           AND r.digest = $2
           AND r.id = coalesce((SELECT rule_set FROM rule_adoptions ORDER BY id DESC LIMIT 1), r.id)
           AND s.peer <> $1
           AND s.peer IN (SELECT number FROM living)
           AND EXISTS (
               SELECT 1
               FROM parts p
               WHERE p.sweep = s.id
                 AND p.summary IS NULL
                 AND (p.peer IS NULL OR p.peer NOT IN (SELECT number FROM living))
           )
         ORDER BY s.id
         LIMIT 1",
    )
    .bind(seat)
    .bind(&rules.0)
    .fetch_optional(tx)
    .await
    .map_err(during("looking for a sweep that is shared"))
}

fn taken(row: TakenRow, rules: &RuleDigest) -> Result<TakenPart, LedgerError> {
    let (id, sweep, budget, batch, files, deadlines, takes, policy, account, module, parent, name) = row;
    let files = files.into_iter().zip(deadlines);
    let files: Result<_, LedgerError> = files
        .map(|(file, deadline)| Ok((file_id(file)?, timestamp(deadline)?)))
        .collect();
    Ok(TakenPart {
        id,
        sweep: SweepId(sweep),
        policy: policy_name(policy)?,
        rules: rules.clone(),
        budget: count(budget)?,
        address: Arc::new(batch_address(&account, &module, parent, name)?),
        takes: count(takes)?,
        part: Part {
            batch: BatchKey(batch),
            files: files?,
        },
    })
}
