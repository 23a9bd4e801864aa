//! What is not over: it stays, however old.

use std::collections::HashSet;

use serde_json::Value;
use sqlx::PgConnection;

use crate::ledger::LedgerError;
use crate::ledger::common::redaction::{Cut, Named};
use crate::ledger::postgres::fault::during;
use crate::ledger::postgres::holds;
use crate::ledger::postgres::rows::{FileRow, Keys, file_id, records, select_files};
use crate::model::{BatchKey, Holds};

/// To be bound as `bigint[]` and `text[]`.
pub(super) fn list<'f>(files: impl IntoIterator<Item = &'f Named>) -> Keys<'f> {
    files
        .into_iter()
        .map(|(batch, file)| (batch.0, file.as_str()))
        .collect()
}

/// Those of `files` that have to stay, each for a reason of its own. Files without a row are over.
pub(super) async fn files(
    tx: &mut PgConnection,
    files: &HashSet<Named>,
    cut: Cut,
) -> Result<HashSet<Named>, LedgerError> {
    if files.is_empty() {
        return Ok(HashSet::new());
    }
    let all = list(files);
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT f.batch, f.file_id
         FROM unnest($1::bigint[], $2::text[]) j (batch, file_id)
         JOIN files f ON f.batch = j.batch AND f.file_id = j.file_id
         WHERE f.state NOT IN (2, 3)
            -- Something is on record of it since.
            OR EXISTS (
                SELECT 1
                FROM attempt_files l
                JOIN attempts a ON a.id = l.attempt
                WHERE l.file_id = f.file_id
                  AND a.batch = f.batch
                  AND (a.settled_at IS NULL OR a.settled_at >= $3 OR l.verified_at >= $3)
            )
            OR EXISTS (
                SELECT 1
                FROM notes n
                WHERE n.batch = f.batch AND n.file_id = f.file_id AND n.at >= $3
            )
            OR EXISTS (
                SELECT 1
                FROM erasure_files e
                JOIN erasures r ON r.id = e.erasure
                WHERE e.batch = f.batch
                  AND e.file_id = f.file_id
                  AND (r.closed_at IS NULL OR r.closed_at >= $3)
            )
            OR EXISTS (
                SELECT 1
                FROM plan_files l
                JOIN plans p ON p.id = l.plan
                WHERE l.batch = f.batch AND l.file_id = f.file_id AND p.at >= $3
            )
            -- A copy is matched, held and timed as its original.
            OR EXISTS (
                SELECT 1
                FROM copies c
                WHERE c.original_file = f.file_id AND c.original_batch = f.batch
            )",
    )
    .bind(&all.batches)
    .bind(&all.files)
    .bind(cut.before.as_millis())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("looking for files that are not over"))?;
    let mut stay: HashSet<Named> = rows
        .into_iter()
        .map(|(batch, file)| Ok((BatchKey(batch), file_id(file)?)))
        .collect::<Result<_, LedgerError>>()?;
    held(tx, &all, cut, &mut stay).await?;
    Ok(stay)
}

/// Whoever holds files holds what is on record of them.
async fn held(
    tx: &mut PgConnection,
    all: &Keys<'_>,
    cut: Cut,
    stay: &mut HashSet<Named>,
) -> Result<(), LedgerError> {
    let standing = holds::active(tx, cut.now).await?;
    if standing.is_empty() {
        return Ok(());
    }
    let holds = Holds::new(standing);
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "unnest($1::bigint[], $2::text[]) j (batch, file_id)
         JOIN files f ON f.batch = j.batch AND f.file_id = j.file_id",
        ""
    ))
    .bind(&all.batches)
    .bind(&all.files)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files that may be held"))?;
    for file in records(tx, rows).await? {
        if holds.covering(&file, file.owner.as_ref(), cut.now).is_some() {
            stay.insert((file.key.batch, file.key.file));
        }
    }
    Ok(())
}

/// Whether a leaf without files tells of something that is not over. `$1`: number, `$2`: kind or digest, `$3`:
/// the leaf's time, `$4`: the cut.
pub(super) async fn told_of(
    tx: &mut PgConnection,
    kind: &str,
    fact: &Value,
    at: i64,
    cut: Cut,
) -> Result<bool, LedgerError> {
    let (statement, number, word) = match kind {
        "hold" | "release" => (
            "SELECT EXISTS (SELECT 1 FROM holds WHERE id = $1 AND (ends_at IS NULL OR ends_at >= $4))",
            &fact["hold"],
            &Value::Null,
        ),
        "erasure-request" | "erasure-closed" => (
            "SELECT EXISTS (SELECT 1 FROM erasures WHERE id = $1 AND (closed_at IS NULL OR closed_at >= $4))",
            &fact["erasure"],
            &Value::Null,
        ),
        "breaker-opened" => (
            "SELECT EXISTS (
                 SELECT 1
                 FROM breakers
                 WHERE kind || CASE account WHEN '' THEN '' ELSE '@' || account END = $2
                   AND opened_at = $3 AND (closed_at IS NULL OR closed_at >= $4)
             )",
            &Value::Null,
            &fact["breaker"],
        ),
        "pause" => (
            "SELECT EXISTS (
                 SELECT 1 FROM pauses WHERE since = $3 AND least(until, cleared_at) >= $4
             )",
            &Value::Null,
            &Value::Null,
        ),
        // By which rules the oldest of what stays was decided.
        "rules" | "rule-text" => (
            "SELECT s.digest = $2
             FROM rule_adoptions a
             JOIN rule_sets s ON s.id = a.rule_set
             WHERE a.adopted_at < $4
             ORDER BY a.id DESC
             LIMIT 1",
            &Value::Null,
            &fact["digest"],
        ),
        _ => return Ok(false),
    };
    let stands: Option<bool> = sqlx::query_scalar(statement)
        .bind(number.as_i64())
        .bind(word.as_str())
        .bind(at)
        .bind(cut.before.as_millis())
        .fetch_optional(tx)
        .await
        .map_err(during("looking whether a fact is over"))?;
    Ok(stands.unwrap_or(false))
}
