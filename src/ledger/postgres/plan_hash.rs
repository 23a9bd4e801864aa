//! The hash of a stored plan, computed again: what is approved and what runs is what was stored, to the byte.

use futures_util::TryStreamExt;
use sqlx::PgConnection;

use super::fault::during;
use super::rows::{batch_address, count, policy_name, timestamp};
use crate::ledger::LedgerError;
use crate::rules::plan::PlanHasher;
use crate::rules::policy::RuleDigest;

type Row = (String, String, String, String, String, i64, i64);

/// The hash over what is stored; `None` when no such plan waits. Nothing is kept of a file that was read.
pub(super) async fn recomputed(tx: &mut PgConnection, hash: &str) -> Result<Option<String>, LedgerError> {
    let context = "reading a plan again";
    let head: Option<(i64, String, Option<String>, i64)> = sqlx::query_as(
        "SELECT p.id, o.name, r.digest, p.files
         FROM plans p
         JOIN policies o ON o.id = p.policy
         LEFT JOIN rule_sets r ON r.id = p.rule_set
         WHERE p.hash = $1 AND p.waits_for IS NOT NULL",
    )
    .bind(hash)
    .fetch_optional(&mut *tx)
    .await
    .map_err(during(context))?;
    let Some((plan, policy, rules, files)) = head else {
        return Ok(None);
    };
    let rules = RuleDigest(rules.unwrap_or_default());
    // A file too few or too many shows in the head, which says how many there are.
    let mut hasher = PlanHasher::new(&policy_name(policy)?, &rules, count(files)?);
    let mut rows = sqlx::query_as::<_, Row>(
        "SELECT b.account, b.module, b.parent, b.batch, f.file_id, f.starts_at, f.due_at
         FROM plan_files f
         JOIN batches b ON b.id = f.batch
         WHERE f.plan = $1
         ORDER BY f.place",
    )
    .bind(plan)
    .fetch(tx);
    while let Some((account, module, parent, batch, file, starts_at, due_at)) =
        rows.try_next().await.map_err(during(context))?
    {
        hasher.add(
            &batch_address(&account, &module, parent, batch)?,
            &file,
            timestamp(starts_at)?,
            timestamp(due_at)?,
        );
    }
    Ok(Some(hasher.finish()))
}
