//! What hangs on files that were just inserted: their counts, subjects and originals.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use crate::ledger::LedgerError;
use crate::ledger::common::intake::change::{Numbers, rule_set};
use crate::ledger::common::intake::prepare::Row;
use crate::ledger::sqlite::fault::during;

pub(super) async fn attach(
    tx: &mut SqliteConnection,
    new: &[&Row],
    numbers: &Numbers,
) -> Result<(), LedgerError> {
    if new.is_empty() {
        return Ok(());
    }
    count_in(tx, new, numbers).await?;
    add_subjects(tx, new, numbers).await?;
    add_originals(tx, new, numbers).await
}

async fn count_in(tx: &mut SqliteConnection, new: &[&Row], numbers: &Numbers) -> Result<(), LedgerError> {
    let mut by_policy: BTreeMap<(i64, i64, bool), u64> = BTreeMap::new();
    let mut by_batch: BTreeMap<i64, u64> = BTreeMap::new();
    for row in new {
        let policy = row.hint.policy.map_or(0, |at| numbers.policies[at]);
        let kind = (policy, rule_set(row, numbers), row.hint.due.is_some());
        *by_policy.entry(kind).or_default() += 1;
        *by_batch.entry(numbers.batches[row.batch]).or_default() += 1;
    }
    let tallies: Vec<_> = by_policy
        .into_iter()
        .map(|((policy, rule_set, has_due), files)| json!([policy, rule_set, i64::from(has_due), files]))
        .collect();
    sqlx::query(
        "INSERT INTO tallies (policy, state, rule_set, has_due, files)
         SELECT value ->> 0, 0, value ->> 1, value ->> 2, value ->> 3
         FROM json_each(?1)
         WHERE true -- or the parser takes ON for a join
         ON CONFLICT DO UPDATE SET files = files + excluded.files",
    )
    .bind(Value::Array(tallies).to_string())
    .execute(&mut *tx)
    .await
    .map_err(during("counting new files"))?;
    let batches: Vec<_> = by_batch
        .into_iter()
        .map(|(batch, files)| json!([batch, files]))
        .collect();
    sqlx::query(
        "UPDATE batches
         SET files_left = files_left + (j.value ->> 1)
         FROM json_each(?1) j
         WHERE batches.id = j.value ->> 0",
    )
    .bind(Value::Array(batches).to_string())
    .execute(tx)
    .await
    .map_err(during("counting new files"))?;
    Ok(())
}

async fn add_subjects(tx: &mut SqliteConnection, new: &[&Row], numbers: &Numbers) -> Result<(), LedgerError> {
    let list = list(new.iter().filter_map(|row| {
        let subject = row.facts.subject.as_ref()?;
        Some(json!([numbers.batches[row.batch], row.file, subject]))
    }));
    let Some(list) = list else { return Ok(()) };
    sqlx::query(
        "INSERT INTO subjects (batch, file_id, subject)
         SELECT value ->> 0, value ->> 1, value ->> 2
         FROM json_each(?1)",
    )
    .bind(list)
    .execute(tx)
    .await
    .map_err(during("recording subjects"))?;
    Ok(())
}

async fn add_originals(
    tx: &mut SqliteConnection,
    new: &[&Row],
    numbers: &Numbers,
) -> Result<(), LedgerError> {
    let list = list(new.iter().filter_map(|row| {
        let (batch, file) = row.facts.original.as_ref()?;
        Some(json!([
            numbers.batches[row.batch],
            row.file,
            numbers.batches[*batch],
            file
        ]))
    }));
    let Some(list) = list else { return Ok(()) };
    sqlx::query(
        "INSERT INTO copies (batch, file_id, original_batch, original_file)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
         FROM json_each(?1)",
    )
    .bind(list)
    .execute(tx)
    .await
    .map_err(during("recording linked copies"))?;
    Ok(())
}

fn list(rows: impl Iterator<Item = Value>) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| Value::Array(rows).to_string())
}
