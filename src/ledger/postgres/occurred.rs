//! Which start events cover which files: for a page that is read, and for rows that come in.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::fault::{damaged, during};
use super::rows::numbers;
use crate::ledger::LedgerError;
use crate::ledger::common::events::{Index, Row};

/// Events for these file ids, batches and attributes.
pub(super) async fn load(
    tx: &mut PgConnection,
    files: &BTreeSet<&str>,
    batches: &BTreeSet<i64>,
    attributes: &BTreeSet<i64>,
) -> Result<Index, LedgerError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT e.name, e.scope, e.label_key, e.value, e.happened_at
         FROM start_events e
         WHERE e.replaced_at IS NULL
           AND e.scope = 'file'
           AND e.value = ANY ($1)
         UNION ALL
         SELECT e.name, e.scope, e.label_key, e.value, e.happened_at
         FROM start_events e
         WHERE e.replaced_at IS NULL
           AND e.scope = 'batch'
           AND e.value IN (SELECT batch FROM batches WHERE id = ANY ($2))
         UNION ALL
         SELECT e.name, e.scope, e.label_key, e.value, e.happened_at
         FROM (
             SELECT DISTINCT l.key, l.value
             FROM attributes a
             CROSS JOIN json_each_text(a.labels::json) l
             WHERE a.id = ANY ($3)
         ) own
         JOIN start_events e ON e.value = own.value AND e.label_key = own.key
         WHERE e.replaced_at IS NULL AND e.scope = 'label'",
    )
    .bind(files.iter().copied().collect::<Vec<_>>())
    .bind(numbers(batches))
    .bind(numbers(attributes))
    .fetch_all(tx)
    .await
    .map_err(during("reading the events of a page of files"))?;
    Index::new(rows)
}

/// Files that come in, with what an event may cover them by.
#[derive(Debug, Default)]
pub(super) struct Coming<'a> {
    pub(super) batches: Vec<i64>,
    pub(super) files: Vec<&'a str>,
    pub(super) attributes: Vec<Option<i64>>,
    pub(super) original_batches: Vec<Option<i64>>,
    pub(super) original_files: Vec<Option<&'a str>>,
}

/// Places in the list of files that an event covers.
pub(super) async fn covered(
    tx: &mut PgConnection,
    coming: &Coming<'_>,
) -> Result<BTreeSet<usize>, LedgerError> {
    let places: Vec<i64> = sqlx::query_scalar(
        "SELECT j.place - 1
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[]) WITH ORDINALITY
              j (batch, file_id, attributes, original_batch, original_file, place)
         WHERE EXISTS (
                 SELECT 1
                 FROM start_events e
                 WHERE e.replaced_at IS NULL
                   AND e.scope = 'file'
                   AND e.value IN (j.file_id, j.original_file)
             )
            OR EXISTS (
                 SELECT 1
                 FROM batches b
                 JOIN start_events e ON e.value = b.batch
                 WHERE b.id IN (j.batch, j.original_batch)
                   AND e.replaced_at IS NULL
                   AND e.scope = 'batch'
             )
            OR EXISTS (
                 SELECT 1
                 FROM attributes a
                 CROSS JOIN json_each_text(a.labels::json) l
                 JOIN start_events e ON e.value = l.value AND e.label_key = l.key
                 WHERE a.id = j.attributes
                   AND e.replaced_at IS NULL
                   AND e.scope = 'label'
             )",
    )
    .bind(&coming.batches)
    .bind(&coming.files)
    .bind(&coming.attributes)
    .bind(&coming.original_batches)
    .bind(&coming.original_files)
    .fetch_all(tx)
    .await
    .map_err(during("looking for events of files that come in"))?;
    places
        .into_iter()
        .map(|at| usize::try_from(at).map_err(|_| damaged("a list was counted from below its start")))
        .collect()
}

/// Whether any event is in force: mostly none is, and then nothing else is asked.
pub(super) async fn any(tx: &mut PgConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM start_events WHERE replaced_at IS NULL)")
        .fetch_one(tx)
        .await
        .map_err(during("asking whether events are on record"))
}
