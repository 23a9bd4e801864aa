//! The outcome (T2), and what is left of intents that a crash interrupted.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::fault::{conflict, during, ensure_rows};
use super::leaves::{self, Sealing};
use super::rows::{Keys, file_id, ids, state};
use super::{due, shared, told_again};
use crate::evidence::Fact;
use crate::evidence::leaf::States;
use crate::ledger::{LedgerError, Settlement};
use crate::model::{AttemptId, BatchAddress, BatchKey, FileId, FileKey, FileState, SweepId, Timestamp};
use crate::outcome::{FileEvent, next_state};

pub(super) async fn settle(
    tx: &mut PgConnection,
    attempt: AttemptId,
    settlement: &Settlement,
) -> Result<(), LedgerError> {
    // Every file of an attempt under way is `deleting`: the statements see to it.
    let mut moves: BTreeMap<FileState, Vec<&FileId>> = BTreeMap::new();
    let mut released = Vec::new();
    for (file, event) in &settlement.files {
        let to = next_state(FileState::Deleting, *event)?;
        moves.entry(to).or_default().push(file);
        if *event == FileEvent::Released {
            released.push(file.clone());
        }
    }
    let context = "writing an outcome";
    let all = moves.clone();
    let ended: Option<(i64, i64)> = sqlx::query_as(
        "UPDATE attempts
         SET settled_at = $2, outcome = $3, http_status = $4, detail = $5
         WHERE id = $1 AND settled_at IS NULL
         RETURNING sweep, batch",
    )
    .bind(attempt.0)
    .bind(settlement.at.as_millis())
    .bind(settlement.outcome)
    .bind(settlement.http_status.map(i64::from))
    .bind(settlement.detail.as_deref())
    .fetch_optional(&mut *tx)
    .await
    .map_err(during(context))?;
    let Some((sweep, batch)) = ended else {
        return told_again::settled_so(tx, attempt, settlement, &all).await;
    };
    let batch = BatchKey(batch);
    // Mostly all files of an answer go the same way.
    for (to, files) in moves {
        let files: Vec<FileId> = files.into_iter().cloned().collect();
        move_files(tx, batch, &files, FileState::Deleting, to).await?;
        write_results(tx, attempt, &files, to).await?;
    }
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM attempt_files
         WHERE attempt = $1 AND result IS NULL",
    )
    .bind(attempt.0)
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    if open != 0 {
        return Err(conflict(
            format!("attempt {}", attempt.0),
            format!("the settlement leaves out {open} of its files"),
        ));
    }
    give_back(tx, sweep, batch, &released).await?;
    let sealing = Sealing::new()?;
    let address = leaves::address(tx, batch).await?;
    let set = |state: FileState| {
        let files = all.get(&state)?;
        Some(sealing.attempted(leaves::field_of(state), &address, files.iter().copied()))
    };
    let fact = Fact::Outcome {
        attempt: attempt.0,
        outcome: settlement.outcome.to_owned(),
        http_status: settlement.http_status,
        to: States::by(set),
    };
    leaves::append_sealed(tx, settlement.at, fact, sealing).await
}

/// Files of one batch.
type Batchful = (BatchKey, BatchAddress, Vec<FileId>);

/// The present states of files in a batch.
pub(super) async fn states(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: impl Iterator<Item = &FileId>,
) -> Result<HashMap<FileId, FileState>, LedgerError> {
    let files: Vec<FileId> = files.cloned().collect();
    if files.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT file_id, state
         FROM files
         WHERE batch = $1 AND file_id = ANY ($2)",
    )
    .bind(batch.0)
    .bind(ids(&files))
    .fetch_all(tx)
    .await
    .map_err(during("reading states"))?;
    rows.into_iter()
        .map(|(file, code)| Ok((file_id(file)?, state(code)?)))
        .collect()
}

/// Moves files that are all in state `from`.
pub(super) async fn move_files(
    tx: &mut PgConnection,
    batch: BatchKey,
    files: &[FileId],
    from: FileState,
    to: FileState,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE files
         SET state = $4
         WHERE batch = $1
           AND file_id = ANY ($2)
           AND state = $3",
    )
    .bind(batch.0)
    .bind(ids(files))
    .bind(from.code())
    .bind(to.code())
    .execute(tx)
    .await
    .map_err(during("moving files"))?;
    ensure_rows("files being moved", done.rows_affected(), files.len())
}

async fn write_results(
    tx: &mut PgConnection,
    attempt: AttemptId,
    files: &[FileId],
    to: FileState,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE attempt_files
         SET result = $3
         WHERE attempt = $1
           AND file_id = ANY ($2)
           AND result IS NULL",
    )
    .bind(attempt.0)
    .bind(ids(files))
    .bind(to.code())
    .execute(tx)
    .await
    .map_err(during("writing results"))?;
    ensure_rows("files of an attempt", done.rows_affected(), files.len())
}

/// How many of these files a sweep has sent: an attempt of it is under way or did not end in `live`.
pub(super) async fn count_sent_before(
    tx: &mut PgConnection,
    sweep: i64,
    batch: BatchKey,
    files: &[impl Borrow<FileId>],
) -> Result<u64, LedgerError> {
    if files.is_empty() {
        return Ok(0);
    }
    let sent: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM unnest($3::text[]) j (file_id)
         WHERE EXISTS (
             SELECT 1
             FROM attempt_files l
             JOIN attempts a ON a.id = l.attempt
             WHERE l.file_id = j.file_id
               AND a.sweep = $1
               AND a.batch = $2
               AND l.result IS DISTINCT FROM 0 -- under way, or settled as anything but released
         )",
    )
    .bind(sweep)
    .bind(batch.0)
    .bind(ids(files))
    .fetch_one(tx)
    .await
    .map_err(during("reading what a sweep has sent"))?;
    super::rows::count(sent)
}

/// Those of `among` that a sweep has sent, by the same rule; copies are not counted.
pub(super) async fn sent_in(
    tx: &mut PgConnection,
    sweep: SweepId,
    among: &[FileKey],
) -> Result<Vec<FileKey>, LedgerError> {
    let keys: Keys<'_> = among.iter().map(|key| (key.batch.0, key.file.as_str())).collect();
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT j.batch, j.file_id
         FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY j (batch, file_id, place)
         WHERE EXISTS (
             SELECT 1
             FROM attempt_files l
             JOIN attempts a ON a.id = l.attempt
             WHERE l.file_id = j.file_id
               AND a.sweep = $1
               AND a.batch = j.batch
               AND l.result IS DISTINCT FROM 0 -- under way, or settled as anything but released
         )
           AND NOT EXISTS (
             SELECT 1
             FROM copies c
             WHERE c.batch = j.batch AND c.file_id = j.file_id
         )
         ORDER BY j.place",
    )
    .bind(sweep.0)
    .bind(keys.batches)
    .bind(keys.files)
    .fetch_all(tx)
    .await
    .map_err(during("reading what a sweep has sent"))?;
    let key = |(batch, file)| {
        Ok(FileKey {
            batch: BatchKey(batch),
            file: super::rows::file_id(file)?,
        })
    };
    rows.into_iter().map(key).collect()
}

/// Released files were not touched: unless the sweep sent them another time, they cost it nothing.
async fn give_back(
    tx: &mut PgConnection,
    sweep: i64,
    batch: BatchKey,
    released: &[FileId],
) -> Result<(), LedgerError> {
    if released.is_empty() {
        return Ok(());
    }
    let originals: Vec<FileId> = due::by_key(tx, batch, released)
        .await?
        .into_iter()
        .filter(|file| file.copy_of.is_none())
        .map(|file| file.key.file)
        .collect();
    let back = originals.len() as u64 - count_sent_before(tx, sweep, batch, &originals).await?;
    let done = sqlx::query(
        "UPDATE sweeps
         SET sent = sent - $2
         WHERE id = $1",
    )
    .bind(sweep)
    .bind(i64::try_from(back).unwrap_or(i64::MAX))
    .execute(tx)
    .await
    .map_err(during("giving back to the limit"))?;
    ensure_rows("the sweep of an attempt", done.rows_affected(), 1)
}

/// Whether something was cut off: an attempt without an outcome that nobody can still be at (a request may be on its way
/// as long as the lease lasts under which it was claimed, whatever became of the session), a file under way without
/// an attempt, a part that we took and did not end.
pub(super) async fn interrupted(tx: &mut PgConnection, seat: Option<i64>) -> Result<bool, LedgerError> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1
             FROM attempts
             WHERE settled_at IS NULL
               AND (peer IS NULL OR peer = $1 OR peer NOT IN (SELECT number FROM leased))
         ) OR EXISTS (
             SELECT 1
             FROM files f
             WHERE f.state IN (1, 4, 5) AND f.state = 1 -- the first term takes the partial index
               AND NOT EXISTS (
                   SELECT 1
                   FROM attempt_files l
                   JOIN attempts a ON a.id = l.attempt
                   WHERE l.file_id = f.file_id AND a.batch = f.batch AND a.settled_at IS NULL
               )
         ) OR EXISTS (
             SELECT 1
             FROM parts
             WHERE peer = $1 AND summary IS NULL
         )",
    )
    .bind(seat)
    .fetch_one(tx)
    .await
    .map_err(during("looking for an interruption"))
}

/// A process does one piece of work at a time: what is under way under its own `seat` is left of an earlier one.
pub(super) async fn recover_orphans(
    tx: &mut PgConnection,
    seat: Option<i64>,
    at: Timestamp,
) -> Result<u64, LedgerError> {
    let context = "recovering from an interruption";
    let to = next_state(FileState::Deleting, FileEvent::Lost)?;
    let attempts: Vec<i64> = sqlx::query_scalar(
        "SELECT id
         FROM attempts
         WHERE settled_at IS NULL
           AND (peer IS NULL OR peer = $1 OR peer NOT IN (SELECT number FROM leased))",
    )
    .bind(seat)
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    let orphans = files_of(tx, &attempts).await?;
    let moved = sqlx::query(
        "UPDATE files f
         SET state = $1
         WHERE f.state IN (1, 4, 5) AND f.state = 1 -- the first term takes the partial index
           AND NOT EXISTS (
               SELECT 1
               FROM attempt_files l
               JOIN attempts a ON a.id = l.attempt
               WHERE l.file_id = f.file_id
                 AND a.batch = f.batch
                 AND a.settled_at IS NULL
                 AND a.id <> ALL ($2)
           )",
    )
    .bind(to.code())
    .bind(&attempts)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?
    .rows_affected();
    sqlx::query(
        "UPDATE attempt_files
         SET result = $1
         WHERE result IS NULL AND attempt = ANY ($2)",
    )
    .bind(to.code())
    .bind(&attempts)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query(
        "UPDATE attempts
         SET settled_at = $1, outcome = 'unknown', detail = 'interrupted'
         WHERE id = ANY ($2)",
    )
    .bind(at.as_millis())
    .bind(&attempts)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    if let Some(seat) = seat {
        shared::give_back(tx, seat).await?;
    }
    let mut sealing = Sealing::new()?;
    if let Some(unknown) = sealing.files(leaves::field_of(to), &orphans) {
        let attempts = attempts.len() as u64;
        let fact = Fact::Interrupted { attempts, unknown };
        leaves::append_sealed(tx, at, fact, sealing).await?;
    }
    Ok(moved)
}

/// The files of attempts, by batch.
async fn files_of(tx: &mut PgConnection, attempts: &[i64]) -> Result<Vec<Batchful>, LedgerError> {
    if attempts.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, Vec<String>)> = sqlx::query_as(
        "SELECT a.batch, array_agg(l.file_id ORDER BY l.attempt, l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE a.id = ANY ($1)
         GROUP BY a.batch",
    )
    .bind(attempts)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading what was interrupted"))?;
    let mut found = Vec::with_capacity(rows.len());
    for (batch, files) in rows {
        let batch = BatchKey(batch);
        let files: Result<_, _> = files.into_iter().map(file_id).collect();
        found.push((batch, leaves::address(tx, batch).await?, files?));
    }
    Ok(found)
}
