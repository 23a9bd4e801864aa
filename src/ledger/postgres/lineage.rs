//! Is this the latest of its line, or an older copy in its place? The ledger's own count of
//! transactions against the anchor beside it (faults.md D11).

use sqlx::{FromRow, PgConnection};

use super::fault::{damaged, during};
use super::{PostgresLedger, leaves};
use crate::evidence::Fact;
use crate::ledger::anchor::Anchored;
use crate::ledger::common::asking::Body;
use crate::ledger::common::lineage::{Line, behind_checkpoint, suspicion};
use crate::ledger::{Evidence, LedgerError};
use crate::model::Timestamp;

/// The end of every transaction that writes: it is counted and committed.
pub(super) fn commit(tx: &mut PgConnection) -> Body<'_, Line> {
    Box::pin(async move {
        let context = "committing";
        let rows = sqlx::raw_sql(
            "UPDATE lineage
             SET sequence = sequence + 1
             RETURNING ledger, sequence, suspicion;
             COMMIT",
        )
        .fetch_all(tx)
        .await
        .map_err(during(context))?;
        let [row] = &rows[..] else {
            return Err(damaged("lineage: not one row"));
        };
        Line::of(FromRow::from_row(row).map_err(during(context))?)
    })
}

pub(super) async fn rollback(ledger: &PostgresLedger) -> Result<Option<String>, LedgerError> {
    // The anchor first: who writes both writes the ledger first, so the ledger read second is never
    // behind an anchor of its own.
    let anchored = ledger.anchor.read()?;
    let line = current(ledger).await?;
    if line.suspicion.is_some() {
        return Ok(line.suspicion);
    }
    let found = match (line.against(&anchored), &anchored) {
        // This host sees the ledger for the first time: its own knowledge begins here.
        (None, Anchored::Missing) => {
            ledger.anchor.set(&line.position)?;
            behind(ledger).await?
        }
        (None, _) => behind(ledger).await?,
        (found, _) => found,
    };
    let Some(problem) = found else {
        ledger.anchor.follow(&line.position)?;
        return Ok(None);
    };
    let problem = suspicion(&problem);
    keep(ledger, &problem).await?;
    Ok(Some(problem))
}

async fn behind(ledger: &PostgresLedger) -> Result<Option<String>, LedgerError> {
    match ledger.checkpoints.last() {
        Some(said) => Ok(behind_checkpoint(&said, &ledger.tree().await?)),
        None => Ok(None),
    }
}

/// In the ledger, so that it outlives every later write.
async fn keep(ledger: &PostgresLedger, problem: &str) -> Result<(), LedgerError> {
    let problem = problem.to_owned();
    ledger
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE lineage
                     SET suspicion = $1",
                )
                .bind(problem)
                .execute(tx)
                .await
                .map_err(during("keeping a suspicion"))?;
                Ok(())
            })
        })
        .await
}

/// A new name, so that copies from before are another ledger's, however far they had come.
pub(super) async fn accept(ledger: &PostgresLedger, at: Timestamp) -> Result<(), LedgerError> {
    let before = ledger
        .write(move |tx| {
            Box::pin(async move {
                let before = leaves::ledger_name(tx).await?;
                let ledger: String = sqlx::query_scalar(
                    "UPDATE lineage
                     SET ledger = replace(gen_random_uuid()::text, '-', ''), suspicion = NULL
                     RETURNING ledger",
                )
                .fetch_one(&mut *tx)
                .await
                .map_err(during("accepting the ledger as it is"))?;
                let fact = Fact::LineageAccepted {
                    ledger,
                    before: before.clone(),
                };
                leaves::append(tx, at, fact).await?;
                Ok(before)
            })
        })
        .await?;
    ledger.checkpoints.set_aside(&before)?;
    let line = current(ledger).await?;
    ledger.anchor.set(&line.position)
}

/// Whether the database still holds the ledger.
pub(super) async fn is_there(ledger: &PostgresLedger) -> Result<bool, LedgerError> {
    ledger
        .read_one(|tx| {
            Box::pin(async move {
                sqlx::query_scalar("SELECT to_regclass('retentiond.lineage') IS NOT NULL")
                    .fetch_one(tx)
                    .await
                    .map_err(during("looking for the ledger"))
            })
        })
        .await
}

async fn current(ledger: &PostgresLedger) -> Result<Line, LedgerError> {
    ledger
        .read_one(|tx| {
            Box::pin(async move {
                sqlx::query_as(
                    "SELECT ledger, sequence, suspicion
                     FROM lineage",
                )
                .fetch_one(tx)
                .await
                .map_err(during("reading the ledger's lineage"))
                .and_then(Line::of)
            })
        })
        .await
}
