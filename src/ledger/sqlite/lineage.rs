//! Is this the latest of its line, or an older copy in its place? The ledger's own count of
//! transactions against the anchor beside it (faults.md D11).

use sqlx::SqliteConnection;

use super::controls::set_setting;
use super::fault::{damaged, during};
use super::{SqliteLedger, leaves, recovery};
use crate::evidence::Fact;
use crate::evidence::checkpoint::origin;
use crate::ledger::anchor::Anchored;
use crate::ledger::common::lineage::{Closed, Line, behind_checkpoint, suspicion};
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
        (Some(_), Anchored::At(at))
            if at.ledger != line.position.ledger && was_named(ledger, &at.ledger, &line).await? =>
        {
            begin_line(ledger).await?;
            return Ok(None);
        }
        (None, _) => behind(ledger).await?,
        (found, _) => found,
    };
    let Some(problem) = found else {
        ledger.anchor.follow(&line.position)?;
        return Ok(None);
    };
    let problem = suspicion(&problem, ledger.checkpoints.last(), &ledger.tree().await?);
    keep(ledger, &problem).await?;
    Ok(Some(problem))
}

/// Whether the ledger was copied elsewhere.
pub(super) async fn closed(ledger: &SqliteLedger) -> Result<Option<Closed>, LedgerError> {
    Ok(current(ledger).await?.closed())
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
pub(super) async fn rename(tx: &mut SqliteConnection) -> Result<String, LedgerError> {
    sqlx::query_scalar(
        "UPDATE lineage
         SET ledger = lower(hex(randomblob(16))), suspicion = NULL
         RETURNING ledger",
    )
    .fetch_one(tx)
    .await
    .map_err(during("giving the ledger a new name"))
}

/// The files beside a ledger that has a new name: checkpoints of before are put aside, the anchor is its own
/// from now on. A crash before the end is made up for at the next look ([`rollback`]).
pub(super) async fn begin_line(ledger: &SqliteLedger) -> Result<(), LedgerError> {
    let line = current(ledger).await?;
    ledger.checkpoints.set_aside(&origin(&line.position.ledger))?;
    ledger.anchor.set(&line.position)
}

/// Whether the tree says that the ledger had the name `before` until it was given its present one.
async fn was_named(ledger: &SqliteLedger, before: &str, line: &Line) -> Result<bool, LedgerError> {
    let (before, present) = (before.to_owned(), line.position.ledger.clone());
    ledger
        .read_one(move |tx| {
            Box::pin(async move {
                sqlx::query_scalar(
                    "SELECT EXISTS (
                         SELECT 1
                         FROM leaves
                         WHERE kind IN ('recovered', 'lineage-accepted')
                           AND content ->> '$.fact.before' = ?1
                           AND content ->> '$.fact.ledger' = ?2
                     )",
                )
                .bind(before)
                .bind(present)
                .fetch_one(tx)
                .await
                .map_err(during("reading which names the ledger had"))
            })
        })
        .await
}

/// Takes the ledger as it is, whatever it lacks.
pub(super) async fn accept(ledger: &SqliteLedger, at: Timestamp) -> Result<(), LedgerError> {
    ledger
        .write(move |tx| {
            Box::pin(async move {
                let before = leaves::ledger_name(tx).await?;
                let ledger = rename(tx).await?;
                leaves::append(tx, at, Fact::LineageAccepted { ledger, before }).await?;
                // What was begun to be brought back stays as far as it has come.
                set_setting(tx, recovery::STANDING, None).await
            })
        })
        .await?;
    begin_line(ledger).await
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
