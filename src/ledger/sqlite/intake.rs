//! Recording uploads: one statement a page, sorted by key, and a slow path only for what is known.
//!
//! First the rows are prepared without the database (`prepare`): shared names become indexes, and a
//! file that the list names twice becomes one. New files then go in with one `INSERT … DO NOTHING`;
//! only if some were known are those read that differ, merged (`merge`) and updated (`update`).

mod merge;
mod prepare;
mod update;

use std::fmt::Write as _;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::during;
use super::{SqliteLedger, intern};
use crate::ledger::{Hinted, Intake, LedgerError, Recorded};
use crate::model::Timestamp;
use crate::rules::policy::RuleDigest;
use prepare::{Prepared, Row};

/// Rows per statement: beyond, nothing is gained and the list only grows.
const PAGE: usize = 50_000;
/// The rule set of a file whose hints were found for other facts than it has now.
const UNDECIDED: i64 = 0;

#[async_trait]
impl Intake for SqliteLedger {
    async fn record(
        &self,
        rows: &[Hinted],
        digest: &RuleDigest,
        _now: Timestamp,
    ) -> Result<Recorded, LedgerError> {
        if rows.is_empty() {
            return Ok(Recorded::default());
        }
        let prepared = Prepared::new(rows);
        let digest = digest.clone();
        self.write(move |tx| Box::pin(async move { record(tx, prepared, &digest).await }))
            .await
    }
}

/// The ledger's numbers for the indexes of a [`Prepared`].
#[derive(Debug)]
struct Numbers {
    batches: Vec<i64>,
    attributes: Vec<i64>,
    policies: Vec<i64>,
    rule_set: i64,
}

async fn record(
    tx: &mut SqliteConnection,
    mut prepared: Prepared,
    digest: &RuleDigest,
) -> Result<Recorded, LedgerError> {
    let numbers = Numbers {
        batches: intern::batches(tx, &prepared.batches).await?,
        attributes: intern::attributes(tx, &prepared.attributes).await?,
        policies: intern::policies(tx, &prepared.policies).await?,
        rule_set: intern::rule_set(tx, digest).await?,
    };
    // In key order the B-tree grows at its edge.
    prepared.rows.sort_unstable_by(|a, b| {
        (numbers.batches[a.batch], a.file.as_str()).cmp(&(numbers.batches[b.batch], b.file.as_str()))
    });
    let mut total = prepared.folded;
    for page in prepared.rows.chunks(PAGE) {
        let list = json_list(page, &numbers);
        insert_side_facts(tx, page, &numbers).await?;
        let added = insert(tx, &list).await?;
        let known = page.len() as u64 - added;
        let updated = if known == 0 {
            0
        } else {
            update::merge_known(tx, page, &list, &numbers, &prepared.attributes).await?
        };
        total.added += added;
        total.updated += updated;
        total.known += known - updated;
    }
    Ok(total)
}

async fn insert(tx: &mut SqliteConnection, list: &str) -> Result<u64, LedgerError> {
    let done = sqlx::query(
        "INSERT INTO files
                (batch, file_id, state, policy, uploaded_at, processed_at, due_at, deadline_at, attributes,
                 rule_set)
         SELECT value ->> 0, value ->> 1, 0, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8
         FROM json_each(?1)
         WHERE true -- or the parser takes ON for a join
         ON CONFLICT (batch, file_id) DO NOTHING",
    )
    .bind(list)
    .execute(tx)
    .await
    .map_err(during("recording files"))?;
    Ok(done.rows_affected())
}

/// Subjects and originals of files that are not known yet.
async fn insert_side_facts(
    tx: &mut SqliteConnection,
    page: &[Row],
    numbers: &Numbers,
) -> Result<(), LedgerError> {
    let subjects = side_list(page.iter().filter_map(|row| {
        let subject = row.facts.subject.as_ref()?;
        Some(serde_json::json!([numbers.batches[row.batch], row.file, subject]))
    }));
    let copies = side_list(page.iter().filter_map(|row| {
        let (batch, file) = row.facts.original.as_ref()?;
        Some(serde_json::json!([
            numbers.batches[row.batch],
            row.file,
            numbers.batches[*batch],
            file
        ]))
    }));
    if let Some(list) = subjects {
        sqlx::query(
            "INSERT INTO subjects (batch, file_id, subject)
             SELECT value ->> 0, value ->> 1, value ->> 2
             FROM json_each(?1)
             WHERE NOT EXISTS (
                 SELECT 1
                 FROM files f
                 WHERE f.batch = value ->> 0 AND f.file_id = value ->> 1
             )",
        )
        .bind(list)
        .execute(&mut *tx)
        .await
        .map_err(during("recording subjects"))?;
    }
    if let Some(list) = copies {
        sqlx::query(
            "INSERT INTO copies (batch, file_id, original_batch, original_file)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
             FROM json_each(?1)
             WHERE NOT EXISTS (
                 SELECT 1
                 FROM files f
                 WHERE f.batch = value ->> 0 AND f.file_id = value ->> 1
             )",
        )
        .bind(list)
        .execute(&mut *tx)
        .await
        .map_err(during("recording linked copies"))?;
    }
    Ok(())
}

fn side_list(rows: impl Iterator<Item = serde_json::Value>) -> Option<String> {
    let rows: Vec<_> = rows.collect();
    (!rows.is_empty()).then(|| serde_json::Value::Array(rows).to_string())
}

/// `[[batch, file, policy, uploaded, processed, due, deadline, attributes, rule set], …]`
fn json_list(page: &[Row], numbers: &Numbers) -> String {
    let mut list = String::with_capacity(page.len() * 100 + 2);
    list.push('[');
    for (at, row) in page.iter().enumerate() {
        if at > 0 {
            list.push(',');
        }
        push_row(&mut list, row, numbers);
    }
    list.push(']');
    list
}

fn push_row(list: &mut String, row: &Row, numbers: &Numbers) {
    let never = "writing to a String does not fail";
    let file = serde_json::to_string(row.file.as_str()).expect("an id is plain text");
    let policy = row.hint.policy.map_or(0, |at| numbers.policies[at]);
    write!(
        list,
        "[{},{file},{policy},{}",
        numbers.batches[row.batch], row.facts.uploaded
    )
    .expect(never);
    let attributes = row.facts.attributes.map(|at| numbers.attributes[at]);
    for value in [row.facts.processed, row.hint.due, row.hint.deadline, attributes] {
        match value {
            Some(value) => write!(list, ",{value}").expect(never),
            None => list.push_str(",null"),
        }
    }
    let rule_set = if row.hint.exact {
        numbers.rule_set
    } else {
        UNDECIDED
    };
    write!(list, ",{rule_set}]").expect(never);
}
