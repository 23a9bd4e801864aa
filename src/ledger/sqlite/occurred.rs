//! Which start events cover which files: for a page that is read, and for rows that come in.

use std::collections::BTreeSet;

use sqlx::SqliteConnection;

use super::fault::{damaged, during};
use crate::ledger::LedgerError;
use crate::ledger::common::events::{Index, Row};

/// Whether any event is in force: mostly none is, and then nothing else is asked.
macro_rules! any_sql {
    () => {
        "SELECT EXISTS (SELECT 1 FROM start_events WHERE replaced_at IS NULL)"
    };
}
pub(super) use any_sql;

/// Events for these file ids (as a JSON list), batches and attributes (as JSON lists of numbers).
pub(super) async fn load(
    tx: &mut SqliteConnection,
    files: &BTreeSet<&str>,
    batches: &str,
    attributes: &str,
) -> Result<Index, LedgerError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT e.name, e.scope, e.label_key, e.value, e.happened_at
         FROM start_events e
         WHERE e.replaced_at IS NULL
           AND e.scope = 'file'
           AND e.value IN (SELECT value FROM json_each(?1))
         UNION ALL
         SELECT e.name, e.scope, e.label_key, e.value, e.happened_at
         FROM start_events e
         WHERE e.replaced_at IS NULL
           AND e.scope = 'batch'
           AND e.value IN (SELECT batch FROM batches WHERE id IN (SELECT value FROM json_each(?2)))
         UNION ALL
         SELECT e.name, e.scope, e.label_key, e.value, e.happened_at
         FROM (
             SELECT DISTINCT l.key, l.value
             FROM attributes a, json_each(a.labels) l
             WHERE a.id IN (SELECT value FROM json_each(?3))
         ) own
         CROSS JOIN start_events e ON e.value = own.value AND e.label_key = own.key
         WHERE e.replaced_at IS NULL AND e.scope = 'label'",
    )
    .bind(serde_json::to_string(files).expect("ids are plain text"))
    .bind(batches)
    .bind(attributes)
    .fetch_all(tx)
    .await
    .map_err(during("reading the events of a page of files"))?;
    Index::new(rows)
}

/// Places in a list `[[batch, file, attributes, original batch, original file], …]` of files that an event
/// covers.
pub(super) async fn covered(tx: &mut SqliteConnection, list: &str) -> Result<BTreeSet<usize>, LedgerError> {
    let places: Vec<i64> = sqlx::query_scalar(
        "SELECT j.key
         FROM json_each(?1) j
         WHERE EXISTS (
                 SELECT 1
                 FROM start_events e
                 WHERE e.replaced_at IS NULL
                   AND e.scope = 'file'
                   AND e.value IN (j.value ->> 1, j.value ->> 4)
             )
            OR EXISTS (
                 SELECT 1
                 FROM batches b
                 CROSS JOIN start_events e ON e.value = b.batch
                 WHERE b.id IN (j.value ->> 0, j.value ->> 3)
                   AND e.replaced_at IS NULL
                   AND e.scope = 'batch'
             )
            OR EXISTS (
                 SELECT 1
                 FROM attributes a, json_each(a.labels) l
                 CROSS JOIN start_events e ON e.value = l.value AND e.label_key = l.key
                 WHERE a.id = j.value ->> 2
                   AND e.replaced_at IS NULL
                   AND e.scope = 'label'
             )",
    )
    .bind(list)
    .fetch_all(tx)
    .await
    .map_err(during("looking for events of files that come in"))?;
    places
        .into_iter()
        .map(|at| usize::try_from(at).map_err(|_| damaged("json_each counted beyond its list")))
        .collect()
}

/// Whether any event is in force.
pub(super) async fn any(tx: &mut SqliteConnection) -> Result<bool, LedgerError> {
    sqlx::query_scalar(any_sql!())
        .fetch_one(tx)
        .await
        .map_err(during("asking whether events are on record"))
}
