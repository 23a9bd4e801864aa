//! Deletions, confirmed or found gone, that nobody has looked at a second time: a crash came between.
//!
//! What another process who lives has deleted in a sweep that is under way is its own to look at: it is about to.

use sqlx::PgConnection;

use super::fault::during;
use super::rows::{FileRow, records, select_files};
use crate::ledger::LedgerError;
use crate::model::{FileRecord, Timestamp};

/// Leaves out what another who lives (`$2` is oneself) has asked for as `a`, in a sweep that is open and that he leads or has
/// a part of: he is about to look.
macro_rules! others_own {
    () => {
        "AND NOT coalesce(
             a.peer <> $2
             AND a.peer IN (SELECT number FROM living)
             AND EXISTS (
                 SELECT 1
                 FROM sweeps s
                 WHERE s.id = a.sweep
                   AND s.state = 'open'
                   AND (
                       s.peer = a.peer
                       OR EXISTS (
                           SELECT 1
                           FROM parts t
                           WHERE t.sweep = s.id AND t.peer = a.peer AND t.summary IS NULL
                       )
                   )
             ),
             FALSE
         )"
    };
}
pub(super) use others_own;

pub(super) async fn unverified(
    tx: &mut PgConnection,
    seat: Option<i64>,
    since: Timestamp,
    page: u32,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "attempt_files l
         JOIN attempts a ON a.id = l.attempt
         JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id",
        "WHERE l.result IN (2, 3) AND l.finding IS NULL -- literals: they take the partial index
           AND f.state IN (2, 3)
           AND a.settled_at >= $1 ",
        others_own!(),
        " ORDER BY l.attempt, l.file_id
         LIMIT $3"
    ))
    .bind(since.as_millis())
    .bind(seat)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading deletions that were not verified"))?;
    records(tx, rows).await
}
