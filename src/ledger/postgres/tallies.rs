//! Counts by policy: from the tallies that are kept, and from ranges of the index of what is due.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::fault::{damaged, during};
use super::rows::{Keys, count, optional, policy_name, state};
use crate::ledger::{LedgerError, Tally};
use crate::model::{FileState, PolicyName, Timestamp};

pub(super) async fn live(tx: &mut PgConnection, policy: &PolicyName) -> Result<u64, LedgerError> {
    let files: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(files), 0)::bigint
         FROM tallies
         WHERE state = 0
           AND policy = (SELECT id FROM policies WHERE name = $1)",
    )
    .bind(policy.as_str())
    .fetch_one(tx)
    .await
    .map_err(during("counting live files"))?;
    count(files)
}

pub(super) async fn tallies(
    tx: &mut PgConnection,
    now: Timestamp,
) -> Result<BTreeMap<Option<PolicyName>, Tally>, LedgerError> {
    let mut tallies = BTreeMap::new();
    for (id, name) in policies(tx).await? {
        let mut tally = counts(tx, id).await?;
        if tally.by_state.is_empty() && id == 0 {
            continue;
        }
        add_due(tx, id, now, &mut tally).await?;
        tallies.insert(name, tally);
    }
    Ok(tallies)
}

/// Every policy that ever was, by number; nobody's files have number 0.
pub(super) async fn policies(tx: &mut PgConnection) -> Result<Vec<(i64, Option<PolicyName>)>, LedgerError> {
    let rows: Vec<(i64, Option<String>)> = sqlx::query_as(
        "SELECT id, name
         FROM policies
         ORDER BY id",
    )
    .fetch_all(tx)
    .await
    .map_err(during("reading policies"))?;
    rows.into_iter()
        .map(|(id, name)| Ok((id, name.map(policy_name).transpose()?)))
        .collect()
}

async fn counts(tx: &mut PgConnection, policy: i64) -> Result<Tally, LedgerError> {
    let rows: Vec<(i64, bool, i64)> = sqlx::query_as(
        "SELECT state, has_due, sum(files)::bigint
         FROM tallies
         WHERE policy = $1
         GROUP BY state, has_due
         HAVING sum(files) > 0",
    )
    .bind(policy)
    .fetch_all(tx)
    .await
    .map_err(during("reading tallies"))?;
    let mut tally = Tally::default();
    for (code, has_due, files) in rows {
        let (state, files) = (state(code)?, count(files)?);
        *tally.by_state.entry(state.name()).or_default() += files;
        if state == FileState::Live && !has_due {
            tally.without_due = files;
        }
    }
    Ok(tally)
}

/// Costs what is due, and reads nothing but the index.
async fn add_due(
    tx: &mut PgConnection,
    policy: i64,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), LedgerError> {
    let (next_due, due, overdue, oldest): (Option<i64>, i64, i64, Option<i64>) = sqlx::query_as(
        "SELECT
             (SELECT f.due_at
              FROM files f
              WHERE f.state = 0 AND f.policy = $1 AND f.due_at IS NOT NULL
              ORDER BY f.due_at
              LIMIT 1),
             count(*),
             count(*) FILTER (WHERE f.deadline_at < $2),
             min(f.deadline_at) FILTER (WHERE f.deadline_at < $2)
         FROM files f
         WHERE f.state = 0 AND f.policy = $1 AND f.due_at <= $2",
    )
    .bind(policy)
    .bind(now.as_millis())
    .fetch_one(tx)
    .await
    .map_err(during("counting what is due"))?;
    tally.next_due = optional(next_due)?;
    tally.due = count(due)?;
    tally.overdue = count(overdue)?;
    tally.oldest_overdue = optional(oldest)?;
    Ok(())
}

pub(super) async fn falling_due(
    tx: &mut PgConnection,
    from: Timestamp,
    bounds: &[Timestamp],
) -> Result<BTreeMap<PolicyName, Vec<u64>>, LedgerError> {
    if bounds.is_empty() {
        return Ok(BTreeMap::new());
    }
    let until: Vec<i64> = bounds.iter().map(|bound| bound.as_millis()).collect();
    let after: Vec<i64> = std::iter::once(from.as_millis())
        .chain(until.iter().copied())
        .take(until.len())
        .collect();
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT p.name,
                j.step - 1,
                (SELECT count(*)
                 FROM files f
                 WHERE f.state = 0
                   AND f.policy = p.id
                   AND f.due_at > j.after
                   AND f.due_at <= j.until)
         FROM policies p
         CROSS JOIN unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY j (after, until, step)
         WHERE p.id > 0",
    )
    .bind(after)
    .bind(until)
    .fetch_all(tx)
    .await
    .map_err(during("counting what falls due"))?;
    let mut falling: BTreeMap<PolicyName, Vec<u64>> = BTreeMap::new();
    for (name, step, files) in rows {
        let counts = falling
            .entry(policy_name(name)?)
            .or_insert_with(|| vec![0; bounds.len()]);
        let slot = usize::try_from(step).ok().and_then(|step| counts.get_mut(step));
        *slot.ok_or_else(|| damaged("a list was counted beyond its end"))? = count(files)?;
    }
    Ok(falling)
}

/// These files are about to change their hints: their counts go.
pub(super) async fn take_off(tx: &mut PgConnection, keys: &Keys<'_>) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE tallies
         SET files = tallies.files - k.files
         FROM (
             SELECT f.policy, f.state, CASE WHEN f.state IN (0, 4) THEN f.rule_set ELSE 0 END AS rule_set,
                    f.due_at IS NOT NULL AS has_due, count(*) AS files
             FROM unnest($1::bigint[], $2::text[]) j (batch, file_id)
             JOIN files f ON f.batch = j.batch AND f.file_id = j.file_id
             GROUP BY 1, 2, 3, 4
         ) k
         WHERE tallies.policy = k.policy
           AND tallies.state = k.state
           AND tallies.rule_set = k.rule_set
           AND tallies.has_due = k.has_due",
    )
    .bind(&keys.batches)
    .bind(&keys.files)
    .execute(tx)
    .await
    .map_err(during("counting files whose hints change"))?;
    Ok(())
}

/// The same files have changed: they are counted as they are now.
pub(super) async fn put_on(tx: &mut PgConnection, keys: &Keys<'_>) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO tallies (policy, state, rule_set, has_due, files)
         SELECT f.policy, f.state, CASE WHEN f.state IN (0, 4) THEN f.rule_set ELSE 0 END, f.due_at IS NOT NULL, count(*)
         FROM unnest($1::bigint[], $2::text[]) j (batch, file_id)
         JOIN files f ON f.batch = j.batch AND f.file_id = j.file_id
         GROUP BY 1, 2, 3, 4
         ON CONFLICT (policy, state, rule_set, has_due) DO UPDATE SET files = tallies.files + excluded.files",
    )
    .bind(&keys.batches)
    .bind(&keys.files)
    .execute(tx)
    .await
    .map_err(during("counting files whose hints changed"))?;
    Ok(())
}

/// A stretch of files in key order: after one (file, batch), up to and with another.
pub(super) struct Stretch<'a> {
    pub(super) after: (&'a str, i64),
    pub(super) last: (&'a str, i64),
}

/// The live and unknown files of a stretch are about to change their hints: their counts go.
pub(super) async fn take_off_stretch(
    tx: &mut PgConnection,
    stretch: &Stretch<'_>,
) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE tallies
         SET files = tallies.files - k.files
         FROM (
             SELECT policy, state, rule_set, due_at IS NOT NULL AS has_due, count(*) AS files
             FROM files
             WHERE (file_id, batch) > ($1, $2)
               AND (file_id, batch) <= ($3, $4)
               AND state IN (0, 4)
             GROUP BY 1, 2, 3, 4
         ) k
         WHERE tallies.policy = k.policy
           AND tallies.state = k.state
           AND tallies.rule_set = k.rule_set
           AND tallies.has_due = k.has_due",
    )
    .bind(stretch.after.0)
    .bind(stretch.after.1)
    .bind(stretch.last.0)
    .bind(stretch.last.1)
    .execute(tx)
    .await
    .map_err(during("counting files that are decided anew"))?;
    Ok(())
}

/// The same stretch has changed: it is counted as it is now.
pub(super) async fn put_on_stretch(tx: &mut PgConnection, stretch: &Stretch<'_>) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO tallies (policy, state, rule_set, has_due, files)
         SELECT policy, state, rule_set, due_at IS NOT NULL, count(*)
         FROM files
         WHERE (file_id, batch) > ($1, $2)
           AND (file_id, batch) <= ($3, $4)
           AND state IN (0, 4)
         GROUP BY 1, 2, 3, 4
         ON CONFLICT (policy, state, rule_set, has_due) DO UPDATE SET files = tallies.files + excluded.files",
    )
    .bind(stretch.after.0)
    .bind(stretch.after.1)
    .bind(stretch.last.0)
    .bind(stretch.last.1)
    .execute(tx)
    .await
    .map_err(during("counting files that were decided anew"))?;
    Ok(())
}
