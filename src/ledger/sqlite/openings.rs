//! What opens the commitments of leaves, many leaves at a time: salts, texts, and the files that they name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use crate::ledger::common::openings::{self, Attempted, Row, Sealed};
use crate::ledger::{LedgerError, Opening};

/// Those of `leaves` that have something to hide and still a salt, in order.
pub(super) async fn sealed(tx: &mut SqliteConnection, leaves: &[u64]) -> Result<Vec<Sealed>, LedgerError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.seq, s.salt, s.sealed, l.kind, l.content ->> '$.fact.attempt'
         FROM json_each(?1) j
         CROSS JOIN leaf_salts s ON s.seq = j.value
         CROSS JOIN leaves l ON l.seq = s.seq
         ORDER BY s.seq",
    )
    .bind(json!(leaves).to_string())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what opens leaves"))?;
    let attempted = attempted(tx, &openings::attempts(&rows)).await?;
    openings::sealed(rows, &attempted)
}

/// As whoever checks wants them: files as the leaf committed to them.
pub(super) async fn openings(
    tx: &mut SqliteConnection,
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
         WHERE id IN (SELECT value FROM json_each(?1))",
    )
    .bind(json!(batches).to_string())
    .fetch_all(tx)
    .await
    .map_err(during("reading batches"))?;
    openings::openings(sealed, rows)
}

async fn attempted(tx: &mut SqliteConnection, attempts: &BTreeSet<i64>) -> Result<Attempted, LedgerError> {
    let mut found = Attempted::default();
    if attempts.is_empty() {
        return Ok(found);
    }
    // A row a result: each row that SQLite's thread hands over costs more than it takes to find it.
    let rows: Vec<(i64, i64, Option<i64>, String)> = sqlx::query_as(
        "SELECT a.id, a.batch, l.result, json_group_array(l.file_id)
         FROM json_each(?1) j
         CROSS JOIN attempts a ON a.id = j.value
         CROSS JOIN attempt_files l ON l.attempt = a.id
         GROUP BY a.id, a.batch, l.result",
    )
    .bind(json!(attempts).to_string())
    .fetch_all(tx)
    .await
    .map_err(during("reading the files of attempts"))?;
    for (attempt, batch, result, list) in rows {
        let list =
            serde_json::from_str(&list).map_err(|error| damaged(format!("a list of file ids: {error}")))?;
        found.add(attempt, batch, result, list)?;
    }
    Ok(found)
}
