//! What the schema consists of, and rows as they are: for whatever fills or empties a ledger whole.

use std::collections::HashSet;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Row as _, SqliteConnection, TypeInfo, ValueRef};

use super::fault::{damaged, during};
use super::migrate::MIGRATIONS;
use crate::ledger::LedgerError;
use crate::ledger::common::table::{Cell, Layout, Row, Table};

const CONTEXT: &str = "reading the ledger's schema";

/// This program's schema, from its own migrations.
pub(in crate::ledger) async fn layout() -> Result<Layout, LedgerError> {
    let mut memory = SqliteConnection::connect("sqlite::memory:")
        .await
        .map_err(during(CONTEXT))?;
    for step in MIGRATIONS {
        run(&mut memory, CONTEXT, (*step).to_owned()).await?;
    }
    let layout = Layout {
        tables: tables(&mut memory).await?,
        triggers: triggers(&mut memory)
            .await?
            .into_iter()
            .map(|(_, sql)| sql)
            .collect(),
    };
    // Nothing is lost with it.
    let _ = memory.close().await;
    Ok(layout)
}

/// Each table behind those that it refers to.
pub(super) async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Table>, LedgerError> {
    let columns: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT s.name, c.name, c.pk
         FROM sqlite_schema s, pragma_table_info(s.name) c
         WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY s.name, c.cid",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(during(CONTEXT))?;
    let references: Vec<(String, String)> = sqlx::query_as(
        "SELECT s.name, r.\"table\"
         FROM sqlite_schema s, pragma_foreign_key_list(s.name) r
         WHERE s.type = 'table'",
    )
    .fetch_all(connection)
    .await
    .map_err(during(CONTEXT))?;
    in_order(gathered(columns), &references)
}

fn gathered(columns: Vec<(String, String, i64)>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    // Place in the key, and place in the table.
    let mut keys: Vec<Vec<(i64, usize)>> = Vec::new();
    for (name, column, place) in columns {
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(Table {
                name,
                columns: Vec::new(),
                key: Vec::new(),
            });
            keys.push(Vec::new());
        }
        if let (Some(table), Some(key)) = (tables.last_mut(), keys.last_mut()) {
            if place > 0 {
                key.push((place, table.columns.len()));
            }
            table.columns.push(column);
        }
    }
    for (table, mut key) in tables.iter_mut().zip(keys) {
        key.sort_unstable();
        table.key = key.into_iter().map(|(_, at)| at).collect();
    }
    tables
}

fn in_order(mut left: Vec<Table>, references: &[(String, String)]) -> Result<Vec<Table>, LedgerError> {
    let mut done: Vec<Table> = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let known: HashSet<String> = done.iter().map(|table| table.name.clone()).collect();
        let ready = |table: &Table| {
            references
                .iter()
                .filter(|(from, to)| *from == table.name && from != to)
                .all(|(_, to)| known.contains(to))
        };
        let (next, rest): (Vec<Table>, Vec<Table>) = left.into_iter().partition(ready);
        if next.is_empty() {
            return Err(damaged("tables that refer to each other"));
        }
        done.extend(next);
        left = rest;
    }
    Ok(done)
}

/// Takes the triggers away, and gives the statements that make them again.
pub(super) async fn rest(connection: &mut SqliteConnection) -> Result<Vec<String>, LedgerError> {
    let triggers = triggers(connection).await?;
    for (name, _) in &triggers {
        run(connection, CONTEXT, format!("DROP TRIGGER {name}")).await?;
    }
    Ok(triggers.into_iter().map(|(_, sql)| sql).collect())
}

async fn triggers(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>, LedgerError> {
    sqlx::query_as(
        "SELECT name, sql
         FROM sqlite_schema
         WHERE type = 'trigger'
         ORDER BY rowid",
    )
    .fetch_all(connection)
    .await
    .map_err(during(CONTEXT))
}

/// Adds `rows`, each with a cell for each column. SQLite takes 32,766 values at once.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    context: &'static str,
    table: &Table,
    rows: Vec<Row>,
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
    insert.execute(connection).await.map_err(during(context))?;
    Ok(())
}

/// The rows of a statement made of names of the schema, with `values` in place of its parameters.
pub(super) async fn rows(
    connection: &mut SqliteConnection,
    context: &'static str,
    statement: String,
    values: &[Cell],
) -> Result<Vec<Row>, LedgerError> {
    let mut query = sqlx::query(AssertSqlSafe(statement));
    for value in values {
        query = match value {
            Cell::Null => query.bind(None::<i64>),
            Cell::Integer(value) => query.bind(*value),
            Cell::Text(value) => query.bind(value.as_str()),
            Cell::Bytes(value) => query.bind(value.as_slice()),
        };
    }
    let found = query.fetch_all(connection).await.map_err(during(context))?;
    found.iter().map(|row| cells(context, row)).collect()
}

fn cells(context: &'static str, row: &SqliteRow) -> Result<Row, LedgerError> {
    (0..row.len()).map(|column| cell(context, row, column)).collect()
}

fn cell(context: &'static str, row: &SqliteRow, column: usize) -> Result<Cell, LedgerError> {
    let raw = row.try_get_raw(column).map_err(during(context))?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let read = match raw.type_info().name() {
        "INTEGER" => row.try_get_unchecked(column).map(Cell::Integer),
        "TEXT" => row.try_get_unchecked(column).map(Cell::Text),
        "BLOB" => row.try_get_unchecked(column).map(Cell::Bytes),
        other => return Err(damaged(format!("a value of type {other}"))),
    };
    read.map_err(during(context))
}

/// A statement made of names of the schema.
pub(super) async fn run(
    connection: &mut SqliteConnection,
    context: &'static str,
    statement: String,
) -> Result<(), LedgerError> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map_err(during(context))?;
    Ok(())
}
