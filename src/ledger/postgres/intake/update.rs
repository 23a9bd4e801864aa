//! The slow path of an intake: live files that were known, with facts that differ.

use std::collections::{BTreeSet, HashMap};

use sqlx::PgConnection;

use crate::ledger::LedgerError;
use crate::ledger::common::Attributes;
use crate::ledger::common::intake::change::{Change, KnownRow, Numbers, UNDECIDED, Values, change, index};
use crate::ledger::common::intake::prepare::Row;
use crate::ledger::postgres::fault::{damaged, during, ensure_rows};
use crate::ledger::postgres::rows::{Keys, attributes_by_id};
use crate::ledger::postgres::{intern, tallies};

/// Merges what the rows say into what was known of their files; how many changed.
pub(super) async fn merge_known(
    tx: &mut PgConnection,
    page: &[&Row],
    numbers: &Numbers,
    attributes: &[Attributes],
) -> Result<u64, LedgerError> {
    if page.is_empty() {
        return Ok(0);
    }
    let known = differing(tx, page, numbers).await?;
    if known.is_empty() {
        return Ok(0);
    }
    let mut values = values(tx, &known, numbers, attributes).await?;
    let mut changes = Vec::new();
    for row in known {
        changes.extend(change(row, page, numbers, &mut values)?);
    }
    let made = intern::attributes(tx, values.made()).await?;
    Values::settle(&made, &mut changes)?;
    let keys: Keys<'_> = changes
        .iter()
        .map(|change| (numbers.batches[change.row.batch], change.row.file.as_str()))
        .collect();
    tallies::take_off(tx, &keys).await?;
    update_files(tx, &keys, &changes, numbers).await?;
    tallies::put_on(tx, &keys).await?;
    fill_subjects(tx, &keys, &changes).await?;
    fill_originals(tx, &keys, &changes).await?;
    Ok(changes.len() as u64)
}

/// Live files of the page that may have something to learn from it.
async fn differing(
    tx: &mut PgConnection,
    page: &[&Row],
    numbers: &Numbers,
) -> Result<Vec<KnownRow>, LedgerError> {
    let side_facts = page
        .iter()
        .any(|row| row.facts.subject.is_some() || row.facts.original.is_some());
    let keys: Keys<'_> = page
        .iter()
        .map(|row| (numbers.batches[row.batch], row.file.as_str()))
        .collect();
    let uploaded: Vec<i64> = page.iter().map(|row| row.facts.uploaded).collect();
    let processed: Vec<Option<i64>> = page.iter().map(|row| row.facts.processed).collect();
    let attributes: Vec<Option<i64>> = page
        .iter()
        .map(|row| row.facts.attributes.map(|at| numbers.attributes[at]))
        .collect();
    sqlx::query_as(
        "SELECT j.place - 1, f.uploaded_at, f.processed_at, f.attributes, s.subject, c.original_batch,
                c.original_file
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
              j (batch, file_id, uploaded_at, processed_at, attributes, place)
         JOIN files f ON f.batch = j.batch AND f.file_id = j.file_id
         LEFT JOIN subjects s ON s.batch = f.batch AND s.file_id = f.file_id
         LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
         WHERE f.state = 0
           AND (
               f.uploaded_at < j.uploaded_at
               OR (f.processed_at IS NULL AND j.processed_at IS NOT NULL)
               OR f.attributes IS DISTINCT FROM j.attributes
               OR $6
           )
         ORDER BY j.place",
    )
    .bind(keys.batches)
    .bind(keys.files)
    .bind(uploaded)
    .bind(processed)
    .bind(attributes)
    .bind(side_facts)
    .fetch_all(tx)
    .await
    .map_err(during("reading known files"))
}

async fn update_files(
    tx: &mut PgConnection,
    keys: &Keys<'_>,
    changes: &[Change<'_>],
    numbers: &Numbers,
) -> Result<(), LedgerError> {
    let uploaded: Vec<i64> = changes.iter().map(|change| change.facts.uploaded).collect();
    let processed: Vec<Option<i64>> = changes.iter().map(|change| change.facts.processed).collect();
    let attributes: Result<Vec<Option<i64>>, _> = changes
        .iter()
        .map(|change| change.facts.attributes.map(i64::try_from).transpose())
        .collect();
    let attributes = attributes.map_err(|_| damaged("attributes without a number"))?;
    let hints = || changes.iter().map(|change| change.hint);
    let exact: Vec<bool> = hints().map(|hint| hint.is_some()).collect();
    let policies: Vec<Option<i64>> = hints()
        .map(|hint| hint.map(|h| h.policy.map_or(0, |at| numbers.policies[at])))
        .collect();
    let due: Vec<Option<i64>> = hints().map(|hint| hint.and_then(|h| h.due)).collect();
    let deadlines: Vec<Option<i64>> = hints().map(|hint| hint.and_then(|h| h.deadline)).collect();
    let rule_sets: Vec<i64> = hints()
        .map(|hint| hint.map_or(UNDECIDED, |_| numbers.rule_set))
        .collect();
    let done = sqlx::query(
        "UPDATE files
         SET uploaded_at = j.uploaded_at,
             processed_at = j.processed_at,
             attributes = j.attributes,
             policy = CASE WHEN j.exact THEN j.policy ELSE files.policy END,
             due_at = CASE WHEN j.exact THEN j.due_at ELSE files.due_at END,
             deadline_at = CASE WHEN j.exact THEN j.deadline_at ELSE files.deadline_at END,
             rule_set = j.rule_set
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[],
                     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
              j (batch, file_id, uploaded_at, processed_at, attributes, exact, policy, due_at, deadline_at,
                 rule_set)
         WHERE files.batch = j.batch
           AND files.file_id = j.file_id
           AND files.state = 0",
    )
    .bind(&keys.batches)
    .bind(&keys.files)
    .bind(uploaded)
    .bind(processed)
    .bind(attributes)
    .bind(exact)
    .bind(policies)
    .bind(due)
    .bind(deadlines)
    .bind(rule_sets)
    .execute(tx)
    .await
    .map_err(during("updating known files"))?;
    ensure_rows("files being recorded again", done.rows_affected(), changes.len())
}

async fn fill_subjects(
    tx: &mut PgConnection,
    keys: &Keys<'_>,
    changes: &[Change<'_>],
) -> Result<(), LedgerError> {
    let subjects: Vec<Option<&str>> = changes
        .iter()
        .map(|change| change.facts.subject.as_deref())
        .collect();
    sqlx::query(
        "INSERT INTO subjects (batch, file_id, subject)
         SELECT j.batch, j.file_id, j.subject
         FROM unnest($1::bigint[], $2::text[], $3::text[]) j (batch, file_id, subject)
         WHERE j.subject IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(&keys.batches)
    .bind(&keys.files)
    .bind(subjects)
    .execute(tx)
    .await
    .map_err(during("filling in subjects"))?;
    Ok(())
}

async fn fill_originals(
    tx: &mut PgConnection,
    keys: &Keys<'_>,
    changes: &[Change<'_>],
) -> Result<(), LedgerError> {
    let (mut batches, mut files) = (Vec::new(), Vec::new());
    for change in changes {
        let original = change.facts.original.as_ref();
        let batch = original.map(|(batch, _)| i64::try_from(*batch)).transpose();
        batches.push(batch.map_err(|_| damaged("a batch without a number"))?);
        files.push(original.map(|(_, file)| file.as_str()));
    }
    sqlx::query(
        "INSERT INTO copies (batch, file_id, original_batch, original_file)
         SELECT j.batch, j.file_id, j.original_batch, j.original_file
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[])
              j (batch, file_id, original_batch, original_file)
         WHERE j.original_file IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(&keys.batches)
    .bind(&keys.files)
    .bind(batches)
    .bind(files)
    .execute(tx)
    .await
    .map_err(during("filling in linked copies"))?;
    Ok(())
}

/// The attributes that the known files have, and those that the page names.
async fn values(
    tx: &mut PgConnection,
    known: &[KnownRow],
    numbers: &Numbers,
    attributes: &[Attributes],
) -> Result<Values, LedgerError> {
    let mut by_number = HashMap::new();
    for (number, value) in numbers.attributes.iter().zip(attributes) {
        by_number.insert(index(*number)?, value.clone());
    }
    let wanted: BTreeSet<i64> = known.iter().filter_map(|row| row.3).collect();
    for (number, (document_type, labels)) in attributes_by_id(tx, &wanted).await? {
        let value = Attributes {
            document_type: document_type.map(|text| text.to_string()),
            labels: (*labels).clone(),
        };
        by_number.insert(index(number)?, value);
    }
    Ok(Values::new(by_number))
}
