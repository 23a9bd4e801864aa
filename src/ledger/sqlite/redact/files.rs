//! Files that are over, with every row that names them: after the leaves, for a leaf that stays names its files.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;
use sqlx::SqliteConnection;

use super::standing::{self, Named};
use super::{Cut, Done};
use crate::ledger::sqlite::fault::{damaged, during};
use crate::ledger::sqlite::rows::file_id;
use crate::ledger::sqlite::tallies;
use crate::ledger::{Gone, LedgerError, RedactionStep};
use crate::model::BatchKey;

/// Attempts in one step, each of at most a request's worth of files.
const ATTEMPTS: u32 = 20;

/// Moves in one step.
const MOVES: u32 = 1_000;

/// The files of attempts that ended before the cut.
pub(super) async fn by_attempts(
    tx: &mut SqliteConnection,
    after: (i64, i64),
    cut: Cut,
) -> Result<Done, LedgerError> {
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT a.intent_at, a.id, a.batch,
                (SELECT json_group_array(l.file_id) FROM attempt_files l WHERE l.attempt = a.id)
         FROM attempts a INDEXED BY attempts_by_intent
         WHERE (a.intent_at, a.id) > (?1, ?2)
           AND a.intent_at < ?3
         ORDER BY a.intent_at, a.id
         LIMIT ?4",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(cut.before.as_millis())
    .bind(ATTEMPTS)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading attempts to be redacted"))?;
    let Some((intent_at, id, ..)) = rows.last() else {
        return Ok(done(0, RedactionStep::Moves(0)));
    };
    let next = RedactionStep::Attempts(*intent_at, *id);
    let mut files = HashSet::new();
    for (_, _, batch, list) in rows {
        let list: Vec<String> =
            serde_json::from_str(&list).map_err(|error| damaged(format!("a list of file ids: {error}")))?;
        for file in list {
            files.insert((BatchKey(batch), file_id(file)?));
        }
    }
    Ok(done(remove(tx, files, cut).await?, next))
}

/// Files that ended without an attempt.
pub(super) async fn by_moves(tx: &mut SqliteConnection, after: i64, cut: Cut) -> Result<Done, LedgerError> {
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT id, at, batch, file_id
         FROM notes
         WHERE id > ?1
         ORDER BY id
         LIMIT ?2",
    )
    .bind(after)
    .bind(MOVES)
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading moves to be redacted"))?;
    let read = rows.len();
    let old = rows
        .into_iter()
        .take_while(|(_, at, ..)| *at < cut.before.as_millis());
    let (mut files, mut last, mut taken) = (HashSet::new(), after, 0);
    for (id, _, batch, file) in old {
        files.insert((BatchKey(batch), file_id(file)?));
        (last, taken) = (id, taken + 1);
    }
    let went = remove(tx, files, cut).await?;
    let mut done = done(went, RedactionStep::Moves(last));
    if taken < read || read == 0 {
        done.next = None;
    }
    Ok(done)
}

/// Takes away those of `files` that are over and that no leaf names any more; how many.
async fn remove(tx: &mut SqliteConnection, mut files: HashSet<Named>, cut: Cut) -> Result<u64, LedgerError> {
    let stay = standing::files(tx, &files, cut).await?;
    files.retain(|file| !stay.contains(file));
    let told = told(tx, &standing::list(files.iter().cloned())).await?;
    files.retain(|file| !told.contains(file));
    if files.is_empty() {
        return Ok(0);
    }
    let list = standing::list(files.iter().cloned());
    tallies::take_off(tx, &list).await?;
    let attempts = forget_attempts(tx, &list).await?;
    for statement in FORGET {
        change(tx, statement, &list).await?;
    }
    change(
        tx,
        "DELETE FROM attempts
         WHERE id IN (SELECT value FROM json_each(?1))
           AND NOT EXISTS (SELECT 1 FROM attempt_files l WHERE l.attempt = attempts.id)",
        &json!(attempts).to_string(),
    )
    .await?;
    Ok(files.len() as u64)
}

/// By file, then the file itself.
const FORGET: [&str; 6] = [
    "DELETE FROM subjects
     WHERE (batch, file_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    "DELETE FROM copies
     WHERE (batch, file_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    "DELETE FROM strikes
     WHERE (batch, file_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    "DELETE FROM notes
     WHERE (batch, file_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))",
    "DELETE FROM files
     WHERE (file_id, batch) IN (SELECT value ->> 1, value ->> 0 FROM json_each(?1))",
    // An event of this file alone, unless another batch holds one with the same id.
    "DELETE FROM start_events
     WHERE scope = 'file'
       AND value IN (SELECT value ->> 1 FROM json_each(?1))
       AND NOT EXISTS (SELECT 1 FROM files f WHERE f.file_id = start_events.value)",
];

/// Those that a leaf which stays names.
async fn told(tx: &mut SqliteConnection, list: &str) -> Result<HashSet<Named>, LedgerError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT k.batch, k.file_id
         FROM json_each(?1) j
         CROSS JOIN leaves_kept_files k ON k.batch = j.value ->> 0 AND k.file_id = j.value ->> 1",
    )
    .bind(list)
    .fetch_all(tx)
    .await
    .map_err(during("looking for leaves that stay"))?;
    rows.into_iter()
        .map(|(batch, file)| Ok((BatchKey(batch), file_id(file)?)))
        .collect()
}

/// The files out of their attempts; which attempts these were.
async fn forget_attempts(tx: &mut SqliteConnection, list: &str) -> Result<BTreeSet<i64>, LedgerError> {
    let attempts: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM attempt_files
         WHERE (attempt, file_id) IN (
             SELECT l.attempt, l.file_id
             FROM json_each(?1) j
             CROSS JOIN attempt_files l INDEXED BY attempt_files_by_file ON l.file_id = j.value ->> 1
             CROSS JOIN attempts a ON a.id = l.attempt AND a.batch = j.value ->> 0
         )
         RETURNING attempt",
    )
    .bind(list)
    .fetch_all(tx)
    .await
    .map_err(during("redacting attempts"))?;
    Ok(attempts.into_iter().collect())
}

async fn change(tx: &mut SqliteConnection, statement: &'static str, list: &str) -> Result<(), LedgerError> {
    sqlx::query(statement)
        .bind(list)
        .execute(tx)
        .await
        .map_err(during("redacting files"))?;
    Ok(())
}

fn done(files: u64, next: RedactionStep) -> Done {
    Done {
        gone: Gone {
            files,
            ..Gone::default()
        },
        last: None,
        next: Some(next),
    }
}
