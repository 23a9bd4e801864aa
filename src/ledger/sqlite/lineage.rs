//! Is this the latest of its line, or an older copy in its place? The ledger's own count of
//! transactions against the anchor beside it (faults.md D11).

use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use super::{SqliteLedger, leaves};
use crate::evidence::Fact;
use crate::ledger::anchor::Anchored;
use crate::ledger::common::lineage::{Line, behind_checkpoint, suspicion};
use crate::ledger::{Evidence, LedgerError};
use crate::model::Timestamp;

/// The end of every transaction that writes: one call, for each costs two changes of threads.
pub(super) async fn count_and_commit(tx: &mut SqliteConnection) -> Result<Line, LedgerError> {
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
        "UPDATE lineage
         SET sequence = sequence + 1
         RETURNING ledger, sequence, suspicion;
         COMMIT",
    )
    // To its end: one row alone would leave the rest unsaid.
    .fetch_all(tx)
    .await
    .map_err(during("committing"))?;
    match rows.into_iter().next() {
        Some(row) => Line::of(row),
        None => Err(damaged("it has no lineage")),
    }
}

pub(super) async fn rollback(ledger: &SqliteLedger) -> Result<Option<String>, LedgerError> {
    // The anchor first: who writes both writes the ledger first, so the ledger read second is never
    // behind an anchor of its own.
    let anchored = ledger.anchor.read()?;
    let line = current(ledger).await?;
    if line.suspicion.is_some() {
        return Ok(line.suspicion);
    }
    let found = match (line.against(&anchored), &anchored) {
        (None, Anchored::Missing) if line.position.sequence == 0 => {
            ledger.anchor.set(&line.position)?;
            return Ok(None);
        }
        (None, Anchored::Missing) => Some("the anchor beside the ledger is missing: whether this is the latest ledger or an older copy cannot be told".to_owned()),
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

async fn behind(ledger: &SqliteLedger) -> Result<Option<String>, LedgerError> {
    match ledger.checkpoints.last() {
        Some(said) => Ok(behind_checkpoint(&said, &ledger.tree().await?)),
        None => Ok(None),
    }
}

/// In the ledger, so that it outlives every later write.
async fn keep(ledger: &SqliteLedger, problem: &str) -> Result<(), LedgerError> {
    let problem = problem.to_owned();
    ledger
        .write(move |tx| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE lineage
                     SET suspicion = ?1",
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
pub(super) async fn accept(ledger: &SqliteLedger, at: Timestamp) -> Result<(), LedgerError> {
    let before = ledger
        .write(move |tx| {
            Box::pin(async move {
                let before = leaves::ledger_name(tx).await?;
                let ledger: String = sqlx::query_scalar(
                    "UPDATE lineage
                     SET ledger = lower(hex(randomblob(16))), suspicion = NULL
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

async fn current(ledger: &SqliteLedger) -> Result<Line, LedgerError> {
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
