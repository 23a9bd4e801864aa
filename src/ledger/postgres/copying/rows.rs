//! Rows of a server as every ledger keeps them, read and written.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, TypeInfo, ValueRef};

use super::{CONTEXT, ServerSide};
use crate::ledger::LedgerError;
use crate::ledger::common::table::{Cell, Row, Table};
use crate::ledger::postgres::fault::{damaged, during};

/// What each column holds, by table and name.
pub(super) type Kinds = HashMap<(String, String), Kind>;

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Integer,
    Flag,
    Text,
    Bytes,
}

/// Who is there, what they are at, when they may call, what their clocks said: nothing of it is carried elsewhere.
pub(super) const OF_THE_MOMENT: [&str; 4] = ["clocks", "pacing", "parts", "peers"];

impl ServerSide {
    pub(super) async fn over(mut connection: PgConnection) -> Result<Self, LedgerError> {
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, t.typname::text
             FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid
             JOIN pg_type t ON t.oid = a.atttypid
             WHERE c.relnamespace = 'retentiond'::regnamespace
               AND c.relkind = 'r'
               AND c.relname <> ALL ($1)
               AND a.attnum > 0
               AND NOT a.attisdropped",
        )
        .bind(OF_THE_MOMENT)
        .fetch_all(&mut connection)
        .await
        .map_err(during(CONTEXT))?;
        let mut kinds = HashMap::with_capacity(columns.len());
        for (table, column, kind) in columns {
            let kind = match kind.as_str() {
                "int8" => Kind::Integer,
                "bool" => Kind::Flag,
                "text" => Kind::Text,
                "bytea" => Kind::Bytes,
                other => return Err(damaged(format!("{table}.{column}: a column of type {other}"))),
            };
            kinds.insert((table, column), kind);
        }
        Ok(Self { connection, kinds })
    }

    fn kind(&self, table: &Table, column: &str) -> Result<Kind, LedgerError> {
        let kind = self.kinds.get(&(table.name.clone(), column.to_owned()));
        kind.copied()
            .ok_or_else(|| damaged(format!("{}.{column}: there is no such column", table.name)))
    }

    pub(super) async fn rows(
        &mut self,
        table: &Table,
        statement: String,
        after: Option<&Row>,
    ) -> Result<Vec<Row>, LedgerError> {
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for (at, value) in table.key.iter().zip(after.into_iter().flatten()) {
            let column = table.columns.get(*at).map_or("", String::as_str);
            query = match (value, self.kind(table, column)?) {
                (Cell::Integer(value), Kind::Flag) => query.bind(*value != 0),
                (Cell::Integer(value), _) => query.bind(*value),
                (Cell::Text(value), _) => query.bind(value.as_str()),
                (Cell::Bytes(value), _) => query.bind(value.as_slice()),
                (Cell::Null, _) => return Err(damaged(format!("{}: a key without a value", table.name))),
            };
        }
        let found = query.fetch_all(&mut self.connection).await;
        let found = found.map_err(during(CONTEXT))?;
        found.iter().map(|row| cells(CONTEXT, row)).collect()
    }

    pub(super) async fn run(&mut self, statement: impl Into<String>) -> Result<(), LedgerError> {
        sqlx::raw_sql(AssertSqlSafe(statement.into()))
            .execute(&mut self.connection)
            .await
            .map_err(during(CONTEXT))?;
        Ok(())
    }

    pub(super) async fn insert(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), LedgerError> {
        let mut columns: Vec<Vec<Cell>> = table.columns.iter().map(|_| Vec::new()).collect();
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        let mut lists = Vec::with_capacity(columns.len());
        for (number, name) in table.columns.iter().enumerate() {
            let list = match self.kind(table, name)? {
                Kind::Integer => "bigint",
                Kind::Flag => "boolean",
                Kind::Text => "text",
                Kind::Bytes => "bytea",
            };
            lists.push(format!("${}::{list}[]", number + 1));
        }
        let statement = format!(
            "INSERT INTO {} ({}) SELECT * FROM unnest({})",
            table.name,
            table.columns.join(", "),
            lists.join(", ")
        );
        let mut insert = sqlx::query(AssertSqlSafe(statement));
        for (name, cells) in table.columns.iter().zip(columns) {
            let wrong = || damaged(format!("{}.{name}: a value of another type", table.name));
            insert = match self.kind(table, name)? {
                Kind::Integer => insert.bind(list(cells, integer).ok_or_else(wrong)?),
                Kind::Flag => insert.bind(list(cells, flag).ok_or_else(wrong)?),
                Kind::Bytes => insert.bind(list(cells, bytes).ok_or_else(wrong)?),
                Kind::Text => {
                    let texts = list(cells, text).ok_or_else(wrong)?;
                    if texts.iter().flatten().any(|text| text.contains('\0')) {
                        return Err(damaged(format!(
                            "{}.{name}: a text with a NUL character in it, which PostgreSQL does not keep",
                            table.name
                        )));
                    }
                    insert.bind(texts)
                }
            };
        }
        insert
            .execute(&mut self.connection)
            .await
            .map_err(during(CONTEXT))?;
        Ok(())
    }
}

/// Every cell of a column by `take`, which is asked for values only; `None` where one is of another type.
fn list<T>(cells: Vec<Cell>, take: fn(Cell) -> Option<T>) -> Option<Vec<Option<T>>> {
    cells
        .into_iter()
        .map(|cell| match cell {
            Cell::Null => Some(None),
            value @ (Cell::Integer(_) | Cell::Text(_) | Cell::Bytes(_)) => take(value).map(Some),
        })
        .collect()
}

fn integer(cell: Cell) -> Option<i64> {
    match cell {
        Cell::Integer(value) => Some(value),
        Cell::Null | Cell::Text(_) | Cell::Bytes(_) => None,
    }
}

fn flag(cell: Cell) -> Option<bool> {
    integer(cell).map(|value| value != 0)
}

fn text(cell: Cell) -> Option<String> {
    match cell {
        Cell::Text(value) => Some(value),
        Cell::Null | Cell::Integer(_) | Cell::Bytes(_) => None,
    }
}

fn bytes(cell: Cell) -> Option<Vec<u8>> {
    match cell {
        Cell::Bytes(value) => Some(value),
        Cell::Null | Cell::Integer(_) | Cell::Text(_) => None,
    }
}

/// A row as every ledger keeps it: a flag is 0 or 1.
pub(in crate::ledger::postgres) fn cells(context: &'static str, row: &PgRow) -> Result<Row, LedgerError> {
    (0..row.len()).map(|column| cell(context, row, column)).collect()
}

fn cell(context: &'static str, row: &PgRow, column: usize) -> Result<Cell, LedgerError> {
    let raw = row.try_get_raw(column).map_err(during(context))?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let read = match raw.type_info().name() {
        "INT8" => row.try_get(column).map(Cell::Integer),
        "BOOL" => row.try_get(column).map(|flag: bool| Cell::Integer(flag.into())),
        "TEXT" => row.try_get(column).map(Cell::Text),
        "BYTEA" => row.try_get(column).map(Cell::Bytes),
        other => return Err(damaged(format!("a column of type {other}"))),
    };
    read.map_err(during(context))
}
