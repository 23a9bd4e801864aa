//! The slow path of an intake: live files that were known, with facts that differ.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::merge::{Facts, merge_attributes};
use super::prepare::{Row, RowHint};
use super::{Numbers, UNDECIDED, json_list};
use crate::ledger::LedgerError;
use crate::ledger::sqlite::fault::{damaged, during, ensure_rows};
use crate::ledger::sqlite::intern::{self, Attributes};
use crate::ledger::sqlite::rows::attributes_by_id;
use crate::ledger::sqlite::tallies;

/// Place in the page, then uploaded, processed, attributes, subject, original's batch and file.
type KnownRow = (
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
);

/// A known file whose facts change. All indexes in it are numbers of the ledger.
struct Change<'a> {
    row: &'a Row,
    facts: Facts,
    /// `None`: what the caller found was for other facts than these.
    hint: Option<RowHint>,
}

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
    let mut values = Values::load(tx, &known, numbers, attributes).await?;
    let mut changes = Vec::new();
    for row in known {
        changes.extend(change(row, page, numbers, &mut values)?);
    }
    values.settle(tx, &mut changes).await?;
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

fn change<'a>(
    known: KnownRow,
    page: &[&'a Row],
    numbers: &Numbers,
    values: &mut Values,
) -> Result<Option<Change<'a>>, LedgerError> {
    let (at, uploaded, processed, attributes, subject, original_batch, original_file) = known;
    let row = usize::try_from(at)
        .ok()
        .and_then(|at| page.get(at).copied())
        .ok_or_else(|| damaged("json_each counted beyond its list"))?;
    let known = Facts {
        uploaded,
        processed,
        attributes: attributes.map(index).transpose()?,
        subject,
        original: match original_batch.zip(original_file) {
            Some((batch, file)) => Some((index(batch)?, file)),
            None => None,
        },
    };
    let new = numbered(&row.facts, numbers)?;
    let facts = known.merged(&new, |a, b| values.merge(a, b));
    if facts == known {
        return Ok(None);
    }
    let exact = row.hint.exact && facts == new;
    Ok(Some(Change {
        row,
        facts,
        hint: exact.then_some(row.hint),
    }))
}

fn numbered(facts: &Facts, numbers: &Numbers) -> Result<Facts, LedgerError> {
    Ok(Facts {
        attributes: facts
            .attributes
            .map(|at| index(numbers.attributes[at]))
            .transpose()?,
        original: match &facts.original {
            Some((batch, file)) => Some((index(numbers.batches[*batch])?, file.clone())),
            None => None,
        },
        ..facts.clone()
    })
}

fn index(number: i64) -> Result<usize, LedgerError> {
    usize::try_from(number).map_err(|_| damaged(format!("{number} is no number of a row")))
}

impl Change<'_> {
    /// `[batch, file, uploaded, processed, attributes, subject, original batch, original file, has
    /// hint, policy, due, deadline, rule set]`
    fn list(&self, numbers: &Numbers) -> Value {
        let original = self.facts.original.as_ref();
        let hint = self.hint;
        json!([
            numbers.batches[self.row.batch],
            self.row.file,
            self.facts.uploaded,
            self.facts.processed,
            self.facts.attributes,
            self.facts.subject,
            original.map(|o| o.0),
            original.map(|o| &o.1),
            hint.is_some(),
            hint.map(|h| h.policy.map_or(0, |at| numbers.policies[at])),
            hint.and_then(|h| h.due),
            hint.and_then(|h| h.deadline),
            hint.map_or(UNDECIDED, |_| numbers.rule_set),
        ])
    }
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

/// Attributes by number, and those that only merging made, which have none yet.
struct Values {
    by_number: HashMap<usize, Attributes>,
    made: Vec<Attributes>,
}

impl Values {
    /// Numbers from here on stand for `made`: far beyond any row number.
    const MADE: usize = usize::MAX / 2;

    async fn load(
        tx: &mut SqliteConnection,
        known: &[KnownRow],
        numbers: &Numbers,
        attributes: &[Attributes],
    ) -> Result<Self, LedgerError> {
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
        Ok(Self {
            by_number,
            made: Vec::new(),
        })
    }

    fn merge(&mut self, known: usize, new: usize) -> usize {
        // Both were loaded or interned in this transaction.
        let (a, b) = (&self.by_number[&known], &self.by_number[&new]);
        let merged = merge_attributes(a, b);
        if merged == *a {
            return known;
        }
        if merged == *b {
            return new;
        }
        if self.made.last() != Some(&merged) {
            self.made.push(merged);
        }
        Self::MADE + self.made.len() - 1
    }

    /// Gives the made ones their numbers.
    async fn settle(self, tx: &mut SqliteConnection, changes: &mut [Change<'_>]) -> Result<(), LedgerError> {
        let made = intern::attributes(tx, &self.made).await?;
        for change in changes {
            let Some(attributes) = &mut change.facts.attributes else {
                continue;
            };
            if let Some(at) = attributes.checked_sub(Self::MADE) {
                *attributes = index(made[at])?;
            }
        }
        Ok(())
    }
}
