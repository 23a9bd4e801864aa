//! The outcome (T2), and what is left of intents that a crash interrupted.

use std::collections::{BTreeMap, HashMap};

use sqlx::{Row, SqliteConnection};

use super::fault::{conflict, damaged, during, ensure_rows};
use super::leaves::{self, Sealing};
use super::rows::{ids, state};
use super::{batch, due, told_again};
use crate::evidence::Fact;
use crate::evidence::leaf::States;
use crate::ledger::{LedgerError, Settlement};
use crate::model::{AttemptId, BatchAddress, BatchKey, FileId, FileKey, FileState, SweepId, Timestamp};
use crate::outcome::{FileEvent, next_state};

pub(super) async fn settle(
    tx: &mut SqliteConnection,
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
    let mut moves = moves.into_iter();
    let (to, files) = moves.next().unwrap_or((FileState::Unknown, Vec::new()));
    let statements = sqlx::query(
        "UPDATE attempts
         SET settled_at = $2, outcome = $3, http_status = $4, detail = $5
         WHERE id = $1 AND settled_at IS NULL
         RETURNING sweep, batch;

         UPDATE attempt_files
         SET result = $7
         FROM json_each($6) j
         WHERE attempt_files.attempt = $1
           AND attempt_files.file_id = j.value
           AND attempt_files.result IS NULL;

         UPDATE files
         SET state = $7
         FROM json_each($6) j
         WHERE files.batch = (SELECT batch FROM attempts WHERE id = $1)
           AND files.file_id = j.value
           AND files.state = 1;

         SELECT count(*)
         FROM attempt_files
         WHERE attempt = $1 AND result IS NULL",
    )
    .bind(attempt.0)
    .bind(settlement.at.as_millis())
    .bind(settlement.outcome)
    .bind(settlement.http_status)
    .bind(settlement.detail.as_deref())
    .bind(ids(&files))
    .bind(to.code());
    let done = batch::run(tx, statements, context).await?;
    let [ended, results, moved, left] = &done[..] else {
        return Err(damaged("an outcome was not written as a whole"));
    };
    let Some(row) = ended.rows.first() else {
        if moved.changed > 0 {
            // They are under way again, and not by this attempt.
            return Err(conflict(format!("attempt {}", attempt.0), "it is not under way"));
        }
        return told_again::settled_so(tx, attempt, settlement, &all).await;
    };
    let (sweep, batch) = (
        row.try_get(0).map_err(during(context))?,
        BatchKey(row.try_get(1).map_err(during(context))?),
    );
    ensure_rows("files of an attempt", results.changed, files.len())?;
    ensure_rows("files being moved", moved.changed, files.len())?;
    let mut open: i64 = match left.rows.first() {
        Some(row) => row.try_get(0).map_err(during(context))?,
        None => return Err(damaged("a count without a number")),
    };
    // Mostly all files of an answer go the same way.
    for (to, files) in moves {
        let files: Vec<FileId> = files.into_iter().cloned().collect();
        move_files(tx, batch, &files, FileState::Deleting, to).await?;
        write_results(tx, attempt, &files, to).await?;
        open -= i64::try_from(files.len()).expect("a request's worth of files");
    }
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
    tx: &mut SqliteConnection,
    batch: BatchKey,
    files: impl Iterator<Item = &FileId>,
) -> Result<HashMap<FileId, FileState>, LedgerError> {
    let files: Vec<FileId> = files.cloned().collect();
    if files.is_empty() {
        return Ok(HashMap::new());
    }
    // A row a state: each row that SQLite's thread hands over costs more than it takes to find it.
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT f.state, json_group_array(f.file_id)
         FROM json_each(?2) j
         CROSS JOIN files f ON f.batch = ?1 AND f.file_id = j.value
         GROUP BY f.state",
    )
    .bind(batch.0)
    .bind(ids(&files))
    .fetch_all(tx)
    .await
    .map_err(during("reading states"))?;
    let mut states = HashMap::with_capacity(files.len());
    for (code, list) in rows {
        let (state, files) = (state(code)?, parsed_ids(&list)?);
        states.extend(files.into_iter().map(|file| (file, state)));
    }
    Ok(states)
}

fn parsed_ids(list: &str) -> Result<Vec<FileId>, LedgerError> {
    serde_json::from_str(list).map_err(|error| damaged(format!("a list of file ids: {error}")))
}

/// Moves files that are all in state `from`.
pub(super) async fn move_files(
    tx: &mut SqliteConnection,
    batch: BatchKey,
    files: &[FileId],
    from: FileState,
    to: FileState,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE files
         SET state = ?4
         FROM json_each(?2) j
         WHERE files.batch = ?1
           AND files.file_id = j.value
           AND files.state = ?3",
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
    tx: &mut SqliteConnection,
    attempt: AttemptId,
    files: &[FileId],
    to: FileState,
) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE attempt_files
         SET result = ?3
         FROM json_each(?2) j
         WHERE attempt_files.attempt = ?1
           AND attempt_files.file_id = j.value
           AND attempt_files.result IS NULL",
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
macro_rules! sent_before {
    ($sweep:literal, $batch:literal, $files:literal) => {
        concat!(
            "SELECT count(*)
             FROM json_each(",
            $files,
            ") j
             WHERE EXISTS (
                 SELECT 1
                 FROM attempt_files l -- CROSS keeps the order: by file, not by sweep
                 CROSS JOIN attempts a ON a.id = l.attempt
                 WHERE l.file_id = j.value
                   AND a.sweep = ",
            $sweep,
            "
                   AND a.batch = ",
            $batch,
            "
                   AND l.result IS NOT 0 -- under way, or settled as anything but released
             )"
        )
    };
}
pub(super) use sent_before;

async fn count_sent_before(
    tx: &mut SqliteConnection,
    sweep: i64,
    batch: BatchKey,
    files: &[FileId],
) -> Result<u64, LedgerError> {
    if files.is_empty() {
        return Ok(0);
    }
    let sent: i64 = sqlx::query_scalar(sent_before!("$1", "$2", "$3"))
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
    tx: &mut SqliteConnection,
    sweep: SweepId,
    among: &[FileKey],
) -> Result<Vec<FileKey>, LedgerError> {
    let list = serde_json::to_string(
        &among
            .iter()
            .map(|key| (key.batch.0, &key.file))
            .collect::<Vec<_>>(),
    )
    .expect("numbers and ids are plain");
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT j.value ->> 0, j.value ->> 1
         FROM json_each(?2) j
         WHERE EXISTS (
             SELECT 1
             FROM attempt_files l -- CROSS keeps the order: by file, not by sweep
             CROSS JOIN attempts a ON a.id = l.attempt
             WHERE l.file_id = j.value ->> 1
               AND a.sweep = ?1
               AND a.batch = j.value ->> 0
               AND l.result IS NOT 0 -- under way, or settled as anything but released
         )
           AND NOT EXISTS (
             SELECT 1
             FROM copies c
             WHERE c.batch = j.value ->> 0 AND c.file_id = j.value ->> 1
         )",
    )
    .bind(sweep.0)
    .bind(list)
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
    tx: &mut SqliteConnection,
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
         SET sent = sent - ?2
         WHERE id = ?1",
    )
    .bind(sweep)
    .bind(i64::try_from(back).unwrap_or(i64::MAX))
    .execute(tx)
    .await
    .map_err(during("giving back to the limit"))?;
    ensure_rows("the sweep of an attempt", done.rows_affected(), 1)
}

/// Whether a crash cut something off: an attempt without an outcome, or a file under way.
pub(super) async fn interrupted(tx: &mut SqliteConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM attempts WHERE settled_at IS NULL)
             OR EXISTS (
                 SELECT 1
                 FROM files INDEXED BY files_unsettled
                 WHERE state IN (1, 4, 5) AND state = 1 -- the first term takes the partial index
             )",
    )
    .fetch_one(tx)
    .await
    .map_err(during("looking for an interruption"))
}

pub(super) async fn recover_orphans(tx: &mut SqliteConnection, at: Timestamp) -> Result<u64, LedgerError> {
    let context = "recovering from an interruption";
    let to = next_state(FileState::Deleting, FileEvent::Lost)?;
    let (attempts, orphans) = under_way(tx).await?;
    let moved = sqlx::query(
        "UPDATE files INDEXED BY files_unsettled
         SET state = ?1
         WHERE state IN (1, 4, 5) AND state = 1 -- the first term takes the partial index",
    )
    .bind(to.code())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?
    .rows_affected();
    sqlx::query(
        "UPDATE attempt_files
         SET result = ?1
         WHERE result IS NULL
           AND attempt IN (SELECT id FROM attempts WHERE settled_at IS NULL)",
    )
    .bind(to.code())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query(
        "UPDATE attempts
         SET settled_at = ?1, outcome = 'unknown', detail = 'interrupted'
         WHERE settled_at IS NULL",
    )
    .bind(at.as_millis())
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    let mut sealing = Sealing::new()?;
    if let Some(unknown) = sealing.files(leaves::field_of(to), &orphans) {
        let fact = Fact::Interrupted { attempts, unknown };
        leaves::append_sealed(tx, at, fact, sealing).await?;
    }
    Ok(moved)
}

/// Attempts without an outcome, and their files by batch.
async fn under_way(tx: &mut SqliteConnection) -> Result<(u64, Vec<Batchful>), LedgerError> {
    let context = "reading what was interrupted";
    let attempts: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM attempts
         WHERE settled_at IS NULL",
    )
    .fetch_one(&mut *tx)
    .await
    .map_err(during(context))?;
    if attempts == 0 {
        return Ok((0, Vec::new()));
    }
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT a.batch, json_group_array(l.file_id)
         FROM attempts a
         JOIN attempt_files l ON l.attempt = a.id
         WHERE a.settled_at IS NULL
         GROUP BY a.batch",
    )
    .fetch_all(&mut *tx)
    .await
    .map_err(during(context))?;
    let mut found = Vec::with_capacity(rows.len());
    for (batch, list) in rows {
        let batch = BatchKey(batch);
        found.push((batch, leaves::address(tx, batch).await?, parsed_ids(&list)?));
    }
    Ok((super::rows::count(attempts)?, found))
}
