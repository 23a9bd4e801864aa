//! A database as one side of a copy: its rows as they are, page by page.
//!
//! A schema that is being filled has a table `copying`, so that nothing opens it as a ledger before it is whole. Its
//! triggers rest until then: they would count again what is counted already. What it refers to the server checks
//! row by row.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, TypeInfo, ValueRef};

use super::fault::{conflict, damaged, during};
use super::migrate::{self, Found};
use super::open::{PostgresOptions, address};
use super::session::connect;
use crate::ledger::LedgerError;
use crate::ledger::anchor::Position;
use crate::ledger::common::lineage::Line;
use crate::ledger::common::table::{Cell, Layout, Row, Table};
use crate::ledger::common::values::count;
use crate::ledger::copy::side::{Side, Source, Standing, Target};

const CONTEXT: &str = "copying the ledger";
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A database, open for a copy.
pub(in crate::ledger) struct ServerSide {
    connection: PgConnection,
    /// Of each column, by table and name.
    kinds: HashMap<(String, String), Kind>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    Flag,
    Text,
    Bytes,
}

impl ServerSide {
    async fn over(mut connection: PgConnection) -> Result<Self, LedgerError> {
        let columns: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT c.relname::text, a.attname::text, t.typname::text
             FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid
             JOIN pg_type t ON t.oid = a.atttypid
             WHERE c.relnamespace = 'retentiond'::regnamespace
               AND c.relkind = 'r'
               AND a.attnum > 0
               AND NOT a.attisdropped",
        )
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

    async fn rows(
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

    async fn run(&mut self, statement: impl Into<String>) -> Result<(), LedgerError> {
        sqlx::raw_sql(AssertSqlSafe(statement.into()))
            .execute(&mut self.connection)
            .await
            .map_err(during(CONTEXT))?;
        Ok(())
    }

    async fn insert(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), LedgerError> {
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
pub(super) fn cells(context: &'static str, row: &PgRow) -> Result<Row, LedgerError> {
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

/// What lies in the database.
pub(in crate::ledger) async fn standing(options: &PostgresOptions) -> Result<Standing, LedgerError> {
    let address = address(options)?;
    let mut connection = connect(&address).await?;
    match Found::at(&mut connection).await? {
        Found::Nothing { .. } => Ok(Standing::Nothing),
        Found::Copying => {
            let found: Option<(String, i64)> = sqlx::query_as("SELECT ledger, sequence FROM copying")
                .fetch_optional(&mut connection)
                .await
                .map_err(during(CONTEXT))?;
            Ok(Standing::Begun(found.map(Position::read).transpose()?))
        }
        found @ (Found::Ledger { .. } | Found::Foreign) => {
            found.ready_to_read(&address.name)?;
            Ok(Standing::Ledger(line(&mut connection).await?.position.ledger))
        }
    }
}

/// The ledger of a database, to be copied.
pub(in crate::ledger) async fn source(options: &PostgresOptions) -> Result<ServerSide, LedgerError> {
    let address = address(options)?;
    let mut connection = connect(&address).await?;
    Found::at(&mut connection).await?.ready_to_read(&address.name)?;
    ServerSide::over(connection).await
}

/// The database to be filled: its schema is made where there is none, emptied unless it holds what goes on.
pub(in crate::ledger) async fn target(
    options: &PostgresOptions,
    layout: &Layout,
    standing: &Standing,
    of: &Position,
) -> Result<ServerSide, LedgerError> {
    let address = address(options)?;
    let mut connection = connect(&address).await?;
    match standing {
        Standing::Nothing => migrate::make_copying(&mut connection, &address.name).await?,
        Standing::Begun(_) => {}
        Standing::Ledger(_) => return Err(conflict(address.name, "it holds a ledger already")),
    }
    let mut side = ServerSide::over(connection).await?;
    let names: Vec<&str> = layout.tables.iter().map(|table| table.name.as_str()).collect();
    let names = names.join(", ");
    side.run(BEGIN).await?;
    // The server ends a statement whose asker is gone in its own time: it is waited for.
    side.run(format!("LOCK TABLE copying, {names} IN ACCESS EXCLUSIVE MODE"))
        .await?;
    if *standing != Standing::Begun(Some(of.clone())) {
        side.triggers(layout, "DISABLE").await?;
        side.run(format!("TRUNCATE copying, {names}")).await?;
        sqlx::query("INSERT INTO copying (one, ledger, sequence) VALUES (1, $1, $2)")
            .bind(&of.ledger)
            .bind(of.signed()?)
            .execute(&mut side.connection)
            .await
            .map_err(during(CONTEXT))?;
    }
    side.run("COMMIT").await?;
    Ok(side)
}

async fn line(connection: &mut PgConnection) -> Result<Line, LedgerError> {
    sqlx::query_as(
        "SELECT ledger, sequence, suspicion
         FROM lineage",
    )
    .fetch_one(connection)
    .await
    .map_err(during(CONTEXT))
    .and_then(Line::of)
}

impl ServerSide {
    /// Ours: what the server does for itself, such as references, goes on.
    async fn triggers(&mut self, layout: &Layout, how: &str) -> Result<(), LedgerError> {
        for table in &layout.tables {
            self.run(format!("ALTER TABLE {} {how} TRIGGER USER", table.name))
                .await?;
        }
        Ok(())
    }

    /// The sequence behind each table's numbers, by table.
    async fn sequences(&mut self) -> Result<Vec<(String, String)>, LedgerError> {
        sqlx::query_as(
            "SELECT c.relname::text, pg_get_serial_sequence(format('%I.%I', 'retentiond', c.relname), a.attname)
             FROM pg_class c
             JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = 'retentiond'::regnamespace
               AND c.relkind = 'r'
               AND a.attidentity <> ''
             ORDER BY c.relname COLLATE \"C\"",
        )
        .fetch_all(&mut self.connection)
        .await
        .map_err(during(CONTEXT))
    }
}

#[async_trait]
impl Side for ServerSide {
    async fn page(
        &mut self,
        table: &Table,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, LedgerError> {
        let statement = table.page(after.is_some(), limit, |number| format!("${number}"));
        self.rows(table, statement, after).await
    }

    async fn count(&mut self, tables: &[Table]) -> Result<u64, LedgerError> {
        let mut all = 0;
        for table in tables {
            let statement = format!("SELECT count(*) FROM {}", table.name);
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(statement))
                .fetch_one(&mut self.connection)
                .await
                .map_err(during(CONTEXT))?;
            all += count(found)?;
        }
        Ok(all)
    }
}

#[async_trait]
impl Source for ServerSide {
    async fn line(&mut self) -> Result<Line, LedgerError> {
        line(&mut self.connection).await
    }

    async fn counters(&mut self) -> Result<Vec<(String, i64)>, LedgerError> {
        let mut counters = Vec::new();
        for (table, sequence) in self.sequences().await? {
            let statement = format!("SELECT last_value FROM {sequence} WHERE is_called");
            let last: Option<i64> = sqlx::query_scalar(AssertSqlSafe(statement))
                .fetch_optional(&mut self.connection)
                .await
                .map_err(during(CONTEXT))?;
            counters.extend(last.map(|last| (table, last)));
        }
        Ok(counters)
    }

    async fn mark(&mut self, mark: Option<&str>, at: &Position) -> Result<Line, LedgerError> {
        let marked: Option<(String, i64, Option<String>)> = sqlx::query_as(
            "UPDATE lineage
             SET suspicion = $1, sequence = sequence + 1
             WHERE ledger = $2 AND sequence = $3
             RETURNING ledger, sequence, suspicion",
        )
        .bind(mark)
        .bind(&at.ledger)
        .bind(at.signed()?)
        .fetch_optional(&mut self.connection)
        .await
        .map_err(during(CONTEXT))?;
        match marked {
            Some(row) => Line::of(row),
            None => Err(conflict("the ledger that is copied", "it was written to")),
        }
    }
}

#[async_trait]
impl Target for ServerSide {
    async fn last(&mut self, table: &Table) -> Result<Option<Row>, LedgerError> {
        Ok(self.rows(table, table.last(), None).await?.pop())
    }

    async fn add(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), LedgerError> {
        // One statement is a transaction.
        self.insert(table, rows).await
    }

    async fn forget(&mut self) -> Result<(), LedgerError> {
        self.run("TRUNCATE copying").await
    }

    async fn finish(
        &mut self,
        layout: &Layout,
        line: &Position,
        counters: &[(String, i64)],
    ) -> Result<(), LedgerError> {
        let given: HashMap<&str, i64> = counters
            .iter()
            .map(|(table, number)| (table.as_str(), *number))
            .collect();
        for table in &layout.tables {
            // Before anybody plans by them.
            self.run(format!("ANALYZE {}", table.name)).await?;
        }
        let sequences = self.sequences().await?;
        self.run(BEGIN).await?;
        sqlx::query("INSERT INTO lineage (one, ledger, sequence) VALUES (1, $1, $2)")
            .bind(&line.ledger)
            .bind(line.signed()?)
            .execute(&mut self.connection)
            .await
            .map_err(during(CONTEXT))?;
        for (table, sequence) in sequences {
            let statement = format!(
                "SELECT setval('{sequence}', greatest(k.id, $1))
                 FROM (SELECT max(id) AS id FROM {table}) k
                 WHERE greatest(k.id, $1) > 0"
            );
            sqlx::query(AssertSqlSafe(statement))
                .bind(given.get(table.as_str()).copied())
                .execute(&mut self.connection)
                .await
                .map_err(during(CONTEXT))?;
        }
        self.triggers(layout, "ENABLE").await?;
        self.run("DROP TABLE copying").await?;
        self.run("COMMIT").await
    }
}
