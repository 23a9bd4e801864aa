//! What opens the commitments of leaves, many leaves at a time: salts, texts, and the files that they name.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::fault::during;
use super::leaves::to_i64;
use super::rows::numbers;
use crate::ledger::common::openings::{self, Attempted, Row, Sealed};
use crate::ledger::{LedgerError, Opening};

/// Those of `leaves` that have something to hide and still a salt, in order.
pub(super) async fn sealed(tx: &mut PgConnection, leaves: &[u64]) -> Result<Vec<Sealed>, LedgerError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.seq, s.salt, s.sealed, l.kind, (l.content::json #>> '{fact,attempt}')::bigint
         FROM leaf_salts s
         JOIN leaves l ON l.seq = s.seq
         WHERE s.seq = ANY ($1)
         ORDER BY s.seq",
    )
    .bind(leaves.iter().copied().map(to_i64).collect::<Vec<_>>())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what opens leaves"))?;
    let attempted = attempted(tx, &openings::attempts(&rows)).await?;
    openings::sealed(rows, &attempted)
}

/// As whoever checks wants them: files as the leaf committed to them.
pub(super) async fn openings(
    tx: &mut PgConnection,
    leaves: &[u64],
) -> Result<BTreeMap<u64, Opening>, LedgerError> {
    let sealed = sealed(tx, leaves).await?;
    let batches = openings::batches(&sealed);
    if batches.is_empty() {
        return openings::openings(sealed, Vec::new());
    }
    let rows = sqlx::query_as(
        "SELECT id, account, module, parent, batch
         FROM batches
         WHERE id = ANY ($1)",
    )
    .bind(numbers(&batches))
    .fetch_all(tx)
    .await
    .map_err(during("reading batches"))?;
    openings::openings(sealed, rows)
}

async fn attempted(tx: &mut PgConnection, attempts: &BTreeSet<i64>) -> Result<Attempted, LedgerError> {
    let mut found = Attempted::default();
    if attempts.is_empty() {
        return Ok(found);
    }
    let rows: Vec<(i64, i64, Option<i64>, Vec<String>)> = sqlx::query_as(
        "SELECT a.id, a.batch, l.result, array_agg(l.file_id ORDER BY l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE a.id = ANY ($1)
         GROUP BY a.id, a.batch, l.result",
    )
    .bind(numbers(attempts))
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of attempts"))?;
    for (attempt, batch, result, list) in rows {
        found.add(attempt, batch, result, list)?;
    }
    Ok(found)
}
