//! The slow path of an intake: live files that were known, with facts that differ.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;
use sqlx::SqliteConnection;

use super::json_list;
use crate::ledger::LedgerError;
use crate::ledger::common::Attributes;
use crate::ledger::common::intake::change::{KnownRow, Numbers, Values, change, index};
use crate::ledger::common::intake::prepare::Row;
use crate::ledger::sqlite::fault::{during, ensure_rows};
use crate::ledger::sqlite::intern;
use crate::ledger::sqlite::rows::attributes_by_id;
use crate::ledger::sqlite::tallies;

/// Merges what the rows say into what was known of their files; how many changed.
pub(super) async fn merge_known(
    tx: &mut SqliteConnection,
    page: &[&Row],
    numbers: &Numbers,
    attributes: &[Attributes],
) -> Result<u64, LedgerError> {
    if page.is_empty() {
        return Ok(0);
    }
    let known = differing(tx, page, &json_list(page, numbers)).await?;
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
    let list = Value::Array(changes.iter().map(|change| change.list(numbers)).collect()).to_string();
    tallies::take_off(tx, &list).await?;
    update_files(tx, &list, changes.len()).await?;
    tallies::put_on(tx, &list).await?;
    fill_side_facts(tx, &list).await?;
    Ok(changes.len() as u64)
}

/// Live files of the page that may have something to learn from it.
async fn differing(
    tx: &mut SqliteConnection,
    page: &[&Row],
    list: &str,
) -> Result<Vec<KnownRow>, LedgerError> {
    let side_facts = page
        .iter()
        .any(|row| row.facts.subject.is_some() || row.facts.original.is_some());
    sqlx::query_as(
        "SELECT j.key, f.uploaded_at, f.processed_at, f.attributes, s.subject, c.original_batch, c.original_file
         FROM json_each(?1) j
         CROSS JOIN files f ON f.batch = j.value ->> 0 AND f.file_id = j.value ->> 1
         LEFT JOIN subjects s ON s.batch = f.batch AND s.file_id = f.file_id
         LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
         WHERE f.state = 0
           AND (
               f.uploaded_at < j.value ->> 3
               OR (f.processed_at IS NULL AND j.value ->> 4 IS NOT NULL)
               OR f.attributes IS NOT j.value ->> 7
               OR ?2
           )",
    )
    .bind(list)
    .bind(side_facts)
    .fetch_all(tx)
    .await
    .map_err(during("reading known files"))
}

async fn update_files(tx: &mut SqliteConnection, list: &str, expected: usize) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE files
         SET uploaded_at = j.value ->> 2,
             processed_at = j.value ->> 3,
             attributes = j.value ->> 4,
             policy = iif(j.value ->> 8, j.value ->> 9, policy),
             due_at = iif(j.value ->> 8, j.value ->> 10, due_at),
             deadline_at = iif(j.value ->> 8, j.value ->> 11, deadline_at),
             rule_set = j.value ->> 12
         FROM json_each(?1) j
         WHERE files.batch = j.value ->> 0
           AND files.file_id = j.value ->> 1
           AND files.state = 0",
    )
    .bind(list)
    .execute(tx)
    .await
    .map_err(during("updating known files"))?;
    ensure_rows("files being recorded again", done.rows_affected(), expected)
}

async fn fill_side_facts(tx: &mut SqliteConnection, list: &str) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO subjects (batch, file_id, subject)
         SELECT value ->> 0, value ->> 1, value ->> 5
         FROM json_each(?1)
         WHERE value ->> 5 IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(list)
    .execute(&mut *tx)
    .await
    .map_err(during("filling in subjects"))?;
    sqlx::query(
        "INSERT INTO copies (batch, file_id, original_batch, original_file)
         SELECT value ->> 0, value ->> 1, value ->> 6, value ->> 7
         FROM json_each(?1)
         WHERE value ->> 6 IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .bind(list)
    .execute(&mut *tx)
    .await
    .map_err(during("filling in linked copies"))?;
    Ok(())
}

/// The attributes that the known files have, and those that the page names.
async fn values(
    tx: &mut SqliteConnection,
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
