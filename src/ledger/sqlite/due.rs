//! Narrowing: which files a sweep has to look at. Nothing here decides.

use sqlx::SqliteConnection;

use super::fault::during;
use super::intern;
use super::rows::{FileRow, account_text, ids, page_of, records, select_files, select_page};
use crate::ledger::{After, LedgerError};
use crate::model::{AccountName, BatchKey, FileId, FileRecord, PolicyName, Timestamp};

pub(super) async fn due(
    tx: &mut SqliteConnection,
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
    let page: String = sqlx::query_scalar(select_page!(
        "files f INDEXED BY files_due",
        "WHERE f.state = 0 -- literal, or the partial index is not taken
           AND f.policy = ?1
           AND f.due_at <= ?2
           AND (f.due_at, f.batch, f.file_id) > (?3, ?4, ?5)
           -- A copy rides along with its original while that is still to be deleted.
           AND NOT EXISTS (
               SELECT 1
               FROM files o
               WHERE o.batch = c.original_batch
                 AND o.file_id = c.original_file
                 AND o.state IN (0, 1, 4)
           )
         ORDER BY f.due_at, f.batch, f.file_id
         LIMIT ?6"
    ))
    .bind(policy)
    .bind(now.as_millis())
    .bind(due_at)
    .bind(batch)
    .bind(file)
    .bind(page)
    .fetch_one(&mut *tx)
    .await
    .map_err(during("reading what is due"))?;
    let rows = page_of(&page, |a, b| {
        let due = a.due_at.cmp(&b.due_at);
        due.then(a.batch.cmp(&b.batch)).then(a.file_id.cmp(&b.file_id))
    })?;
    records(tx, rows).await
}

/// Whether there is a file of unknown state: as a rule there is none.
pub(super) async fn any_unknown(tx: &mut SqliteConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1
             FROM files INDEXED BY files_unsettled
             WHERE state IN (1, 4, 5) AND state = 4 -- the first term takes the partial index
         )",
    )
    .fetch_one(tx)
    .await
    .map_err(during("looking for unknown files"))
}

pub(super) async fn unknown(tx: &mut SqliteConnection, page: u32) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f INDEXED BY files_unsettled",
        "WHERE f.state IN (1, 4, 5) AND f.state = 4 -- the first term takes the partial index
         ORDER BY f.batch, f.file_id
         LIMIT ?1"
    ))
    .bind(page)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading unknown files"))?;
    records(tx, rows).await
}

pub(super) async fn unknown_in(
    tx: &mut SqliteConnection,
    account: Option<&AccountName>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f INDEXED BY files_unsettled",
        "WHERE f.state IN (1, 4, 5) AND f.state = 4 -- the first term takes the partial index
           AND EXISTS (SELECT 1 FROM batches b WHERE b.id = f.batch AND b.account = ?1)
         ORDER BY f.batch, f.file_id
         LIMIT ?2"
    ))
    .bind(account_text(account))
    .bind(page)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading unknown files"))?;
    records(tx, rows).await
}

pub(super) async fn copies_of(
    tx: &mut SqliteConnection,
    batch: BatchKey,
    originals: &[FileId],
) -> Result<Vec<FileRecord>, LedgerError> {
    if originals.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "json_each(?2) j
         CROSS JOIN copies l ON l.original_file = j.value AND l.original_batch = ?1
         CROSS JOIN files f ON f.batch = l.batch AND f.file_id = l.file_id",
        "WHERE f.state IN (0, 4)
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
    tx: &mut SqliteConnection,
    batch: BatchKey,
    files: &[FileId],
) -> Result<Vec<FileRecord>, LedgerError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "json_each(?2) j CROSS JOIN files f ON f.batch = ?1 AND f.file_id = j.value",
        "ORDER BY j.key"
    ))
    .bind(batch.0)
    .bind(ids(files))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files"))?;
    records(tx, rows).await
}

pub(super) async fn by_id(tx: &mut SqliteConnection, file: &FileId) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE f.file_id = ?1
         ORDER BY f.batch"
    ))
    .bind(file.as_str())
    .fetch_all(&mut *tx)
    .await
    .map_err(during("looking for a file"))?;
    records(tx, rows).await
}

/// Files on their way right now: a handful.
pub(super) async fn deleting(tx: &mut SqliteConnection) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f INDEXED BY files_unsettled",
        "WHERE f.state IN (1, 4, 5) AND f.state = 1 -- the first term takes the partial index
         ORDER BY f.batch, f.file_id"
    ))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files under way"))?;
    records(tx, rows).await
}
