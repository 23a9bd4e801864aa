//! Erasure requests. Whether one covers a file is `Erasure::covers`'s to say; the list of files kept here
//! narrows, and says when a request is done.

use crate::ledger::common::erasures::{Row, columns, request};
use async_trait::async_trait;
use sqlx::PgConnection;

use super::PostgresLedger;
use super::fault::{conflict, damaged, during};
use super::leaves::{self, Sealing};
use super::rows::{FileRow, Keys, count, records, select_files};
use super::unverified::others_own;
use crate::evidence::Fact;
use crate::ledger::{Entered, ErasureFiles, ErasureRequests, LedgerError};
use crate::model::{Erasure, ErasureId, ErasureScope, FileKey, FileRecord, NewErasure, Timestamp};

#[async_trait]
impl ErasureRequests for PostgresLedger {
    async fn add_erasure(&self, new: &NewErasure, at: Timestamp) -> Result<Entered, LedgerError> {
        let new = new.clone();
        self.write(move |tx| Box::pin(async move { add(tx, &new, at).await }))
            .await
    }

    async fn close_erasure(&self, id: ErasureId, reason: &str, at: Timestamp) -> Result<(), LedgerError> {
        let reason = reason.to_owned();
        self.write(move |tx| Box::pin(async move { close(tx, id, &reason, at).await }))
            .await
    }

    async fn erasures(&self, open_only: bool) -> Result<Vec<Erasure>, LedgerError> {
        self.read_one(move |tx| Box::pin(requests(tx, open_only))).await
    }

    async fn erasure_progress(&self, open_only: bool) -> Result<Vec<(ErasureId, ErasureFiles)>, LedgerError> {
        self.read_one(move |tx| Box::pin(progress(tx, open_only, None)))
            .await
    }

    async fn erasure_files(
        &self,
        id: ErasureId,
        after: Option<&FileKey>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        let after = after.cloned();
        self.read(move |tx| Box::pin(async move { files(tx, id, after.as_ref(), page).await }))
            .await
    }

    async fn erasable(&self, after: Option<&FileKey>, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        let after = after.cloned();
        self.read(move |tx| Box::pin(async move { erasable(tx, after.as_ref(), page).await }))
            .await
    }

    async fn erased_unverified(&self, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
        let seat = self.holder.number().await;
        self.read(move |tx| Box::pin(unverified(tx, seat, page))).await
    }

    async fn close_erased(&self, at: Timestamp) -> Result<Vec<ErasureId>, LedgerError> {
        self.write(move |tx| Box::pin(close_erased(tx, at))).await
    }

    async fn live_in_all(&self) -> Result<u64, LedgerError> {
        self.read_one(move |tx| Box::pin(live_in_all(tx))).await
    }
}

/// Whether nothing bears out that the file `f`, deleted or gone, is so: the last answer that said it was
/// never followed by a look. A look that contradicted it moved the file; where it is gone now, a later
/// one found that.
macro_rules! unverified {
    () => {
        "EXISTS (
             SELECT 1
             FROM attempt_files l -- CROSS keeps the order: by file, not by attempt
             JOIN attempts a ON a.id = l.attempt
             WHERE l.file_id = f.file_id
               AND a.batch = f.batch
               AND l.result IN (2, 3)
               AND l.finding IS NULL
               AND l.attempt = (
                   SELECT max(m.attempt)
                   FROM attempt_files m
                   JOIN attempts n ON n.id = m.attempt
                   WHERE m.file_id = f.file_id AND n.batch = f.batch AND m.result IN (2, 3)
               )
         )"
    };
}

async fn add(tx: &mut PgConnection, new: &NewErasure, at: Timestamp) -> Result<Entered, LedgerError> {
    if let Some(known) = by_reference(tx, &new.reference).await? {
        if known.scope != new.scope || known.received != new.received || known.closed_at.is_some() {
            return Err(conflict(
                format!("the reference `{}`", new.reference),
                format!(
                    "erasure request {} has it and differs, or is closed; give this one a reference of its own",
                    known.id.0
                ),
            ));
        }
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
pub(super) async fn any_open(tx: &mut PgConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM erasures WHERE closed_at IS NULL)")
        .fetch_one(tx)
        .await
        .map_err(during("reading whether an erasure request is open"))
}

/// Files that were just recorded, or recorded again with more facts, come under the open requests that
/// cover them, and so do their linked copies.
pub(super) async fn take_in(tx: &mut PgConnection, keys: &Keys<'_>) -> Result<(), LedgerError> {
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

async fn close(tx: &mut PgConnection, id: ErasureId, reason: &str, at: Timestamp) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE erasures
         SET closed_at = $2, close_reason = $3
         WHERE id = $1 AND closed_at IS NULL",
    )
    .bind(id.0)
    .bind(at.as_millis())
    .bind(reason)
    .execute(&mut *tx)
    .await
    .map_err(during("closing an erasure request"))?;
    if done.rows_affected() == 1 {
        let mut sealing = Sealing::new()?;
        let fact = Fact::ErasureClosed {
            erasure: id.0,
            how: "by-operator".to_owned(),
            reason: Some(sealing.text("reason", reason)),
        };
        return leaves::append_sealed(tx, at, fact, sealing).await;
    }
    Err(conflict(
        format!("erasure request {}", id.0),
        "there is none, or it is closed",
    ))
}

/// Closes it, unless there is none or somebody did; whether it did.
pub(super) async fn close_once(
    tx: &mut PgConnection,
    id: ErasureId,
    reason: &str,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    match close(tx, id, reason, at).await {
        Ok(()) => Ok(true),
        Err(LedgerError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Enters a request, unless one has its reference; its number, and whether it is new.
pub(super) async fn enter_again(
    tx: &mut PgConnection,
    new: &NewErasure,
    at: Timestamp,
) -> Result<(ErasureId, bool), LedgerError> {
    if let Some(known) = by_reference(tx, &new.reference).await? {
        return Ok((known.id, false));
    }
    Ok((add(tx, new, at).await?.erasure, true))
}

/// Closes a request that was closed as verified at `at`, if every file of it is verified gone; whether it did.
pub(super) async fn close_again(
    tx: &mut PgConnection,
    id: ErasureId,
    at: Timestamp,
) -> Result<bool, LedgerError> {
    let open = progress(tx, true, Some(id)).await?;
    let Some((_, files)) = open.first() else {
        return Ok(false);
    };
    let left = files.live + files.deleting + files.unknown + files.quarantined + files.unverified;
    if left > 0 || files.verified == 0 {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE erasures
         SET closed_at = $2
         WHERE id = $1",
    )
    .bind(id.0)
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during("closing an erasure request again"))?;
    let fact = Fact::ErasureClosed {
        erasure: id.0,
        how: "verified".to_owned(),
        reason: None,
    };
    leaves::append(tx, at, fact).await?;
    Ok(true)
}

async fn close_erased(tx: &mut PgConnection, at: Timestamp) -> Result<Vec<ErasureId>, LedgerError> {
    let closed: Vec<i64> = sqlx::query_scalar(concat!(
        "UPDATE erasures
         SET closed_at = $1
         WHERE closed_at IS NULL
           -- Of a request without files nobody knows what it means: an operator closes it.
           AND EXISTS (SELECT 1 FROM erasure_files e WHERE e.erasure = erasures.id)
           AND NOT EXISTS (
               SELECT 1
               FROM erasure_files e
               JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id
               WHERE e.erasure = erasures.id
                 AND (f.state NOT IN (2, 3) OR ",
        unverified!(),
        ")
           )
         RETURNING id"
    ))
    .bind(at.as_millis())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("closing erasure requests"))?;
    for erasure in &closed {
        let fact = Fact::ErasureClosed {
            erasure: *erasure,
            how: "verified".to_owned(),
            reason: None,
        };
        leaves::append(tx, at, fact).await?;
    }
    Ok(closed.into_iter().map(ErasureId).collect())
}

type Counts = (i64, i64, i64, i64, i64, i64, i64);

pub(super) async fn progress(
    tx: &mut PgConnection,
    open_only: bool,
    one: Option<ErasureId>,
) -> Result<Vec<(ErasureId, ErasureFiles)>, LedgerError> {
    let rows: Vec<Counts> = sqlx::query_as(concat!(
        "SELECT r.id,
                count(*) FILTER (WHERE f.state = 0),
                count(*) FILTER (WHERE f.state = 1),
                count(*) FILTER (WHERE f.state = 4),
                count(*) FILTER (WHERE f.state = 5),
                count(*) FILTER (WHERE f.state IN (2, 3) AND ",
        unverified!(),
        "),
                count(*) FILTER (WHERE f.state IN (2, 3))
         FROM erasures r
         LEFT JOIN erasure_files e ON e.erasure = r.id
         LEFT JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id
         WHERE (r.closed_at IS NULL OR NOT $1)
           AND ($2 IS NULL OR r.id = $2)
         GROUP BY r.id
         ORDER BY r.id"
    ))
    .bind(open_only)
    .bind(one.map(|id| id.0))
    .fetch_all(tx)
    .await
    .map_err(during("counting the files of erasure requests"))?;
    rows.into_iter()
        .map(|(id, live, deleting, unknown, quarantined, unverified, ended)| {
            let files = ErasureFiles {
                live: count(live)?,
                deleting: count(deleting)?,
                unknown: count(unknown)?,
                quarantined: count(quarantined)?,
                unverified: count(unverified)?,
                verified: count(ended - unverified)?,
            };
            Ok((ErasureId(id), files))
        })
        .collect()
}

/// Before every key: a page starts after what it is given.
fn place(after: Option<&FileKey>) -> (i64, &str) {
    after.map_or((i64::MIN, ""), |key| (key.batch.0, key.file.as_str()))
}

async fn files(
    tx: &mut PgConnection,
    id: ErasureId,
    after: Option<&FileKey>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let (batch, file) = place(after);
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "erasure_files e
         JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id",
        "WHERE e.erasure = $1
           AND (e.batch, e.file_id) > ($2, $3)
         ORDER BY e.batch, e.file_id
         LIMIT $4"
    ))
    .bind(id.0)
    .bind(batch)
    .bind(file)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading the files of an erasure request"))?;
    records(tx, rows).await
}

async fn erasable(
    tx: &mut PgConnection,
    after: Option<&FileKey>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let (batch, file) = place(after);
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "(
             SELECT DISTINCT e.batch, e.file_id
             FROM erasures r
             JOIN erasure_files e ON e.erasure = r.id
             WHERE r.closed_at IS NULL
               AND (e.batch, e.file_id) > ($1, $2)
         ) k
         JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id",
        "WHERE f.state = 0
           AND NOT EXISTS (
               SELECT 1
               FROM files o
               CROSS JOIN erasures r
               JOIN erasure_files e ON e.erasure = r.id AND e.batch = o.batch AND e.file_id = o.file_id
               WHERE o.batch = c.original_batch
                 AND o.file_id = c.original_file
                 AND o.state IN (0, 1, 4)
                 AND r.closed_at IS NULL
           )
         ORDER BY f.batch, f.file_id
         LIMIT $3"
    ))
    .bind(batch)
    .bind(file)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what erasure requests cover"))?;
    records(tx, rows).await
}

async fn unverified(
    tx: &mut PgConnection,
    seat: Option<i64>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "(
             SELECT DISTINCT e.batch, e.file_id
             FROM erasures r
             JOIN erasure_files e ON e.erasure = r.id
             WHERE r.closed_at IS NULL
         ) k
         JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id",
        "WHERE f.state IN (2, 3)
           AND EXISTS (
               SELECT 1
               FROM attempt_files l
               JOIN attempts a ON a.id = l.attempt
               WHERE l.file_id = f.file_id
                 AND a.batch = f.batch
                 AND l.result IN (2, 3)
                 AND l.finding IS NULL
                 AND l.attempt = (
                     SELECT max(m.attempt)
                     FROM attempt_files m
                     JOIN attempts n ON n.id = m.attempt
                     WHERE m.file_id = f.file_id AND n.batch = f.batch AND m.result IN (2, 3)
                 ) ",
        others_own!(),
        ")
         ORDER BY f.batch, f.file_id
         LIMIT $1"
    ))
    .bind(i64::from(page))
    .bind(seat)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading erased files that were not verified"))?;
    records(tx, rows).await
}

async fn live_in_all(tx: &mut PgConnection) -> Result<u64, LedgerError> {
    let files: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(files), 0)::bigint
         FROM tallies
         WHERE state = 0",
    )
    .fetch_one(tx)
    .await
    .map_err(during("counting live files"))?;
    count(files)
}

macro_rules! select_requests {
    ($tail:literal) => {
        concat!(
            "SELECT id, scope, value, reference, received, placed_at, closed_at, close_reason
             FROM erasures ",
            $tail
        )
    };
}

/// The open ones, or all.
pub(super) async fn requests(tx: &mut PgConnection, open_only: bool) -> Result<Vec<Erasure>, LedgerError> {
    let statement = if open_only {
        select_requests!("WHERE closed_at IS NULL ORDER BY id")
    } else {
        select_requests!("ORDER BY id")
    };
    let rows: Vec<Row> = sqlx::query_as(statement)
        .fetch_all(tx)
        .await
        .map_err(during("reading erasure requests"))?;
    rows.into_iter().map(request).collect()
}

async fn by_reference(tx: &mut PgConnection, reference: &str) -> Result<Option<Erasure>, LedgerError> {
    let row: Option<Row> = sqlx::query_as(select_requests!("WHERE reference = $1"))
        .bind(reference)
        .fetch_optional(tx)
        .await
        .map_err(during("looking for an erasure request"))?;
    row.map(request).transpose()
}
