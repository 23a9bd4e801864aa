//! The files of a report, as a stream: nothing here grows with their number.

mod statements;

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row};
use tokio::sync::mpsc::Sender;

use super::super::fault::{damaged, during};
use super::super::rows::{batch_address, file_id, optional, state, timestamp};
use super::super::tallies;
use super::give;
use crate::ledger::{
    EndedBy, EndedFile, FileFact, Hindrance, LedgerError, OpenFile, ReportPage, ReportPeriod,
};
use crate::model::{FileAddress, PolicyName};
use crate::rules::policy::ERASURE;
use statements::{BY_ATTEMPTS, BY_NOTES, LIVE, UNSETTLED};

/// Files a page.
const PAGE: usize = 2_000;

/// Marks of a row, in one number: each column that is handed over costs as much as finding the row.
const ON_REQUEST: i64 = 1;
const VERIFIED: i64 = 2;
const HELD: i64 = 4;
const UNKNOWN: i64 = 8;
const REFUSED: i64 = 16;

struct FactRow {
    policy: i64,
    /// A state's code, or which kind of note.
    kind: i64,
    at: i64,
    due_at: Option<i64>,
    deadline_at: Option<i64>,
    marks: i64,
    module: Option<String>,
    parent: Option<String>,
    batch: Option<String>,
    file_id: Option<String>,
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
            module: row.try_get(6)?,
            parent: row.try_get(7)?,
            batch: row.try_get(8)?,
            file_id: row.try_get(9)?,
        })
    }
}

type Names = BTreeMap<i64, Option<PolicyName>>;

/// All of them, to `to`.
pub(super) async fn send(
    tx: &mut PgConnection,
    period: &ReportPeriod,
    addresses: bool,
    to: &Sender<ReportPage>,
) -> Result<(), LedgerError> {
    let names: Names = tallies::policies(tx).await?.into_iter().collect();
    let erasure = names
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
        stream(tx, &question, &names, ended, to).await?;
    }
    let due = |statement, policy| Question {
        statement,
        instant: period.reached().as_millis(),
        addresses,
        third: period.now.as_millis(),
        policy,
    };
    for policy in names.keys() {
        stream(tx, &due(LIVE, Some(*policy)), &names, open, to).await?;
    }
    stream(tx, &due(UNSETTLED, None), &names, open, to).await
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
    names: &Names,
    fact: fn(FactRow, &Names) -> Result<FileFact, LedgerError>,
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
        page.push(fact(row, names)?);
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

fn name_of(policy: i64, names: &Names) -> Result<Option<PolicyName>, LedgerError> {
    names
        .get(&policy)
        .cloned()
        .ok_or_else(|| damaged(format!("files: no such policy as {policy}")))
}

fn ended(row: FactRow, names: &Names) -> Result<FileFact, LedgerError> {
    Ok(FileFact::Ended(EndedFile {
        policy: name_of(row.policy, names)?,
        by: match row.kind {
            2 => EndedBy::Confirmed,
            3 => EndedBy::AnsweredGone,
            10 => EndedBy::FoundGone,
            11 => EndedBy::Resolved,
            _ => EndedBy::Others,
        },
        at: timestamp(row.at)?,
        on_request: row.marks & ON_REQUEST != 0,
        due_at: optional(row.due_at)?,
        deadline_at: optional(row.deadline_at)?,
        verified: row.marks & VERIFIED != 0,
        before: Hindrance {
            held: row.marks & HELD != 0,
            unknown: row.marks & UNKNOWN != 0,
            refused: row.marks & REFUSED != 0,
        },
        file: address(row)?,
    }))
}

fn open(row: FactRow, names: &Names) -> Result<FileFact, LedgerError> {
    Ok(FileFact::Open(OpenFile {
        policy: name_of(row.policy, names)?,
        state: state(row.kind)?,
        due_at: timestamp(row.at)?,
        deadline_at: optional(row.deadline_at)?,
        held: row.marks & HELD != 0,
        file: address(row)?,
    }))
}

fn address(row: FactRow) -> Result<Option<FileAddress>, LedgerError> {
    let (Some(module), Some(parent), Some(batch), Some(file)) =
        (row.module, row.parent, row.batch, row.file_id)
    else {
        return Ok(None);
    };
    Ok(Some(FileAddress {
        batch: batch_address(&module, parent, batch)?,
        file: file_id(file)?,
    }))
}
