//! The files of a report, as a stream: nothing here grows with their number.

mod statements;

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};
use tokio::sync::mpsc::Sender;

use super::super::fault::{damaged, during};
use super::super::rows::{batch_address, batch_id, file_id, optional, state, timestamp};
use super::super::{holds, tallies};
use super::give;
use crate::ledger::{
    EndedBy, EndedFile, FileFact, Hindrance, LedgerError, OpenFile, ReportPage, ReportPeriod,
};
use crate::model::{FileAddress, Holdable, Holds, Labels, PolicyName, Timestamp};
use crate::rules::policy::ERASURE;
use statements::{BY_ATTEMPTS, BY_NOTES, LIVE, UNSETTLED};

/// Files a page.
const PAGE: usize = 2_000;

/// Marks of a row, in one number: each column that is handed over costs as much as finding the row.
const ON_REQUEST: i64 = 1;
const VERIFIED: i64 = 2;
const UNKNOWN: i64 = 4;
const REFUSED: i64 = 8;

struct FactRow {
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

impl FromRow<'_, PgRow> for FactRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            policy: row.try_get(0)?,
            kind: row.try_get(1)?,
            at: row.try_get(2)?,
            due_at: row.try_get(3)?,
            deadline_at: row.try_get(4)?,
            marks: row.try_get(5)?,
            holdable: row.try_get(6)?,
            address: row.try_get(7)?,
        })
    }
}

/// What every row is read with.
struct Beside {
    policies: BTreeMap<i64, Option<PolicyName>>,
    holds: Holds,
    now: Timestamp,
}

/// All of them, to `to`.
pub(super) async fn send(
    tx: &mut PgConnection,
    period: &ReportPeriod,
    addresses: bool,
    to: &Sender<ReportPage>,
) -> Result<(), LedgerError> {
    let beside = Beside {
        policies: tallies::policies(tx).await?.into_iter().collect(),
        holds: Holds::new(holds::all(tx).await?),
        now: period.now,
    };
    let erasure = beside
        .policies
        .iter()
        .find(|(_, name)| name.as_ref().is_some_and(|name| name.as_str() == ERASURE))
        // No number of a policy, where there was never a request: with NULL every mark of a file would be lost.
        .map_or(-1, |(id, _)| *id);
    for statement in [BY_ATTEMPTS, BY_NOTES] {
        let question = Question {
            statement,
            instant: period.from.as_millis(),
            addresses,
            third: erasure,
            policy: None,
        };
        stream(tx, &question, &beside, ended, to).await?;
    }
    let due = |statement, policy| Question {
        statement,
        instant: period.reached().as_millis(),
        addresses,
        third: erasure,
        policy,
    };
    for policy in beside.policies.keys() {
        stream(tx, &due(LIVE, Some(*policy)), &beside, open, to).await?;
    }
    stream(tx, &due(UNSETTLED, None), &beside, open, to).await
}

struct Question {
    statement: &'static str,
    instant: i64,
    addresses: bool,
    third: i64,
    policy: Option<i64>,
}

async fn stream(
    tx: &mut PgConnection,
    question: &Question,
    beside: &Beside,
    fact: fn(FactRow, &Beside) -> Result<FileFact, LedgerError>,
    to: &Sender<ReportPage>,
) -> Result<(), LedgerError> {
    let context = "reading the files of a report";
    let mut rows = sqlx::query_as::<_, FactRow>(question.statement)
        .bind(question.instant)
        .bind(question.addresses)
        .bind(question.third)
        .bind(question.policy)
        .fetch(tx);
    let mut page = Vec::with_capacity(PAGE);
    while let Some(row) = rows.try_next().await.map_err(during(context))? {
        page.push(fact(row, beside)?);
        if page.len() == PAGE {
            let full = std::mem::replace(&mut page, Vec::with_capacity(PAGE));
            give(to, ReportPage::Files(full)).await?;
        }
    }
    if page.is_empty() {
        return Ok(());
    }
    give(to, ReportPage::Files(page)).await
}

fn name_of(policy: i64, beside: &Beside) -> Result<Option<PolicyName>, LedgerError> {
    beside
        .policies
        .get(&policy)
        .cloned()
        .ok_or_else(|| damaged(format!("files: no such policy as {policy}")))
}

fn ended(row: FactRow, beside: &Beside) -> Result<FileFact, LedgerError> {
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

fn open(row: FactRow, beside: &Beside) -> Result<FileFact, LedgerError> {
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
    let (module, parent, batch, file): (String, String, String, String) =
        serde_json::from_str(&text).map_err(|error| damaged(format!("a file of a report: {error}")))?;
    Ok(Some(FileAddress {
        batch: batch_address(&module, parent, batch)?,
        file: file_id(file)?,
    }))
}
