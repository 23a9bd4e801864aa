//! What hangs on files that were just inserted: their counts, subjects and originals.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::ledger::LedgerError;
use crate::ledger::common::intake::change::{Numbers, rule_set};
use crate::ledger::common::intake::prepare::Row;
use crate::ledger::postgres::fault::during;

pub(super) async fn attach(
    tx: &mut PgConnection,
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

async fn count_in(tx: &mut PgConnection, new: &[&Row], numbers: &Numbers) -> Result<(), LedgerError> {
    let mut by_policy: BTreeMap<(i64, i64, bool), i64> = BTreeMap::new();
    let mut by_batch: BTreeMap<i64, i64> = BTreeMap::new();
    for row in new {
        let policy = row.hint.policy.map_or(0, |at| numbers.policies[at]);
        let kind = (policy, rule_set(row, numbers), row.hint.due.is_some());
        *by_policy.entry(kind).or_default() += 1;
        *by_batch.entry(numbers.batches[row.batch]).or_default() += 1;
    }
    sqlx::query(
        "INSERT INTO tallies (policy, state, rule_set, has_due, files)
         SELECT j.policy, 0, j.rule_set, j.has_due, j.files
         FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[])
              j (policy, rule_set, has_due, files)
         ON CONFLICT (policy, state, rule_set, has_due) DO UPDATE SET files = tallies.files + excluded.files",
    )
    .bind(by_policy.keys().map(|kind| kind.0).collect::<Vec<_>>())
    .bind(by_policy.keys().map(|kind| kind.1).collect::<Vec<_>>())
    .bind(by_policy.keys().map(|kind| kind.2).collect::<Vec<_>>())
    .bind(by_policy.values().copied().collect::<Vec<_>>())
    .execute(&mut *tx)
    .await
    .map_err(during("counting new files"))?;
    sqlx::query(
        "UPDATE batches
         SET files_left = batches.files_left + j.files
         FROM unnest($1::bigint[], $2::bigint[]) j (batch, files)
         WHERE batches.id = j.batch",
    )
    .bind(by_batch.keys().copied().collect::<Vec<_>>())
    .bind(by_batch.values().copied().collect::<Vec<_>>())
    .execute(tx)
    .await
    .map_err(during("counting new files"))?;
    Ok(())
}

async fn add_subjects(tx: &mut PgConnection, new: &[&Row], numbers: &Numbers) -> Result<(), LedgerError> {
    let (mut batches, mut files, mut subjects) = (Vec::new(), Vec::new(), Vec::new());
    for row in new {
        if let Some(subject) = &row.facts.subject {
            batches.push(numbers.batches[row.batch]);
            files.push(row.file.as_str());
            subjects.push(subject.as_str());
        }
    }
    if batches.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO subjects (batch, file_id, subject)
         SELECT j.batch, j.file_id, j.subject
         FROM unnest($1::bigint[], $2::text[], $3::text[]) j (batch, file_id, subject)",
    )
    .bind(batches)
    .bind(files)
    .bind(subjects)
    .execute(tx)
    .await
    .map_err(during("recording subjects"))?;
    Ok(())
}

async fn add_originals(tx: &mut PgConnection, new: &[&Row], numbers: &Numbers) -> Result<(), LedgerError> {
    let (mut batches, mut files) = (Vec::new(), Vec::new());
    let (mut original_batches, mut original_files) = (Vec::new(), Vec::new());
    for row in new {
        if let Some((batch, file)) = &row.facts.original {
            batches.push(numbers.batches[row.batch]);
            files.push(row.file.as_str());
            original_batches.push(numbers.batches[*batch]);
            original_files.push(file.as_str());
        }
    }
    if batches.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO copies (batch, file_id, original_batch, original_file)
         SELECT j.batch, j.file_id, j.original_batch, j.original_file
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[])
              j (batch, file_id, original_batch, original_file)",
    )
    .bind(batches)
    .bind(files)
    .bind(original_batches)
    .bind(original_files)
    .execute(tx)
    .await
    .map_err(during("recording linked copies"))?;
    Ok(())
}
