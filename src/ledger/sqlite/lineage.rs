//! Is this the latest of its line, or an older copy in its place? The ledger's own count of
//! transactions against the anchor beside it (faults.md D11).

use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use super::rows::count;
use super::{SqliteLedger, leaves};
use crate::evidence::Fact;
use crate::ledger::anchor::{Anchor, Anchored, Position};
use crate::ledger::{Evidence, LedgerError};
use crate::model::Timestamp;

/// What the ledger says of itself.
pub(super) struct Line {
    position: Position,
    suspicion: Option<String>,
}

impl Line {
    fn of((ledger, sequence, suspicion): (String, i64, Option<String>)) -> Result<Self, LedgerError> {
        let sequence = count(sequence)?;
        Ok(Self {
            position: Position { ledger, sequence },
            suspicion,
        })
    }
}

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

/// After the commit. The transaction stands if this fails: the anchor is behind then, and whoever
/// deletes next brings it up or does not delete.
pub(super) fn follow(anchor: &Anchor, line: &Line) {
    // Moving on would hide what was found.
    if line.suspicion.is_some() {
        return;
    }
    if let Err(error) = anchor.follow(&line.position) {
        tracing::warn!(%error, "the ledger's anchor stays behind");
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
    let problem = match &anchored {
        Anchored::Missing if line.position.sequence == 0 => {
            ledger.anchor.set(&line.position)?;
            return Ok(None);
        }
        Anchored::Missing => "the anchor beside the ledger is missing: whether this is the latest ledger or an older copy cannot be told".to_owned(),
        Anchored::Garbled => "the anchor beside the ledger cannot be understood: whether this is the latest ledger or an older copy cannot be told".to_owned(),
        Anchored::At(at) if at.ledger != line.position.ledger => "the anchor belongs to another ledger: this one was put in its place".to_owned(),
        Anchored::At(at) if at.sequence > line.position.sequence => format!(
            "the ledger lacks the last {} changes that it had: an older copy was restored, or they were lost",
            at.sequence - line.position.sequence
        ),
        Anchored::At(_) => match behind_checkpoint(ledger).await? {
            Some(problem) => problem,
            None => {
                ledger.anchor.follow(&line.position)?;
                return Ok(None);
            }
        },
    };
    let problem = format!(
        "{problem}. Holds and erasure requests entered since may be missing: compare `retentiond hold list` and `retentiond erase list`, and enter them again"
    );
    keep(ledger, &problem).await?;
    Ok(Some(problem))
}

/// Whether a checkpoint of this ledger went out that the tree has not come to, or not by that way. An anchor
/// that was restored together with the ledger says nothing: this file may still.
async fn behind_checkpoint(ledger: &SqliteLedger) -> Result<Option<String>, LedgerError> {
    let Some(said) = ledger.checkpoints.last() else {
        return Ok(None);
    };
    let tree = ledger.tree().await?;
    if said.origin != tree.origin {
        return Ok(Some(
            "the checkpoints beside the ledger are another ledger's: this one was put in its place"
                .to_owned(),
        ));
    }
    Ok((said.size > tree.size).then(|| {
        format!(
            "a checkpoint over {} facts went out, and the ledger holds {}: an older copy was restored, and the last {} facts are missing",
            said.size,
            tree.size,
            said.size - tree.size
        )
    }))
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
