//! From rows to the vocabulary. A value that no type of ours admits is damage, never skipped.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row, SqliteConnection};

use super::batch;
use super::fault::{damaged, during};
use super::occurred::{Index, any_sql};
use crate::ledger::LedgerError;
use crate::model::{
    BatchAddress, BatchId, BatchKey, ClassificationId, ExtractionId, FileAddress, FileId, FileKey,
    FileRecord, FileState, Labels, Module, Parent, PolicyName, Timestamp,
};

/// `SELECT` of a [`FileRow`]: what stands for the table `files f`, then the clauses after it.
///
/// One JSON value a row: sqlx copies each value of a row on SQLite's thread and asks for it under a lock on
/// ours, and a dozen of them cost more than all that is done with the file.
macro_rules! select_files {
    ($from:literal, $tail:literal $(, $name:literal)?) => {
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

/// A file as it lies in the tables, its shared names still numbers; the order is that of the statement.
#[derive(Debug, Deserialize)]
pub(super) struct FileRow {
    pub(super) batch: i64,
    pub(super) file_id: String,
    pub(super) state: i64,
    policy: i64,
    uploaded_at: i64,
    processed_at: Option<i64>,
    pub(super) due_at: Option<i64>,
    deadline_at: Option<i64>,
    attributes: Option<i64>,
    subject: Option<String>,
    original_batch: Option<i64>,
    original_file: Option<String>,
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

/// By the primary key.
pub(super) fn by_key(a: &FileRow, b: &FileRow) -> Ordering {
    a.file_id.cmp(&b.file_id).then(a.batch.cmp(&b.batch))
}

/// The shared names of a page of rows, each read once.
#[derive(Debug, Default)]
struct Names {
    batches: BTreeMap<i64, Arc<BatchAddress>>,
    attributes: AttributesById,
    policies: BTreeMap<i64, PolicyName>,
    events: Index,
    no_labels: Arc<Labels>,
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
    let batches: BTreeSet<i64> = rows
        .iter()
        .flat_map(|row| [Some(row.batch), row.original_batch])
        .flatten()
        .collect();
    let attributes: BTreeSet<i64> = rows.iter().filter_map(|row| row.attributes).collect();
    let policies: BTreeSet<i64> = rows.iter().map(|row| row.policy).filter(|id| *id != 0).collect();
    let (batch_list, attribute_list) = (numbers(&batches), numbers(&attributes));
    let statements = sqlx::query(concat!(
        "SELECT id, module, parent, batch
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
    .bind(numbers(&policies));
    let context = "reading shared names";
    let done = batch::run(tx, statements, context).await?;
    let [batches, attributes, policies, any] = &done[..] else {
        return Err(damaged("shared names were not read as a whole"));
    };
    let events = if decoded::<(bool,)>(any, context)?.contains(&(true,)) {
        let own = rows.iter().map(|row| row.file_id.as_str());
        let originals = rows.iter().filter_map(|row| row.original_file.as_deref());
        let files = own.chain(originals).collect();
        Index::load(tx, &files, &batch_list, &attribute_list).await?
    } else {
        Index::default()
    };
    let policies = decoded::<(i64, String)>(policies, context)?;
    Ok(Names {
        batches: batches_of(decoded(batches, context)?)?,
        attributes: attributes_of(decoded(attributes, context)?)?,
        policies: policies
            .into_iter()
            .map(|(id, name)| Ok((id, policy_name(name)?)))
            .collect::<Result<_, LedgerError>>()?,
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

fn batches_of(
    rows: Vec<(i64, String, String, String)>,
) -> Result<BTreeMap<i64, Arc<BatchAddress>>, LedgerError> {
    rows.into_iter()
        .map(|(id, module, parent, batch)| Ok((id, Arc::new(batch_address(&module, parent, batch)?))))
        .collect()
}

/// Document type and labels by number.
type AttributesById = BTreeMap<i64, (Option<Arc<str>>, Arc<Labels>)>;

fn attributes_of(rows: Vec<(i64, Option<String>, String)>) -> Result<AttributesById, LedgerError> {
    rows.into_iter()
        .map(|(id, kind, labels)| Ok((id, (kind.map(Arc::from), Arc::new(parse_labels(&labels)?)))))
        .collect()
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

fn record(row: FileRow, names: &Names) -> Result<FileRecord, LedgerError> {
    let missing = |what: &str| damaged(format!("files ({}, {}): no such {what}", row.batch, row.file_id));
    let batch = names.batches.get(&row.batch).ok_or_else(|| missing("batch"))?;
    let (document_type, labels) = match row.attributes {
        None => (None, Arc::clone(&names.no_labels)),
        Some(id) => names
            .attributes
            .get(&id)
            .cloned()
            .ok_or_else(|| missing("attributes"))?,
    };
    let owner = match row.policy {
        0 => None,
        id => Some(
            names
                .policies
                .get(&id)
                .cloned()
                .ok_or_else(|| missing("policy"))?,
        ),
    };
    let copy_of = match (row.original_batch, &row.original_file) {
        (Some(id), Some(file)) => Some(FileAddress {
            batch: (**names
                .batches
                .get(&id)
                .ok_or_else(|| missing("original's batch"))?)
            .clone(),
            file: file_id(file.clone())?,
        }),
        (None, _) | (_, None) => None,
    };
    let original = copy_of
        .as_ref()
        .map(|original| (original.file.as_str(), &original.batch));
    Ok(FileRecord {
        occurred: names.events.of(&row.file_id, batch, original, &labels)?,
        state: state(row.state)?,
        uploaded_at: timestamp(row.uploaded_at)?,
        processed_at: optional(row.processed_at)?,
        due_at: optional(row.due_at)?,
        deadline_at: optional(row.deadline_at)?,
        batch: Arc::clone(batch),
        key: FileKey {
            batch: BatchKey(row.batch),
            file: file_id(row.file_id)?,
        },
        document_type,
        labels,
        subject: row.subject,
        copy_of,
        owner,
    })
}

// Single values ---------------------------------------------------------------------------------

pub(super) fn timestamp(millis: i64) -> Result<Timestamp, LedgerError> {
    Timestamp::from_millis(millis).map_err(|error| damaged(error.to_string()))
}

pub(super) fn optional(millis: Option<i64>) -> Result<Option<Timestamp>, LedgerError> {
    millis.map(timestamp).transpose()
}

pub(super) fn state(code: i64) -> Result<FileState, LedgerError> {
    FileState::from_code(code).ok_or_else(|| damaged(format!("{code} is no state of a file")))
}

pub(super) fn file_id(text: String) -> Result<FileId, LedgerError> {
    FileId::new(text).map_err(|error| damaged(error.to_string()))
}

pub(super) fn batch_id(text: String) -> Result<BatchId, LedgerError> {
    BatchId::new(text).map_err(|error| damaged(error.to_string()))
}

pub(super) fn policy_name(text: String) -> Result<PolicyName, LedgerError> {
    PolicyName::new(text).map_err(|error| damaged(error.to_string()))
}

/// A count; negative ones cannot come from `count` or a checked column.
pub(super) fn count(value: i64) -> Result<u64, LedgerError> {
    u64::try_from(value).map_err(|_| damaged(format!("{value} is no count")))
}

pub(super) fn parse_labels(text: &str) -> Result<Labels, LedgerError> {
    serde_json::from_str(text).map_err(|error| damaged(format!("labels: {error}")))
}

pub(super) fn batch_address(
    module: &str,
    parent: String,
    batch: String,
) -> Result<BatchAddress, LedgerError> {
    let bad = |error: crate::model::InvalidId| damaged(format!("batches: {error}"));
    let parent = match module {
        "classification" => Parent::Classification(ClassificationId::new(parent).map_err(bad)?),
        "extraction" => Parent::Extraction(ExtractionId::new(parent).map_err(bad)?),
        other => return Err(damaged(format!("batches: `{other}` is no module"))),
    };
    Ok(BatchAddress {
        parent,
        batch: BatchId::new(batch).map_err(bad)?,
    })
}

pub(super) const fn module_name(module: Module) -> &'static str {
    match module {
        Module::Classification => "classification",
        Module::Extraction => "extraction",
    }
}

/// A list of ids for `json_each`.
pub(super) fn ids(files: &[impl std::borrow::Borrow<FileId> + serde::Serialize]) -> String {
    serde_json::to_string(files).expect("ids are plain text")
}

fn numbers(ids: &BTreeSet<i64>) -> String {
    serde_json::to_string(ids).expect("numbers are plain")
}
