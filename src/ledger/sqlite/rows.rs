//! From rows to the vocabulary. A value that no type of ours admits is damage, never skipped.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqliteConnection};

use super::batch;
use super::fault::{damaged, during};
use super::occurred::{self, any_sql};
use crate::ledger::LedgerError;
use crate::ledger::common::events::Index;
use crate::ledger::common::records::{
    AttributesById, Named, Names, attributes_of, batches_of, covering_ids, policies_of, record,
};
pub(super) use crate::ledger::common::records::{FileRow, by_key};
pub(super) use crate::ledger::common::values::{
    account_text, batch_address, count, file_id, module_name, optional, policy_name, state, timestamp,
};
use crate::model::{FileId, FileRecord};

/// `SELECT` of a [`FileRow`]: what stands for the table `files f`, then the clauses after it.
///
/// One JSON value a row: sqlx copies each value of a row on SQLite's thread and asks for it under a lock on
/// ours, and a dozen of them cost more than all that is done with the file.
macro_rules! select_files {
    ($from:literal, $tail:expr $(, $name:literal)?) => {
        concat!(
            "SELECT json_array(f.batch, f.file_id, f.state, f.policy, f.uploaded_at, f.processed_at, f.due_at,
                    f.deadline_at, f.attributes, coalesce(s.subject, os.subject), c.original_batch,
                    c.original_file)",
            $($name,)?
            " FROM ",
            $from,
            " LEFT JOIN subjects s ON s.batch = f.batch AND s.file_id = f.file_id
              LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
              -- A copy is its original's subject's, whenever that was recorded.
              LEFT JOIN subjects os ON os.batch = c.original_batch AND os.file_id = c.original_file ",
            $tail
        )
    };
}
pub(super) use select_files;

/// [`select_files`] of a whole page in one value, for [`page_of`]: thousands of rows one by one through the
/// channel between SQLite's thread and ours cost as much as finding them.
macro_rules! select_page {
    ($from:literal, $tail:literal) => {
        concat!(
            "SELECT '[' || ifnull(group_concat(line, ','), '') || ']' FROM (",
            crate::ledger::sqlite::rows::select_files!($from, $tail, " AS line"),
            ")"
        )
    };
}
pub(super) use select_page;

macro_rules! attributes_sql {
    ($ids:literal) => {
        concat!(
            "SELECT id, document_type, labels
             FROM attributes
             WHERE id IN (SELECT value FROM json_each(",
            $ids,
            "))"
        )
    };
}

impl FromRow<'_, SqliteRow> for FileRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        serde_json::from_str(row.try_get(0)?).map_err(|error| sqlx::Error::Decode(error.into()))
    }
}

/// The rows of a page that [`select_page`] read, held to their `order`: an aggregate promises none.
pub(super) fn page_of(
    text: &str,
    order: impl Fn(&FileRow, &FileRow) -> Ordering,
) -> Result<Vec<FileRow>, LedgerError> {
    let rows: Vec<FileRow> =
        serde_json::from_str(text).map_err(|error| damaged(format!("a page of files: {error}")))?;
    if !rows.is_sorted_by(|a, b| order(a, b).is_lt()) {
        return Err(damaged("a page of files came out of order"));
    }
    Ok(rows)
}

/// Whole records for a page of rows, in their order.
pub(super) async fn records(
    tx: &mut SqliteConnection,
    rows: Vec<FileRow>,
) -> Result<Vec<FileRecord>, LedgerError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let names = names(tx, &rows).await?;
    rows.into_iter().map(|row| record(row, &names)).collect()
}

async fn names(tx: &mut SqliteConnection, rows: &[FileRow]) -> Result<Names, LedgerError> {
    let named = Named::by(rows);
    let (batch_list, attribute_list) = (numbers(&named.batches), numbers(&named.attributes));
    let statements = sqlx::query(concat!(
        "SELECT id, account, module, parent, batch
         FROM batches
         WHERE id IN (SELECT value FROM json_each($1));",
        attributes_sql!("$2"),
        ";
         SELECT id, name
         FROM policies
         WHERE id IN (SELECT value FROM json_each($3));",
        any_sql!()
    ))
    .bind(&batch_list)
    .bind(&attribute_list)
    .bind(numbers(&named.policies));
    let context = "reading shared names";
    let done = batch::run(tx, statements, context).await?;
    let [batches, attributes, policies, any] = &done[..] else {
        return Err(damaged("shared names were not read as a whole"));
    };
    let events = if decoded::<(bool,)>(any, context)?.contains(&(true,)) {
        let files = covering_ids(rows);
        occurred::load(tx, &files, &batch_list, &attribute_list).await?
    } else {
        Index::default()
    };
    Ok(Names {
        batches: batches_of(decoded(batches, context)?)?,
        attributes: attributes_of(decoded(attributes, context)?)?,
        policies: policies_of(decoded(policies, context)?)?,
        events,
        no_labels: Arc::default(),
    })
}

fn decoded<T: for<'r> FromRow<'r, SqliteRow>>(
    done: &batch::Done,
    context: &'static str,
) -> Result<Vec<T>, LedgerError> {
    let rows: Result<Vec<T>, sqlx::Error> = done.rows.iter().map(T::from_row).collect();
    rows.map_err(during(context))
}

pub(super) async fn attributes_by_id(
    tx: &mut SqliteConnection,
    ids: &BTreeSet<i64>,
) -> Result<AttributesById, LedgerError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query_as(attributes_sql!("$1"))
        .bind(numbers(ids))
        .fetch_all(tx)
        .await
        .map_err(during("reading attributes"))?;
    attributes_of(rows)
}

/// A list of ids for `json_each`.
pub(super) fn ids(files: &[impl std::borrow::Borrow<FileId> + serde::Serialize]) -> String {
    serde_json::to_string(files).expect("ids are plain text")
}

fn numbers(ids: &BTreeSet<i64>) -> String {
    serde_json::to_string(ids).expect("numbers are plain")
}
