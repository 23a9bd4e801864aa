//! Sizes and counts.

use sqlx::PgConnection;

use super::fault::during;
use super::rows::{count, state};
use crate::ledger::{LedgerError, Stat};

pub(super) async fn stats(tx: &mut PgConnection) -> Result<Vec<Stat>, LedgerError> {
    let context = "reading the ledger's size";
    let mut stats = vec![stat("database", bytes(tx).await?, "bytes")];
    let by_state: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT state, sum(files)::bigint
         FROM tallies
         GROUP BY state
         HAVING sum(files) > 0
         ORDER BY state",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    for (code, files) in by_state {
        stats.push(stat(state(code)?.name(), count(files)?, "files"));
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'batches', count(*) FROM batches
         UNION ALL SELECT 'attributes', count(*) FROM attributes
         UNION ALL SELECT 'linked copies', count(*) FROM copies
         UNION ALL SELECT 'sweeps', count(*) FROM sweeps
         UNION ALL SELECT 'attempts', count(*) FROM attempts
         UNION ALL SELECT 'holds', count(*) FROM holds",
    )
    .fetch_all(tx)
    .await
    .map_err(during(context))?;
    const NAMES: [&str; 6] = [
        "batches",
        "attributes",
        "linked copies",
        "sweeps",
        "attempts",
        "holds",
    ];
    for (name, (_, rows)) in NAMES.into_iter().zip(rows) {
        stats.push(stat(name, count(rows)?, "rows"));
    }
    Ok(stats)
}

/// What the ledger's tables and indexes take on the server.
pub(super) async fn bytes(tx: &mut PgConnection) -> Result<u64, LedgerError> {
    let bytes: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
         FROM pg_class
         WHERE relnamespace = 'retentiond'::regnamespace AND relkind = 'r'",
    )
    .fetch_one(tx)
    .await
    .map_err(during("reading the ledger's size"))?;
    count(bytes)
}

fn stat(name: &'static str, value: u64, unit: &'static str) -> Stat {
    Stat { name, value, unit }
}
