//! The files of a report, as a stream: nothing here grows with their number.

mod statements;

use crate::ledger::common::reports::{Beside, Columns, FactRow, ended, open};

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;
use tokio::sync::mpsc::Sender;

use super::super::fault::during;
use super::super::{holds, tallies};
use super::give;
use crate::ledger::{FileFact, LedgerError, ReportPage, ReportPeriod};
use crate::model::Holds;
use crate::rules::policy::ERASURE;
use statements::{BY_ATTEMPTS, BY_NOTES, LIVE, UNSETTLED};

/// Files a page.
const PAGE: usize = 2_000;

/// All of them, to `to`.
pub(super) async fn send(
    tx: &mut SqliteConnection,
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
    tx: &mut SqliteConnection,
    question: &Question,
    beside: &Beside,
    fact: fn(FactRow, &Beside) -> Result<FileFact, LedgerError>,
    to: &Sender<ReportPage>,
) -> Result<(), LedgerError> {
    let context = "reading the files of a report";
    let mut rows = sqlx::query_as::<_, Columns>(question.statement)
        .bind(question.instant)
        .bind(question.addresses)
        .bind(question.third)
        .bind(question.policy)
        .fetch(tx);
    let mut page = Vec::with_capacity(PAGE);
    while let Some(row) = rows.try_next().await.map_err(during(context))? {
        page.push(fact(row.into(), beside)?);
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
