//! Narrowing: which files a sweep has to look at. Nothing here decides.

use sqlx::PgConnection;

use super::fault::during;
use super::intern;
use super::rows::{FileRow, account_text, ids, records, select_files};
use crate::ledger::{After, LedgerError};
use crate::model::{AccountName, BatchKey, FileId, FileRecord, PolicyName, Timestamp};

pub(super) async fn due(
    tx: &mut PgConnection,
    policy: &PolicyName,
    now: Timestamp,
    after: Option<&After>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let Some(policy) = intern::known_policy(tx, policy).await? else {
        return Ok(Vec::new());
    };
    let (due_at, batch, file) = match after {
        // Before every key: a page starts after what it is given.
        None => (i64::MIN, i64::MIN, ""),
        Some(after) => (
            after.due_at.as_millis(),
            after.key.batch.0,
            after.key.file.as_str(),
        ),
    };
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.state = 0 -- literal, or the partial index is not taken
           AND f.policy = $1
           AND f.due_at <= $2
           AND (f.due_at, f.batch, f.file_id) > ($3, $4, $5)
           -- A copy rides along with its original while that is still to be deleted.
           AND NOT EXISTS (
               SELECT 1
               FROM files o
               WHERE o.batch = c.original_batch
                 AND o.file_id = c.original_file
                 AND o.state IN (0, 1, 4)
           )
         ORDER BY f.due_at, f.batch, f.file_id
         LIMIT $6"
    ))
    .bind(policy)
    .bind(now.as_millis())
    .bind(due_at)
    .bind(batch)
    .bind(file)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what is due"))?;
    records(tx, rows).await
}

/// Whether there is a file of unknown state: as a rule there is none.
pub(super) async fn any_unknown(tx: &mut PgConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1
             FROM files
             WHERE state IN (1, 4, 5) AND state = 4 -- the first term takes the partial index
         )",
    )
    .fetch_one(tx)
    .await
    .map_err(during("looking for unknown files"))
}

pub(super) async fn unknown(tx: &mut PgConnection, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.state IN (1, 4, 5) AND f.state = 4 -- the first term takes the partial index
         ORDER BY f.batch, f.file_id
         LIMIT $1"
    ))
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading unknown files"))?;
    records(tx, rows).await
}

pub(super) async fn unknown_in(
    tx: &mut PgConnection,
    account: Option<&AccountName>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.state IN (1, 4, 5) AND f.state = 4 -- the first term takes the partial index
           AND EXISTS (SELECT 1 FROM batches b WHERE b.id = f.batch AND b.account = $1)
         ORDER BY f.batch, f.file_id
         LIMIT $2"
    ))
    .bind(account_text(account))
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading unknown files"))?;
    records(tx, rows).await
}

pub(super) async fn copies_of(
    tx: &mut PgConnection,
    batch: BatchKey,
    originals: &[FileId],
) -> Result<Vec<FileRecord>, LedgerError> {
    if originals.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "copies l
         JOIN files f ON f.batch = l.batch AND f.file_id = l.file_id",
        "WHERE l.original_batch = $1
           AND l.original_file = ANY ($2)
           AND f.state IN (0, 4)
         ORDER BY f.batch, f.file_id"
    ))
    .bind(batch.0)
    .bind(ids(originals))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading linked copies"))?;
    records(tx, rows).await
}

/// Those of `files` that the ledger holds in `batch`, whole, in the order asked.
pub(super) async fn by_key(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
) -> Result<Vec<FileRecord>, LedgerError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "unnest($2::text[]) WITH ORDINALITY j (file_id, place)
         JOIN files f ON f.batch = $1 AND f.file_id = j.file_id",
        "ORDER BY j.place"
    ))
    .bind(batch.0)
    .bind(ids(files))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files"))?;
    records(tx, rows).await
}

pub(super) async fn by_id(tx: &mut PgConnection, file: &FileId) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.file_id = $1
         ORDER BY f.batch"
    ))
    .bind(file.as_str())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("looking for a file"))?;
    records(tx, rows).await
}

/// Files on their way right now: a handful.
pub(super) async fn deleting(tx: &mut PgConnection) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.state IN (1, 4, 5) AND f.state = 1 -- the first term takes the partial index
         ORDER BY f.batch, f.file_id"
    ))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files under way"))?;
    records(tx, rows).await
}
