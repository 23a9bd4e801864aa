//! From the rows of a page of files, and the names that they share, to whole records.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::events::Index;
use super::problem::damaged;
use super::values::{batch_address, file_id, optional, parse_labels, policy_name, state, timestamp};
use crate::ledger::LedgerError;
use crate::model::{BatchAddress, BatchKey, FileAddress, FileKey, FileRecord, Labels, PolicyName};

/// A file as it lies in the tables, its shared names still numbers; the order is that of the statement.
#[derive(Debug, Deserialize)]
pub(in crate::ledger) struct FileRow {
    pub(in crate::ledger) batch: i64,
    pub(in crate::ledger) file_id: String,
    pub(in crate::ledger) state: i64,
    pub(in crate::ledger) policy: i64,
    pub(in crate::ledger) uploaded_at: i64,
    pub(in crate::ledger) processed_at: Option<i64>,
    pub(in crate::ledger) due_at: Option<i64>,
    pub(in crate::ledger) deadline_at: Option<i64>,
    pub(in crate::ledger) attributes: Option<i64>,
    pub(in crate::ledger) subject: Option<String>,
    pub(in crate::ledger) original_batch: Option<i64>,
    pub(in crate::ledger) original_file: Option<String>,
}

/// By the primary key.
pub(in crate::ledger) fn by_key(a: &FileRow, b: &FileRow) -> Ordering {
    a.file_id.cmp(&b.file_id).then(a.batch.cmp(&b.batch))
}

/// The shared names of a page of rows, each read once.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Names {
    pub(in crate::ledger) batches: BTreeMap<i64, Arc<BatchAddress>>,
    pub(in crate::ledger) attributes: AttributesById,
    pub(in crate::ledger) policies: BTreeMap<i64, PolicyName>,
    pub(in crate::ledger) events: Index,
    pub(in crate::ledger) no_labels: Arc<Labels>,
}

/// Batches, attributes and policies that the rows of a page name.
#[derive(Debug)]
pub(in crate::ledger) struct Named {
    pub(in crate::ledger) batches: BTreeSet<i64>,
    pub(in crate::ledger) attributes: BTreeSet<i64>,
    pub(in crate::ledger) policies: BTreeSet<i64>,
}

impl Named {
    pub(in crate::ledger) fn by(rows: &[FileRow]) -> Self {
        Self {
            batches: rows
                .iter()
                .flat_map(|row| [Some(row.batch), row.original_batch])
                .flatten()
                .collect(),
            attributes: rows.iter().filter_map(|row| row.attributes).collect(),
            policies: rows.iter().map(|row| row.policy).filter(|id| *id != 0).collect(),
        }
    }
}

/// Ids of files by which an event may cover these: their own and their originals'.
pub(in crate::ledger) fn covering_ids(rows: &[FileRow]) -> BTreeSet<&str> {
    let own = rows.iter().map(|row| row.file_id.as_str());
    let originals = rows.iter().filter_map(|row| row.original_file.as_deref());
    own.chain(originals).collect()
}

pub(in crate::ledger) fn batches_of(
    rows: Vec<(i64, String, String, String, String)>,
) -> Result<BTreeMap<i64, Arc<BatchAddress>>, LedgerError> {
    rows.into_iter()
        .map(|(id, account, module, parent, batch)| {
            Ok((id, Arc::new(batch_address(&account, &module, parent, batch)?)))
        })
        .collect()
}

/// Document type and labels by number.
pub(in crate::ledger) type AttributesById = BTreeMap<i64, (Option<Arc<str>>, Arc<Labels>)>;

pub(in crate::ledger) fn attributes_of(
    rows: Vec<(i64, Option<String>, String)>,
) -> Result<AttributesById, LedgerError> {
    rows.into_iter()
        .map(|(id, kind, labels)| Ok((id, (kind.map(Arc::from), Arc::new(parse_labels(&labels)?)))))
        .collect()
}

pub(in crate::ledger) fn policies_of(
    rows: Vec<(i64, String)>,
) -> Result<BTreeMap<i64, PolicyName>, LedgerError> {
    rows.into_iter()
        .map(|(id, name)| Ok((id, policy_name(name)?)))
        .collect()
}

pub(in crate::ledger) fn record(row: FileRow, names: &Names) -> Result<FileRecord, LedgerError> {
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
