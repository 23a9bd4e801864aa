//! Start events: taken in, corrected, listed; and which files one is recorded for. What a file has to do
//! with them is said when its record is read (`occurred`).

pub(super) use crate::ledger::common::events::{EventRow, event};
use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{conflict, during, ensure_rows};
use super::rows::{FileRow, Keys, records, select_files, timestamp};
use super::{PostgresLedger, tallies};
use crate::ledger::common::events::columns;
use crate::ledger::{EventNoted, Events, LedgerError};
use crate::model::{EventScope, FileKey, FileRecord, NewEvent, RecordedEvent, Timestamp};

/// Files a statement when those in a scope are marked.
const PAGE: usize = 10_000;

#[async_trait]
impl Events for PostgresLedger {
    async fn add_event(&self, event: &NewEvent, at: Timestamp) -> Result<EventNoted, LedgerError> {
        let event = event.clone();
        self.write(move |tx| Box::pin(async move { add(tx, &event, at).await }))
            .await
    }

    async fn events(&self, replaced: bool) -> Result<Vec<RecordedEvent>, LedgerError> {
        self.read_one(move |tx| Box::pin(list(tx, replaced))).await
    }

    async fn in_scope(
        &self,
        scope: &EventScope,
        after: Option<&FileKey>,
        page: u32,
    ) -> Result<Vec<FileRecord>, LedgerError> {
        let (scope, after) = (scope.clone(), after.cloned());
        self.read(move |tx| Box::pin(async move { in_scope(tx, &scope, after.as_ref(), page).await }))
            .await
    }
}

async fn add(tx: &mut PgConnection, event: &NewEvent, at: Timestamp) -> Result<EventNoted, LedgerError> {
    let (kind, key, value) = columns(&event.scope);
    let known: Option<(i64, i64)> = sqlx::query_as(
        "SELECT id, happened_at
         FROM start_events
         WHERE replaced_at IS NULL
           AND scope = $1
           AND value = $2
           AND coalesce(label_key, '') = coalesce($3, '')
           AND name = $4",
    )
    .bind(kind)
    .bind(value)
    .bind(key)
    .bind(event.name.as_str())
    .fetch_optional(&mut *tx)
    .await
    .map_err(during("looking for an event"))?;
    let before = match known {
        None => None,
        Some((_, happened_at)) if happened_at == event.at.as_millis() => return Ok(EventNoted::Known),
        Some((id, happened_at)) => {
            let before = timestamp(happened_at)?;
            if event.reason.is_none() {
                return Err(conflict(
                    format!("event {} for {}", event.name, event.scope),
                    format!("it is on record at {before}: a correction needs a reason"),
                ));
            }
            replace(tx, id, at).await?;
            Some(before)
        }
    };
    sqlx::query(
        "INSERT INTO start_events (name, scope, label_key, value, happened_at, recorded_at, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(event.name.as_str())
    .bind(kind)
    .bind(key)
    .bind(value)
    .bind(event.at.as_millis())
    .bind(at.as_millis())
    .bind(event.reason.as_deref())
    .execute(&mut *tx)
    .await
    .map_err(during("recording an event"))?;
    let files = mark_undecided(tx, &event.scope).await?;
    Ok(match before {
        None => EventNoted::New { files },
        Some(before) => EventNoted::Corrected { before, files },
    })
}

async fn replace(tx: &mut PgConnection, id: i64, at: Timestamp) -> Result<(), LedgerError> {
    let done = sqlx::query(
        "UPDATE start_events
         SET replaced_at = $2
         WHERE id = $1 AND replaced_at IS NULL",
    )
    .bind(id)
    .bind(at.as_millis())
    .execute(tx)
    .await
    .map_err(during("replacing an event"))?;
    ensure_rows("an event being corrected", done.rows_affected(), 1)
}

/// The hints of the files in scope were found without the event. Files under way and quarantined ones are
/// marked too: they may come back.
async fn mark_undecided(tx: &mut PgConnection, scope: &EventScope) -> Result<u64, LedgerError> {
    let mut marked = 0;
    for page in keys(tx, scope).await?.chunks(PAGE) {
        let keys: Keys<'_> = page.iter().map(|(batch, file)| (*batch, file.as_str())).collect();
        tallies::take_off(tx, &keys).await?;
        let done = sqlx::query(
            "UPDATE files
             SET rule_set = 0 -- to be decided again
             FROM unnest($1::bigint[], $2::text[]) j (batch, file_id)
             WHERE files.batch = j.batch AND files.file_id = j.file_id",
        )
        .bind(&keys.batches)
        .bind(&keys.files)
        .execute(&mut *tx)
        .await
        .map_err(during("marking files of an event"))?;
        ensure_rows("files of an event", done.rows_affected(), page.len())?;
        tallies::put_on(tx, &keys).await?;
        marked += page.len() as u64;
    }
    Ok(marked)
}

/// Batch and id of every file in scope that is neither deleted nor gone.
async fn keys(tx: &mut PgConnection, scope: &EventScope) -> Result<Vec<(i64, String)>, LedgerError> {
    let statement = match scope {
        EventScope::File(id) => sqlx::query_as(
            "SELECT f.batch, f.file_id
             FROM (
                 SELECT batch, file_id FROM files WHERE file_id = $1
                 UNION
                 SELECT batch, file_id FROM copies WHERE original_file = $1
             ) k
             JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id
             WHERE f.state NOT IN (2, 3)",
        )
        .bind(id.as_str()),
        // Reads every file, as a hold on a batch does: no index leads from a batch or a label to its files.
        EventScope::Batch(id) => sqlx::query_as(
            "SELECT f.batch, f.file_id
             FROM files f
             LEFT JOIN copies c ON c.batch = f.batch AND c.file_id = f.file_id
             WHERE f.state NOT IN (2, 3)
               AND (
                   f.batch IN (SELECT id FROM batches WHERE batch = $1)
                   OR c.original_batch IN (SELECT id FROM batches WHERE batch = $1)
               )",
        )
        .bind(id.as_str()),
        EventScope::Label { key, value } => sqlx::query_as(
            "SELECT f.batch, f.file_id
             FROM files f
             WHERE f.state NOT IN (2, 3)
               AND f.attributes IN (
                   SELECT a.id
                   FROM attributes a, json_each_text(a.labels::json) l
                   WHERE l.key = $1 AND l.value = $2
               )",
        )
        .bind(key.as_str())
        .bind(value.as_str()),
    };
    statement
        .fetch_all(tx)
        .await
        .map_err(during("looking for the files of an event"))
}

async fn in_scope(
    tx: &mut PgConnection,
    scope: &EventScope,
    after: Option<&FileKey>,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let (batch, file) = after.map_or((i64::MIN, ""), |key| (key.batch.0, key.file.as_str()));
    let statement = match scope {
        EventScope::File(id) => sqlx::query_as::<_, FileRow>(select_files!(
            "(
                 SELECT batch, file_id FROM files WHERE file_id = $3
                 UNION
                 SELECT batch, file_id FROM copies WHERE original_file = $3
             ) k
             JOIN files f ON f.batch = k.batch AND f.file_id = k.file_id",
            "WHERE f.state IN (0, 4) AND (f.file_id, f.batch) > ($1, $2)
             ORDER BY f.file_id, f.batch
             LIMIT $4"
        ))
        .bind(file)
        .bind(batch)
        .bind(id.as_str()),
        EventScope::Batch(id) => sqlx::query_as(select_files!(
            "files f",
            "WHERE f.state IN (0, 4)
               AND (f.file_id, f.batch) > ($1, $2)
               AND (
                   f.batch IN (SELECT id FROM batches WHERE batch = $3)
                   OR c.original_batch IN (SELECT id FROM batches WHERE batch = $3)
               )
             ORDER BY f.file_id, f.batch
             LIMIT $4"
        ))
        .bind(file)
        .bind(batch)
        .bind(id.as_str()),
        EventScope::Label { key, value: _ } => sqlx::query_as(select_files!(
            "files f",
            "WHERE f.state IN (0, 4)
               AND (f.file_id, f.batch) > ($1, $2)
               AND f.attributes IN (
                   SELECT a.id
                   FROM attributes a, json_each_text(a.labels::json) l
                   WHERE l.key = $3 AND l.value = $5
               )
             ORDER BY f.file_id, f.batch
             LIMIT $4"
        ))
        .bind(file)
        .bind(batch)
        .bind(key.as_str()),
    };
    let statement = statement.bind(i64::from(page));
    let statement = match scope {
        EventScope::Label { value, .. } => statement.bind(value.as_str()),
        EventScope::File(_) | EventScope::Batch(_) => statement,
    };
    let rows: Vec<FileRow> = statement
        .fetch_all(&mut *tx)
        .await
        .map_err(during("reading the files of an event"))?;
    records(tx, rows).await
}

async fn list(tx: &mut PgConnection, replaced: bool) -> Result<Vec<RecordedEvent>, LedgerError> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT id, name, scope, label_key, value, happened_at, recorded_at, reason, replaced_at
         FROM start_events
         WHERE replaced_at IS NULL OR $1
         ORDER BY id",
    )
    .bind(replaced)
    .fetch_all(tx)
    .await
    .map_err(during("reading events"))?;
    rows.into_iter().map(event).collect()
}
