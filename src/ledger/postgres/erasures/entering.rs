//! A request is entered, and files come under it: those that are known, and those that are recorded while it is open.

use sqlx::PgConnection;

use super::by_reference;
use super::files::progress;
use crate::evidence::Fact;
use crate::ledger::common::erasures::{columns, is_the_same};
use crate::ledger::postgres::fault::{damaged, during};
use crate::ledger::postgres::leaves::{self, Sealing};
use crate::ledger::postgres::rows::Keys;
use crate::ledger::{Entered, LedgerError};
use crate::model::{ErasureId, ErasureScope, NewErasure, Timestamp};

pub(super) async fn add(
    tx: &mut PgConnection,
    new: &NewErasure,
    at: Timestamp,
) -> Result<Entered, LedgerError> {
    if let Some(known) = by_reference(tx, &new.reference).await? {
        is_the_same(&known, new)?;
        return entered(tx, known.id, true).await;
    }
    let (kind, value) = columns(&new.scope);
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO erasures (scope, value, reference, received, placed_at)
         VALUES ($1, $2, $3, $4, $5)
         RETURNING id",
    )
    .bind(kind)
    .bind(value)
    .bind(&new.reference)
    .bind(new.received.to_string())
    .bind(at.as_millis())
    .fetch_one(&mut *tx)
    .await
    .map_err(during("entering an erasure request"))?;
    find_files(tx, id, &new.scope).await?;
    let mut sealing = Sealing::new()?;
    let fact = Fact::ErasureRequest {
        erasure: id,
        scope: kind.to_owned(),
        covers: sealing.text("covers", value),
        reference: sealing.text("reference", &new.reference),
        received: new.received.to_string(),
    };
    leaves::append_sealed(tx, at, fact, sealing).await?;
    entered(tx, ErasureId(id), false).await
}

async fn entered(tx: &mut PgConnection, id: ErasureId, known: bool) -> Result<Entered, LedgerError> {
    let counted = progress(tx, false, Some(id)).await?;
    let (_, files) = counted
        .first()
        .ok_or_else(|| damaged("an erasure request that was just read is not there"))?;
    Ok(Entered {
        erasure: id,
        known,
        files: *files,
    })
}

/// The files that are known when the request comes, as `Erasure::covers` sees it.
async fn find_files(tx: &mut PgConnection, id: i64, scope: &ErasureScope) -> Result<(), LedgerError> {
    let statement = match scope {
        ErasureScope::Subject(subject) => sqlx::query(
            "INSERT INTO erasure_files (erasure, batch, file_id)
             SELECT $1, batch, file_id
             FROM subjects
             WHERE subject = $2
             UNION
             SELECT $1, c.batch, c.file_id
             FROM subjects s
             JOIN copies c ON c.original_file = s.file_id AND c.original_batch = s.batch
             WHERE s.subject = $2
               -- A copy that names a subject of its own is that one's.
               AND NOT EXISTS (
                   SELECT 1 FROM subjects o WHERE o.batch = c.batch AND o.file_id = c.file_id
               )",
        )
        .bind(id)
        .bind(subject.as_str()),
        ErasureScope::File(file) => sqlx::query(
            "INSERT INTO erasure_files (erasure, batch, file_id)
             SELECT $1, batch, file_id FROM files WHERE file_id = $2
             UNION
             SELECT $1, batch, file_id FROM copies WHERE original_file = $2",
        )
        .bind(id)
        .bind(file.as_str()),
        // Reads every file: no index leads from a batch to its files, for a request comes seldom.
        ErasureScope::Batch(batch) => sqlx::query(
            "INSERT INTO erasure_files (erasure, batch, file_id)
             SELECT $1, batch, file_id
             FROM files
             WHERE batch IN (SELECT id FROM batches WHERE batch = $2)
             UNION
             SELECT $1, batch, file_id
             FROM copies
             WHERE original_batch IN (SELECT id FROM batches WHERE batch = $2)",
        )
        .bind(id)
        .bind(batch.as_str()),
    };
    statement
        .execute(tx)
        .await
        .map_err(during("finding the files of an erasure request"))?;
    Ok(())
}

/// Whether any request is open: most intakes end here.
pub(in crate::ledger::postgres) async fn any_open(tx: &mut PgConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM erasures WHERE closed_at IS NULL)")
        .fetch_one(tx)
        .await
        .map_err(during("reading whether an erasure request is open"))
}

/// Files that were just recorded, or recorded again with more facts, come under the open requests that
/// cover them, and so do their linked copies.
pub(in crate::ledger::postgres) async fn take_in(
    tx: &mut PgConnection,
    keys: &Keys<'_>,
) -> Result<(), LedgerError> {
    sqlx::query(
        "WITH named AS (
             SELECT batch, file_id FROM unnest($1::bigint[], $2::text[]) j (batch, file_id)
         ),
         touched AS (
             SELECT batch, file_id FROM named
             UNION
             SELECT c.batch, c.file_id
             FROM named n
             JOIN copies c ON c.original_file = n.file_id AND c.original_batch = n.batch
         )
         INSERT INTO erasure_files (erasure, batch, file_id)
         SELECT r.id, t.batch, t.file_id
         FROM touched t
         JOIN batches b ON b.id = t.batch
         LEFT JOIN subjects s ON s.batch = t.batch AND s.file_id = t.file_id
         LEFT JOIN copies c ON c.batch = t.batch AND c.file_id = t.file_id
         LEFT JOIN subjects o ON o.batch = c.original_batch AND o.file_id = c.original_file
         LEFT JOIN batches ob ON ob.id = c.original_batch
         CROSS JOIN erasures r
         WHERE r.closed_at IS NULL
           AND CASE r.scope
                   WHEN 'subject' THEN r.value = coalesce(s.subject, o.subject)
                   WHEN 'file' THEN r.value IN (t.file_id, c.original_file)
                   ELSE r.value IN (b.batch, ob.batch)
               END
         ON CONFLICT DO NOTHING",
    )
    .bind(&keys.batches)
    .bind(&keys.files)
    .execute(tx)
    .await
    .map_err(during("bringing files under erasure requests"))?;
    Ok(())
}

/// Enters a request, unless one has its reference; its number, and whether it is new.
pub(in crate::ledger::postgres) async fn enter_again(
    tx: &mut PgConnection,
    new: &NewErasure,
    at: Timestamp,
) -> Result<(ErasureId, bool), LedgerError> {
    if let Some(known) = by_reference(tx, &new.reference).await? {
        return Ok((known.id, false));
    }
    Ok((add(tx, new, at).await?.erasure, true))
}
