//! A whole copy as a ledger file, table by table from one snapshot: what changed rules are tried on, and what can be
//! carried away.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection};

use super::copying::cells;
use super::fault::during;
use super::session::Session;
use super::{PostgresLedger, end};
use crate::ledger::LedgerError;
use crate::ledger::common::asking::finish;
use crate::ledger::common::table::Table;
use crate::ledger::sqlite::loading::Loading;

const CONTEXT: &str = "copying the ledger";
/// Rows that go into the file at once: with the widest table far from SQLite's 32,766 values.
const ROWS: usize = 250;
/// A long copy is under way as long as it takes.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
     SET LOCAL statement_timeout = 0";

/// On a connection of its own: a long copy keeps neither readers nor the writer waiting.
pub(super) async fn backup(ledger: &PostgresLedger, to: &Path) -> Result<(), LedgerError> {
    let mut session = ledger.reader().await.another().await?;
    let to = to.to_owned();
    let copy = async move {
        let done = copied(&mut session, &to).await;
        session.close().await;
        done
    };
    finish(tokio::spawn(copy)).await
}

async fn copied(session: &mut Session, to: &Path) -> Result<(), LedgerError> {
    let (mut loading, tables) = Loading::begin(to).await?;
    match all(session, &mut loading, &tables).await {
        Ok(()) => loading.finish().await,
        Err(error) => {
            loading.abandon().await;
            Err(error)
        }
    }
}

async fn all(session: &mut Session, loading: &mut Loading, tables: &[Table]) -> Result<(), LedgerError> {
    let tx = session.begin(BEGIN).await?;
    for table in tables {
        rows_of(tx, table, loading).await?;
    }
    end(tx).await
}

async fn rows_of(tx: &mut PgConnection, table: &Table, loading: &mut Loading) -> Result<(), LedgerError> {
    // Names of our own schema, the same in both.
    let statement = format!("SELECT {} FROM {}", table.columns.join(", "), table.name);
    let mut found = sqlx::query(AssertSqlSafe(statement)).fetch(tx);
    let mut rows = Vec::with_capacity(ROWS);
    while let Some(row) = found.try_next().await.map_err(during(CONTEXT))? {
        rows.push(cells(CONTEXT, &row)?);
        if rows.len() == ROWS {
            loading.add(table, std::mem::take(&mut rows)).await?;
        }
    }
    loading.add(table, rows).await
}
