//! The files of a report: what a row says of one.

use std::collections::BTreeMap;

use super::problem::damaged;
use super::values::{batch_address, batch_id, file_id, optional, state, timestamp};
use crate::ledger::{EndedBy, EndedFile, FileFact, Hindrance, LedgerError, OpenFile};
use crate::model::{FileAddress, Holdable, Holds, Labels, PolicyName, Timestamp};

/// Marks of a row, in one number: each column that is handed over costs as much as finding the row.
const ON_REQUEST: i64 = 1;

const VERIFIED: i64 = 2;

const UNKNOWN: i64 = 4;

const REFUSED: i64 = 8;

pub(in crate::ledger) struct FactRow {
    policy: i64,
    /// A state's code, or which kind of note.
    kind: i64,
    at: i64,
    due_at: Option<i64>,
    deadline_at: Option<i64>,
    marks: i64,
    /// What decides on holds, as JSON; `None` where no hold ever could cover it.
    holdable: Option<String>,
    /// As JSON, where addresses were asked for.
    address: Option<String>,
}

/// The columns of each statement, in their order.
pub(in crate::ledger) type Columns = (
    i64,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    Option<String>,
    Option<String>,
);

impl From<Columns> for FactRow {
    fn from(columns: Columns) -> Self {
        let (policy, kind, at, due_at, deadline_at, marks, holdable, address) = columns;
        Self {
            policy,
            kind,
            at,
            due_at,
            deadline_at,
            marks,
            holdable,
            address,
        }
    }
}

/// What every row is read with.
pub(in crate::ledger) struct Beside {
    pub(in crate::ledger) policies: BTreeMap<i64, Option<PolicyName>>,
    pub(in crate::ledger) holds: Holds,
    pub(in crate::ledger) now: Timestamp,
}

fn name_of(policy: i64, beside: &Beside) -> Result<Option<PolicyName>, LedgerError> {
    beside
        .policies
        .get(&policy)
        .cloned()
        .ok_or_else(|| damaged(format!("files: no such policy as {policy}")))
}

pub(in crate::ledger) fn ended(row: FactRow, beside: &Beside) -> Result<FileFact, LedgerError> {
    let policy = name_of(row.policy, beside)?;
    let (at, due_at) = (timestamp(row.at)?, optional(row.due_at)?);
    let held = match due_at {
        Some(due) => held(&row, policy.as_ref(), beside, due, at)?,
        None => false,
    };
    Ok(FileFact::Ended(EndedFile {
        policy,
        by: match row.kind {
            2 => EndedBy::Confirmed,
            3 => EndedBy::AnsweredGone,
            10 => EndedBy::FoundGone,
            11 => EndedBy::Resolved,
            _ => EndedBy::Others,
        },
        at,
        on_request: row.marks & ON_REQUEST != 0,
        due_at,
        deadline_at: optional(row.deadline_at)?,
        verified: row.marks & VERIFIED != 0,
        before: Hindrance {
            held,
            unknown: row.marks & UNKNOWN != 0,
            refused: row.marks & REFUSED != 0,
        },
        file: address(row.address)?,
    }))
}

pub(in crate::ledger) fn open(row: FactRow, beside: &Beside) -> Result<FileFact, LedgerError> {
    let policy = name_of(row.policy, beside)?;
    let now = beside.now;
    let just_after = now.checked_add_millis(1).unwrap_or(now);
    let held = held(&row, policy.as_ref(), beside, now, just_after)?;
    Ok(FileFact::Open(OpenFile {
        policy,
        state: state(row.kind)?,
        due_at: timestamp(row.at)?,
        deadline_at: optional(row.deadline_at)?,
        held,
        file: address(row.address)?,
    }))
}

/// File, batch, original's file and batch, labels.
type HoldableRow = (String, String, Option<String>, Option<String>, Labels);

/// Whether a hold covered the file of this row between the two: the statement narrows, `Holds` decides.
fn held(
    row: &FactRow,
    owner: Option<&PolicyName>,
    beside: &Beside,
    from: Timestamp,
    until: Timestamp,
) -> Result<bool, LedgerError> {
    let Some(text) = &row.holdable else {
        return Ok(false);
    };
    let (file, batch, of_file, of_batch, labels): HoldableRow =
        serde_json::from_str(text).map_err(|error| damaged(format!("a file of a report: {error}")))?;
    let (file, batch) = (file_id(file)?, batch_id(batch)?);
    let original = match (of_file, of_batch) {
        (Some(file), Some(batch)) => Some((file_id(file)?, batch_id(batch)?)),
        (None, _) | (_, None) => None,
    };
    let file = Holdable {
        file: &file,
        batch: &batch,
        original: original.as_ref().map(|(file, batch)| (file, batch)),
        labels: &labels,
        owner,
    };
    Ok(beside.holds.covered_between(&file, from, until))
}

fn address(text: Option<String>) -> Result<Option<FileAddress>, LedgerError> {
    let Some(text) = text else { return Ok(None) };
    let (account, module, parent, batch, file): (String, String, String, String, String) =
        serde_json::from_str(&text).map_err(|error| damaged(format!("a file of a report: {error}")))?;
    Ok(Some(FileAddress {
        batch: batch_address(&account, &module, parent, batch)?,
        file: file_id(file)?,
    }))
}
