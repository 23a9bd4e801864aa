//! Files that are over, with every row that names them: after the leaves, for a leaf that stays names its files.

use std::collections::{BTreeSet, HashSet};

use sqlx::PgConnection;

use super::standing;
use crate::ledger::common::redaction::{Cut, Done, Named};
use crate::ledger::postgres::fault::during;
use crate::ledger::postgres::rows::{Keys, file_id, numbers};
use crate::ledger::postgres::tallies;
use crate::ledger::{LedgerError, RedactionStep};
use crate::model::BatchKey;

/// Attempts in one step, each of at most a request's worth of files.
const ATTEMPTS: u32 = 20;

/// Moves in one step.
const MOVES: u32 = 1_000;

/// The files of attempts that ended before the cut.
pub(super) async fn by_attempts(
    tx: &mut PgConnection,
    after: (i64, i64),
    cut: Cut,
) -> Result<Done, LedgerError> {
    let rows: Vec<(i64, i64, i64, Vec<String>)> = sqlx::query_as(
        "SELECT a.intent_at, a.id, a.batch,
                ARRAY(SELECT l.file_id FROM attempt_files l WHERE l.attempt = a.id)
         FROM attempts a
         WHERE (a.intent_at, a.id) > ($1, $2)
           AND a.intent_at < $3
         ORDER BY a.intent_at, a.id
         LIMIT $4",
    )
    .bind(after.0)
    .bind(after.1)
    .bind(cut.before.as_millis())
    .bind(i64::from(ATTEMPTS))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading attempts to be redacted"))?;
    let Some((intent_at, id, ..)) = rows.last() else {
        return Ok(Done::with_files(0, RedactionStep::Moves(0)));
    };
    let next = RedactionStep::Attempts(*intent_at, *id);
    let mut files = HashSet::new();
    for (_, _, batch, list) in rows {
        for file in list {
            files.insert((BatchKey(batch), file_id(file)?));
        }
    }
    Ok(Done::with_files(remove(tx, files, cut).await?, next))
}

/// Files that ended without an attempt.
pub(super) async fn by_moves(tx: &mut PgConnection, after: i64, cut: Cut) -> Result<Done, LedgerError> {
    let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "SELECT id, at, batch, file_id
         FROM notes
         WHERE id > $1
         ORDER BY id
         LIMIT $2",
    )
    .bind(after)
    .bind(i64::from(MOVES))
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
    let mut done = Done::with_files(went, RedactionStep::Moves(last));
    if taken < read || read == 0 {
        done.next = None;
    }
    Ok(done)
}

/// Takes away those of `files` that are over and that no leaf names any more; how many.
async fn remove(tx: &mut PgConnection, mut files: HashSet<Named>, cut: Cut) -> Result<u64, LedgerError> {
    let stay = standing::files(tx, &files, cut).await?;
    files.retain(|file| !stay.contains(file));
    let told = told(tx, &standing::list(&files)).await?;
    files.retain(|file| !told.contains(file));
    if files.is_empty() {
        return Ok(0);
    }
    let list = standing::list(&files);
    tallies::take_off(tx, &list).await?;
    let attempts = forget_attempts(tx, &list).await?;
    for statement in FORGET {
        sqlx::query(statement)
            .bind(&list.batches)
            .bind(&list.files)
            .execute(&mut *tx)
            .await
            .map_err(during("redacting files"))?;
    }
    forget_names(tx, &list).await?;
    sqlx::query(
        "DELETE FROM attempts
         WHERE id = ANY ($1)
           AND NOT EXISTS (SELECT 1 FROM attempt_files l WHERE l.attempt = attempts.id)",
    )
    .bind(numbers(&attempts))
    .execute(tx)
    .await
    .map_err(during("redacting files"))?;
    Ok(files.len() as u64)
}

/// By file, then the file itself.
const FORGET: [&str; 5] = [
    "DELETE FROM subjects s
     USING unnest($1::bigint[], $2::text[]) j (batch, file_id)
     WHERE s.batch = j.batch AND s.file_id = j.file_id",
    "DELETE FROM copies c
     USING unnest($1::bigint[], $2::text[]) j (batch, file_id)
     WHERE c.batch = j.batch AND c.file_id = j.file_id",
    "DELETE FROM strikes s
     USING unnest($1::bigint[], $2::text[]) j (batch, file_id)
     WHERE s.batch = j.batch AND s.file_id = j.file_id",
    "DELETE FROM notes n
     USING unnest($1::bigint[], $2::text[]) j (batch, file_id)
     WHERE n.batch = j.batch AND n.file_id = j.file_id",
    "DELETE FROM files f
     USING unnest($1::bigint[], $2::text[]) j (batch, file_id)
     WHERE f.batch = j.batch AND f.file_id = j.file_id",
];

/// An event of such a file alone, unless another batch holds one with the same id.
async fn forget_names(tx: &mut PgConnection, list: &Keys<'_>) -> Result<(), LedgerError> {
    sqlx::query(
        "DELETE FROM start_events
         WHERE scope = 'file'
           AND value = ANY ($1)
           AND NOT EXISTS (SELECT 1 FROM files f WHERE f.file_id = start_events.value)",
    )
    .bind(&list.files)
    .execute(tx)
    .await
    .map_err(during("redacting files"))?;
    Ok(())
}

/// Those that a leaf which stays names.
async fn told(tx: &mut PgConnection, list: &Keys<'_>) -> Result<HashSet<Named>, LedgerError> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT k.batch, k.file_id
         FROM unnest($1::bigint[], $2::text[]) j (batch, file_id)
         JOIN leaves_kept_files k ON k.batch = j.batch AND k.file_id = j.file_id",
    )
    .bind(&list.batches)
    .bind(&list.files)
    .fetch_all(tx)
    .await
    .map_err(during("looking for leaves that stay"))?;
    rows.into_iter()
        .map(|(batch, file)| Ok((BatchKey(batch), file_id(file)?)))
        .collect()
}

/// The files out of their attempts; which attempts these were.
async fn forget_attempts(tx: &mut PgConnection, list: &Keys<'_>) -> Result<BTreeSet<i64>, LedgerError> {
    let attempts: Vec<i64> = sqlx::query_scalar(
        "DELETE FROM attempt_files l
         USING unnest($1::bigint[], $2::text[]) j (batch, file_id), attempts a
         WHERE l.file_id = j.file_id AND a.id = l.attempt AND a.batch = j.batch
         RETURNING l.attempt",
    )
    .bind(&list.batches)
    .bind(&list.files)
    .fetch_all(tx)
    .await
    .map_err(during("redacting attempts"))?;
    Ok(attempts.into_iter().collect())
}
