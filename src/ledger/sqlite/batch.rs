//! Several statements in one call. SQLite runs in a thread of its own, and each call costs two changes of
//! thread: for the small statements of an intent or an outcome that is most of the time.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Either, Executor, Sqlite, SqliteConnection};

use super::fault::during;
use crate::ledger::LedgerError;

/// What one of the statements gave.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) rows: Vec<SqliteRow>,
    /// Rows changed; without a meaning for a statement that only reads.
    pub(super) changed: u64,
}

/// Runs the statements of `query` in their order, and stops at the first that fails. Parameters are spelled
/// `$1`, `$2`, …: with `?1` sqlx counts those that a statement leaves out, and binds nothing to the later ones.
pub(super) async fn run(
    tx: &mut SqliteConnection,
    query: sqlx::query::Query<'_, Sqlite, SqliteArguments>,
    context: &'static str,
) -> Result<Vec<Done>, LedgerError> {
    let mut found = Vec::new();
    let mut rows = Vec::new();
    let mut results = tx.fetch_many(query);
    while let Some(next) = results.try_next().await.map_err(during(context))? {
        match next {
            Either::Right(row) => rows.push(row),
            Either::Left(done) => found.push(Done {
                rows: std::mem::take(&mut rows),
                changed: done.rows_affected(),
            }),
        }
    }
    Ok(found)
}
