//! Leaves of the evidence tree: appended in the transaction of the fact that they tell of.

use serde_json::Value;
use sqlx::PgConnection;

use super::fault::{conflict, during, ensure_rows};
use super::rows::batch_address;
use crate::evidence::{Fact, Frontier, Hash, Leaf};
use crate::ledger::LedgerError;
use crate::ledger::common::sealing;
pub(super) use crate::ledger::common::sealing::{Sealing, digest_of, field_of, frontier, to_i64};
use crate::model::{BatchAddress, BatchKey, Timestamp};

/// Adds a leaf without anything to hide.
pub(super) async fn append(tx: &mut PgConnection, at: Timestamp, fact: Fact) -> Result<(), LedgerError> {
    write(tx, at, fact, None).await
}

/// Adds a leaf with commitments.
pub(super) async fn append_sealed(
    tx: &mut PgConnection,
    at: Timestamp,
    fact: Fact,
    sealing: Sealing,
) -> Result<(), LedgerError> {
    write(tx, at, fact, Some(sealing)).await
}

async fn write(
    tx: &mut PgConnection,
    at: Timestamp,
    fact: Fact,
    sealing: Option<Sealing>,
) -> Result<(), LedgerError> {
    let (mut tree, before) = edge(tx).await?;
    if tree.size() == 0 {
        let begin = genesis(tx, &before).await?;
        insert(tx, &mut tree, at, begin, None).await?;
    }
    insert(tx, &mut tree, at, fact, sealing).await
}

/// The tree, and how much there was before its first leaf.
async fn edge(tx: &mut PgConnection) -> Result<(Frontier, String), LedgerError> {
    let (size, edge, before): (i64, Vec<u8>, String) = sqlx::query_as(
        "SELECT size, edge, before
         FROM tree",
    )
    .fetch_one(tx)
    .await
    .map_err(during("reading the edge of the evidence tree"))?;
    Ok((frontier(size, &edge)?, before))
}

async fn insert(
    tx: &mut PgConnection,
    tree: &mut Frontier,
    at: Timestamp,
    fact: Fact,
    sealing: Option<Sealing>,
) -> Result<(), LedgerError> {
    let context = "adding a leaf to the evidence tree";
    let kind = fact.kind();
    let content = Leaf::new(tree.size(), at, fact).content();
    let hash = Hash::of_leaf(content.as_bytes());
    let seq = to_i64(tree.size());
    tree.append(hash);
    let salt = sealing.as_ref().map(|sealing| sealing.salt.to_vec());
    let sealed = sealing
        .filter(|sealing| !sealing.clear.is_empty())
        .map(|sealing| Value::Object(sealing.clear).to_string());
    let done = sqlx::query(
        "WITH leaf AS (
             INSERT INTO leaves (seq, at, kind, hash, content)
             VALUES ($1, $2, $3, $4, $5)
         ),
         hidden AS (
             INSERT INTO leaf_salts (seq, salt, sealed)
             SELECT $1, $6, $7
             WHERE $6 IS NOT NULL
         )
         UPDATE tree
         SET size = $1 + 1, edge = $8
         WHERE size = $1",
    )
    .bind(seq)
    .bind(at.as_millis())
    .bind(kind)
    .bind(hash.0.to_vec())
    .bind(content)
    .bind(salt)
    .bind(sealed)
    .bind(tree.to_bytes())
    .execute(tx)
    .await
    .map_err(during(context))?;
    ensure_rows("the evidence tree", done.rows_affected(), 1)
}

async fn genesis(tx: &mut PgConnection, before: &str) -> Result<Fact, LedgerError> {
    sealing::genesis(ledger_name(tx).await?, before)
}

pub(super) async fn ledger_name(tx: &mut PgConnection) -> Result<String, LedgerError> {
    sqlx::query_scalar(
        "SELECT ledger
         FROM lineage",
    )
    .fetch_one(tx)
    .await
    .map_err(during("reading the ledger's name"))
}

/// The full address of a batch, as commitments spell it.
pub(super) async fn address(tx: &mut PgConnection, batch: BatchKey) -> Result<BatchAddress, LedgerError> {
    let row: Option<(String, String, String, String)> = sqlx::query_as(
        "SELECT account, module, parent, batch
         FROM batches
         WHERE id = $1",
    )
    .bind(batch.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a batch"))?;
    let (account, module, parent, name) =
        row.ok_or_else(|| conflict(format!("batch {}", batch.0), "the ledger does not know it"))?;
    batch_address(&account, &module, parent, name)
}
