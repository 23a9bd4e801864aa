//! A new ledger file filled with the rows of a ledger elsewhere, as they are.
//!
//! Tables and columns are those of the file's own schema. Its triggers rest meanwhile (they would count again what is
//! counted already); foreign keys are asked at the end. All of it is one transaction.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};

use super::fault::{conflict, during};
use super::layout::{insert, rest, run, tables};
use super::migrate::{self, Found};
use super::open::{connect, filling};
use super::stats::{into_place, partial_path};
use crate::ledger::LedgerError;
use crate::ledger::common::table::{Row, Table};

const CONTEXT: &str = "filling a copy of the ledger";

/// A file on its way; it stands at its place once `finish` has said so.
pub(in crate::ledger) struct Loading {
    to: PathBuf,
    partial: PathBuf,
    connection: SqliteConnection,
    triggers: Vec<String>,
}

impl Loading {
    /// An empty ledger on its way to `to`, and its tables.
    pub(in crate::ledger) async fn begin(to: &Path) -> Result<(Self, Vec<Table>), LedgerError> {
        if to.exists() {
            return Err(conflict(to.display().to_string(), "there is something already"));
        }
        let partial = partial_path(to);
        remove(&partial)?;
        migrate::migrate(&partial, &Found::Nothing, migrate::MIGRATIONS).await?;
        let mut connection = connect(&filling(&partial)).await?;
        sqlx::raw_sql("BEGIN; PRAGMA defer_foreign_keys = ON")
            .execute(&mut connection)
            .await
            .map_err(during(CONTEXT))?;
        let triggers = rest(&mut connection).await?;
        let tables = tables(&mut connection).await?;
        for table in &tables {
            // What a new ledger begins with is among the rows to come.
            run(&mut connection, CONTEXT, format!("DELETE FROM {}", table.name)).await?;
        }
        let loading = Self {
            to: to.to_owned(),
            partial,
            connection,
            triggers,
        };
        Ok((loading, tables))
    }

    /// Adds `rows`, each with a cell for each column.
    pub(in crate::ledger) async fn add(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), LedgerError> {
        insert(&mut self.connection, CONTEXT, table, rows).await
    }

    /// The file at its place, whole and on the disk.
    pub(in crate::ledger) async fn finish(mut self) -> Result<(), LedgerError> {
        for trigger in std::mem::take(&mut self.triggers) {
            run(&mut self.connection, CONTEXT, trigger).await?;
        }
        run(&mut self.connection, CONTEXT, "COMMIT".to_owned()).await?;
        self.connection.close().await.map_err(during(CONTEXT))?;
        into_place(&self.partial, &self.to)
    }

    /// Nothing is left of it.
    pub(in crate::ledger) async fn abandon(self) {
        // Whatever cannot be removed now is removed by the next that goes the same way.
        let _ = self.connection.close().await;
        let _ = remove(&self.partial);
    }
}

/// An unfinished copy, with what lies beside it.
fn remove(partial: &Path) -> Result<(), LedgerError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut path = partial.as_os_str().to_owned();
        path.push(suffix);
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Err(LedgerError::NotWritable {
                    problem: format!("{}: {error}", partial.display()),
                });
            }
        }
    }
    Ok(())
}
