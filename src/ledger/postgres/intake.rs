//! Recording uploads: one statement a page, sorted by key, and a slow path only for what is known.
//!
//! First the rows are prepared without the database (`common::intake`): shared names become indexes, and a
//! file that the list names twice becomes one. New files then go in with one `INSERT … DO NOTHING` that says
//! which they are, and what hangs on them after it (`attach`); of the others those that differ are merged and
//! updated (`update`).

mod attach;
mod update;

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{damaged, during};
use super::occurred::Coming;
use super::rows::Keys;
use super::{PostgresLedger, erasures, intern, occurred};
use crate::ledger::common::intake::change::{Numbers, rule_set};
use crate::ledger::common::intake::prepare::{Prepared, Row};
use crate::ledger::{Hinted, Intake, LedgerError, Recorded};
use crate::model::Timestamp;
use crate::rules::policy::RuleDigest;
use attach::attach;

/// Rows per statement: beyond, nothing is gained and the list only grows.
const PAGE: usize = 50_000;

#[async_trait]
impl Intake for PostgresLedger {
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
    tx: &mut PgConnection,
    mut prepared: Prepared,
    digest: &RuleDigest,
) -> Result<Recorded, LedgerError> {
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
        let (new, known) = insert(tx, page, &numbers).await?;
        attach(tx, &new, &numbers).await?;
        let updated = update::merge_known(tx, &known, &numbers, &prepared.attributes).await?;
        if requested {
            erasures::take_in(tx, &keys(page, &numbers)).await?;
        }
        total.added += new.len() as u64;
        total.updated += updated;
        total.known += known.len() as u64 - updated;
    }
    Ok(total)
}

/// The caller's hints know of no events: files that one covers are decided again.
async fn doubt_covered(
    tx: &mut PgConnection,
    prepared: &mut Prepared,
    numbers: &Numbers,
) -> Result<(), LedgerError> {
    for page in prepared.rows.chunks_mut(PAGE) {
        let mut coming = Coming::default();
        for row in page.iter() {
            let original = row.facts.original.as_ref();
            coming.batches.push(numbers.batches[row.batch]);
            coming.files.push(row.file.as_str());
            coming
                .attributes
                .push(row.facts.attributes.map(|at| numbers.attributes[at]));
            coming
                .original_batches
                .push(original.map(|(batch, _)| numbers.batches[*batch]));
            coming
                .original_files
                .push(original.map(|(_, file)| file.as_str()));
        }
        for at in occurred::covered(tx, &coming).await? {
            if let Some(row) = page.get_mut(at) {
                row.hint.exact = false;
            }
        }
    }
    Ok(())
}

/// Inserts those that are new; the new ones and the known ones.
async fn insert<'a>(
    tx: &mut PgConnection,
    page: &'a [Row],
    numbers: &Numbers,
) -> Result<(Vec<&'a Row>, Vec<&'a Row>), LedgerError> {
    let keys = keys(page, numbers);
    let column = |of: fn(&Row) -> Option<i64>| page.iter().map(of).collect::<Vec<_>>();
    let policies: Vec<i64> = page
        .iter()
        .map(|row| row.hint.policy.map_or(0, |at| numbers.policies[at]))
        .collect();
    let attributes: Vec<Option<i64>> = page
        .iter()
        .map(|row| row.facts.attributes.map(|at| numbers.attributes[at]))
        .collect();
    let rule_sets: Vec<i64> = page.iter().map(|row| rule_set(row, numbers)).collect();
    let added: Vec<(i64, String)> = sqlx::query_as(
        "INSERT INTO files
                (batch, file_id, state, policy, uploaded_at, processed_at, due_at, deadline_at, attributes,
                 rule_set)
         SELECT j.batch, j.file_id, 0, j.policy, j.uploaded_at, j.processed_at, j.due_at, j.deadline_at,
                j.attributes, j.rule_set
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::bigint[], $9::bigint[])
              j (batch, file_id, policy, uploaded_at, processed_at, due_at, deadline_at, attributes, rule_set)
         ON CONFLICT (file_id, batch) DO NOTHING
         RETURNING batch, file_id",
    )
    .bind(keys.batches)
    .bind(keys.files)
    .bind(policies)
    .bind(column(|row| Some(row.facts.uploaded)))
    .bind(column(|row| row.facts.processed))
    .bind(column(|row| row.hint.due))
    .bind(column(|row| row.hint.deadline))
    .bind(attributes)
    .bind(rule_sets)
    .fetch_all(tx)
    .await
    .map_err(during("recording files"))?;
    if added.len() == page.len() {
        return Ok((page.iter().collect(), Vec::new()));
    }
    let added: HashSet<(i64, &str)> = added
        .iter()
        .map(|(batch, file)| (*batch, file.as_str()))
        .collect();
    let (new, known): (Vec<&Row>, Vec<&Row>) = page
        .iter()
        .partition(|row| added.contains(&(numbers.batches[row.batch], row.file.as_str())));
    if new.len() != added.len() {
        return Err(damaged("files came in that nobody recorded"));
    }
    Ok((new, known))
}

fn keys<'a>(page: &'a [Row], numbers: &Numbers) -> Keys<'a> {
    page.iter()
        .map(|row| (numbers.batches[row.batch], row.file.as_str()))
        .collect()
}
