//! A new ledger file filled with the rows of a ledger elsewhere, as they are.
//!
//! Tables and columns are those of the file's own schema. Its triggers rest meanwhile (they would count again what is
//! counted already); foreign keys are asked at the end. All of it is one transaction.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::fault::{conflict, during};
use super::migrate::{self, Found};
use super::open::{connect, filling};
use super::stats::{into_place, partial_path};
use crate::ledger::LedgerError;

const CONTEXT: &str = "filling a copy of the ledger";

/// A value as SQLite keeps it.
pub(in crate::ledger) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A table to be filled.
#[derive(Clone)]
pub(in crate::ledger) struct Table {
    pub(in crate::ledger) name: String,
    /// In the order of their cells.
    pub(in crate::ledger) columns: Vec<String>,
}

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
            run(&mut connection, format!("DELETE FROM {}", table.name)).await?;
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
    pub(in crate::ledger) async fn add(
        &mut self,
        table: &Table,
        rows: Vec<Vec<Cell>>,
    ) -> Result<(), LedgerError> {
        if rows.is_empty() {
            return Ok(());
        }
        let row = format!("({})", vec!["?"; table.columns.len()].join(", "));
        let statement = format!(
            "INSERT INTO {} ({}) VALUES {}",
            table.name,
            table.columns.join(", "),
            vec![row; rows.len()].join(", ")
        );
        let mut insert = sqlx::query(AssertSqlSafe(statement));
        for cell in rows.into_iter().flatten() {
            insert = match cell {
                Cell::Null => insert.bind(None::<i64>),
                Cell::Integer(value) => insert.bind(value),
                Cell::Text(value) => insert.bind(value),
                Cell::Bytes(value) => insert.bind(value),
            };
        }
        insert
            .execute(&mut self.connection)
            .await
            .map_err(during(CONTEXT))?;
        Ok(())
    }

    /// The file at its place, whole and on the disk.
    pub(in crate::ledger) async fn finish(mut self) -> Result<(), LedgerError> {
        for trigger in std::mem::take(&mut self.triggers) {
            run(&mut self.connection, trigger).await?;
        }
        run(&mut self.connection, "COMMIT".to_owned()).await?;
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

/// Takes the triggers away, and gives the statements that make them again.
async fn rest(connection: &mut SqliteConnection) -> Result<Vec<String>, LedgerError> {
    let triggers: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql
         FROM sqlite_schema
         WHERE type = 'trigger'
         ORDER BY rowid",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(during(CONTEXT))?;
    for (name, _) in &triggers {
        run(connection, format!("DROP TRIGGER {name}")).await?;
    }
    Ok(triggers.into_iter().map(|(_, sql)| sql).collect())
}

async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Table>, LedgerError> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT s.name, c.name
         FROM sqlite_schema s, pragma_table_info(s.name) c
         WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY s.name, c.cid",
    )
    .fetch_all(connection)
    .await
    .map_err(during(CONTEXT))?;
    let mut tables: Vec<Table> = Vec::new();
    for (name, column) in columns {
        match tables.last_mut() {
            Some(table) if table.name == name => table.columns.push(column),
            Some(_) | None => tables.push(Table {
                name,
                columns: vec![column],
            }),
        }
    }
    Ok(tables)
}

/// A statement made of names of the schema.
async fn run(connection: &mut SqliteConnection, statement: String) -> Result<(), LedgerError> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map_err(during(CONTEXT))?;
    Ok(())
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
