//! From rows to the vocabulary. A value that no type of ours admits is damage, never skipped.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};

use super::fault::during;
use super::occurred;
use crate::ledger::LedgerError;
use crate::ledger::common::events::Index;
pub(super) use crate::ledger::common::records::FileRow;
use crate::ledger::common::records::{
    AttributesById, Named, Names, attributes_of, batches_of, covering_ids, policies_of, record,
};
pub(super) use crate::ledger::common::values::{
    account_text, batch_address, count, file_id, module_name, optional, policy_name, state, timestamp,
};
use crate::model::{FileId, FileRecord};

/// `SELECT` of a [`FileRow`]: what stands for the table `files f`, then the clauses after it.
macro_rules! select_files {
    ($from:literal, $($tail:tt)+) => {
        concat!(
            "SELECT f.batch, f.file_id, f.state, f.policy, f.uploaded_at, f.processed_at, f.due_at, f.deadline_at,
                    f.attributes, coalesce(s.subject, os.subject), c.original_batch, c.original_file
             FROM ",
            $from,
            " LEFT JOIN subjects s ON s.batch = f.batch AND s.file_id = f.file_id
              LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
              -- A copy is its original's subject's, whenever that was recorded.
              LEFT JOIN subjects os ON os.batch = c.original_batch AND os.file_id = c.original_file ",
            $($tail)+
        )
    };
}
pub(super) use select_files;

impl FromRow<'_, PgRow> for FileRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            batch: row.try_get(0)?,
            file_id: row.try_get(1)?,
            state: row.try_get(2)?,
            policy: row.try_get(3)?,
            uploaded_at: row.try_get(4)?,
            processed_at: row.try_get(5)?,
            due_at: row.try_get(6)?,
            deadline_at: row.try_get(7)?,
            attributes: row.try_get(8)?,
            subject: row.try_get(9)?,
            original_batch: row.try_get(10)?,
            original_file: row.try_get(11)?,
        })
    }
}

/// Whole records for a page of rows, in their order.
pub(super) async fn records(
    tx: &mut PgConnection,
    rows: Vec<FileRow>,
) -> Result<Vec<FileRecord>, LedgerError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let names = names(tx, &rows).await?;
    rows.into_iter().map(|row| record(row, &names)).collect()
}

async fn names(tx: &mut PgConnection, rows: &[FileRow]) -> Result<Names, LedgerError> {
    let named = Named::by(rows);
    let context = "reading shared names";
    let batches = sqlx::query_as(
        "SELECT id, account, module, parent, batch
         FROM batches
         WHERE id = ANY ($1)",
    )
    .bind(numbers(&named.batches))
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    let policies = if named.policies.is_empty() {
        Vec::new()
    } else {
        sqlx::query_as(
            "SELECT id, name
             FROM policies
             WHERE id = ANY ($1)",
        )
        .bind(numbers(&named.policies))
        .fetch_all(&mut *tx)
        .await
        .map_err(during(context))?
    };
    let attributes = attributes_by_id(tx, &named.attributes).await?;
    let events = if occurred::any(tx).await? {
        occurred::load(tx, &covering_ids(rows), &named.batches, &named.attributes).await?
    } else {
        Index::default()
    };
    Ok(Names {
        batches: batches_of(batches)?,
        attributes,
        policies: policies_of(policies)?,
        events,
        no_labels: Arc::default(),
    })
}

pub(super) async fn attributes_by_id(
    tx: &mut PgConnection,
    ids: &BTreeSet<i64>,
) -> Result<AttributesById, LedgerError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as(
        "SELECT id, document_type, labels
         FROM attributes
         WHERE id = ANY ($1)",
    )
    .bind(numbers(ids))
    .fetch_all(tx)
    .await
    .map_err(during("reading attributes"))?;
    attributes_of(rows)
}

/// A list of ids, to be bound as `text[]`.
pub(super) fn ids(files: &[impl Borrow<FileId>]) -> Vec<&str> {
    files.iter().map(|file| file.borrow().as_str()).collect()
}

/// A list of numbers, to be bound as `bigint[]`.
pub(super) fn numbers(ids: &BTreeSet<i64>) -> Vec<i64> {
    ids.iter().copied().collect()
}

/// Files, to be bound as `bigint[]` and `text[]`: `unnest($1::bigint[], $2::text[]) j (batch, file_id)`.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    pub(super) batches: Vec<i64>,
    pub(super) files: Vec<&'a str>,
}

impl<'a> FromIterator<(i64, &'a str)> for Keys<'a> {
    fn from_iter<I: IntoIterator<Item = (i64, &'a str)>>(keys: I) -> Self {
        let (batches, files) = keys.into_iter().unzip();
        Self { batches, files }
    }
}
