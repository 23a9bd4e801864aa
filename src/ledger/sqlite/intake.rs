//! Recording uploads: one statement a page, sorted by key, and a slow path only for what is known.
//!
//! First the rows are prepared without the database (`prepare`): shared names become indexes, and a
//! file that the list names twice becomes one. New files then go in with one `INSERT … DO NOTHING`,
//! and what hangs on them after it (`attach`); only if some were known is the page taken apart, and
//! those that differ merged (`merge`) and updated (`update`).

mod attach;
mod update;

use std::collections::HashSet;
use std::fmt::Write as _;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::fault::{during, ensure_rows};
use super::{SqliteLedger, erasures, intern, occurred};
use crate::ledger::common::intake::change::{Numbers, rule_set};
use crate::ledger::common::intake::prepare::{Prepared, Row};
use crate::ledger::{Hinted, Intake, LedgerError, Recorded};
use crate::model::Timestamp;
use crate::rules::policy::RuleDigest;
use attach::attach;

/// Rows per statement: beyond, nothing is gained and the list only grows.
const PAGE: usize = 50_000;
/// From so many rows on it is a bulk import, whose process may use more memory.
const BULK: usize = 10_000;
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

pub(super) async fn record(
    tx: &mut SqliteConnection,
    mut prepared: Prepared,
    digest: &RuleDigest,
) -> Result<Recorded, LedgerError> {
    if prepared.rows.len() >= BULK {
        // 64 MiB, so that a page of new rows does not spill into the log before its commit.
        sqlx::query("PRAGMA cache_size = -65536")
            .execute(&mut *tx)
            .await
            .map_err(during("preparing a bulk import"))?;
    }
    let numbers = Numbers {
        batches: intern::batches(tx, &prepared.batches).await?,
        attributes: intern::attributes(tx, &prepared.attributes).await?,
        policies: intern::policies(tx, &prepared.policies).await?,
        rule_set: intern::rule_set(tx, digest).await?,
    };
    if occurred::any(tx).await? {
        doubt_covered(tx, &mut prepared, &numbers).await?;
    }
    // In key order the B-tree grows at its edge.
    prepared.rows.sort_unstable_by(|a, b| {
        (a.file.as_str(), numbers.batches[a.batch]).cmp(&(b.file.as_str(), numbers.batches[b.batch]))
    });
    let requested = erasures::any_open(tx).await?;
    let mut total = prepared.folded;
    for page in prepared.rows.chunks(PAGE) {
        let page: Vec<&Row> = page.iter().collect();
        let known = insert(tx, &page, &numbers).await?;
        let updated = update::merge_known(tx, &known, &numbers, &prepared.attributes).await?;
        if requested {
            erasures::take_in(tx, &keys(&page, &numbers)).await?;
        }
        total.added += (page.len() - known.len()) as u64;
        total.updated += updated;
        total.known += known.len() as u64 - updated;
    }
    Ok(total)
}

/// The caller's hints know of no events: files that one covers are decided again.
async fn doubt_covered(
    tx: &mut SqliteConnection,
    prepared: &mut Prepared,
    numbers: &Numbers,
) -> Result<(), LedgerError> {
    for page in prepared.rows.chunks_mut(PAGE) {
        let list = page.iter().map(|row| {
            let original = row.facts.original.as_ref();
            json!([
                numbers.batches[row.batch],
                row.file,
                row.facts.attributes.map(|at| numbers.attributes[at]),
                original.map(|(batch, _)| numbers.batches[*batch]),
                original.map(|(_, file)| file),
            ])
        });
        let list = Value::Array(list.collect()).to_string();
        for at in occurred::covered(tx, &list).await? {
            if let Some(row) = page.get_mut(at) {
                row.hint.exact = false;
            }
        }
    }
    Ok(())
}

/// Inserts those that are new, with all that hangs on them, and gives back the others.
async fn insert<'a>(
    tx: &mut SqliteConnection,
    page: &[&'a Row],
    numbers: &Numbers,
) -> Result<Vec<&'a Row>, LedgerError> {
    let context = "recording files";
    // Mostly a page is new throughout; asking first would cost every such page a fifth.
    sqlx::query("SAVEPOINT page")
        .execute(&mut *tx)
        .await
        .map_err(during(context))?;
    let added = insert_files(tx, &json_list(page, numbers)).await?;
    if added == page.len() as u64 {
        sqlx::query("RELEASE page")
            .execute(&mut *tx)
            .await
            .map_err(during(context))?;
        attach(tx, page, numbers).await?;
        return Ok(Vec::new());
    }
    sqlx::query("ROLLBACK TO page")
        .execute(&mut *tx)
        .await
        .map_err(during(context))?;
    sqlx::query("RELEASE page")
        .execute(&mut *tx)
        .await
        .map_err(during(context))?;
    let known = known(tx, &json_list(page, numbers)).await?;
    let (known, new): (Vec<_>, Vec<_>) = page
        .iter()
        .enumerate()
        .partition(|(at, _)| i64::try_from(*at).is_ok_and(|at| known.contains(&at)));
    let new: Vec<&Row> = new.into_iter().map(|(_, row)| *row).collect();
    let added = insert_files(tx, &json_list(&new, numbers)).await?;
    ensure_rows("files being recorded", added, new.len())?;
    attach(tx, &new, numbers).await?;
    Ok(known.into_iter().map(|(_, row)| *row).collect())
}

async fn insert_files(tx: &mut SqliteConnection, list: &str) -> Result<u64, LedgerError> {
    let done = sqlx::query(
        "INSERT INTO files
                (batch, file_id, state, policy, uploaded_at, processed_at, due_at, deadline_at, attributes,
                 rule_set)
         SELECT value ->> 0, value ->> 1, 0, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                value ->> 7, value ->> 8
         FROM json_each(?1)
         WHERE true -- or the parser takes ON for a join
         ON CONFLICT (file_id, batch) DO NOTHING",
    )
    .bind(list)
    .execute(tx)
    .await
    .map_err(during("recording files"))?;
    Ok(done.rows_affected())
}

/// Places in the list whose file is known.
async fn known(tx: &mut SqliteConnection, list: &str) -> Result<HashSet<i64>, LedgerError> {
    let places: Vec<i64> = sqlx::query_scalar(
        "SELECT j.key
         FROM json_each(?1) j
         CROSS JOIN files f ON f.batch = j.value ->> 0 AND f.file_id = j.value ->> 1",
    )
    .bind(list)
    .fetch_all(tx)
    .await
    .map_err(during("looking for known files"))?;
    Ok(places.into_iter().collect())
}

/// `[[batch, file], …]`
fn keys(page: &[&Row], numbers: &Numbers) -> String {
    let keys: Vec<_> = page
        .iter()
        .map(|row| (numbers.batches[row.batch], row.file.as_str()))
        .collect();
    serde_json::to_string(&keys).expect("numbers and ids are plain")
}

/// `[[batch, file, policy, uploaded, processed, due, deadline, attributes, rule set], …]`
fn json_list(page: &[&Row], numbers: &Numbers) -> String {
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
    write!(list, ",{}]", rule_set(row, numbers)).expect(never);
}
