//! A database as one side of a copy: its rows as they are, page by page.
//!
//! A schema that is being filled has a table `copying`, so that nothing opens it as a ledger before it is whole. Its
//! triggers rest until then: they would count again what is counted already. What it refers to the server checks
//! row by row.

mod rows;

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, PgConnection};

use super::fault::{conflict, during};
use super::migrate::{self, Found};
use super::open::{PostgresOptions, address};
use super::session::connect;
use crate::ledger::LedgerError;
use crate::ledger::anchor::Position;
use crate::ledger::common::lineage::Line;
use crate::ledger::common::table::{Layout, Row, Table};
use crate::ledger::common::values::count;
use crate::ledger::copy::side::{Side, Source, Standing, Target};
pub(super) use rows::cells;
use rows::{Kinds, OF_THE_MOMENT};

const CONTEXT: &str = "copying the ledger";
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A database, open for a copy.
pub(in crate::ledger) struct ServerSide {
    connection: PgConnection,
    kinds: Kinds,
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
    let names: Vec<&str> = layout
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .chain(OF_THE_MOMENT)
        .collect();
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
               AND c.relname <> ALL ($1)
               AND a.attidentity <> ''
             ORDER BY c.relname COLLATE \"C\"",
        )
        .bind(OF_THE_MOMENT)
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
