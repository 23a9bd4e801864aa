//! A file as one side of a copy: its rows as they are, page by page.
//!
//! A file that is being filled has a number of its own in its header, so that nothing opens it as a ledger before it
//! is whole. Its triggers rest until then: they would count again what is counted already.

use std::path::Path;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::checksum;
use super::fault::{conflict, during};
use super::layout::{insert, rest, rows, run};
use super::migrate::{self, Found};
use super::open::{connect, writing};
use crate::ledger::LedgerError;
use crate::ledger::anchor::Position;
use crate::ledger::common::lineage::Line;
use crate::ledger::common::table::{Cell, Layout, Row, Table};
use crate::ledger::common::values::count;
use crate::ledger::copy::side::{Side, Source, Standing, Target};

const CONTEXT: &str = "copying the ledger";
/// Rows that go in with one statement: with the widest table far from SQLite's 32,766 values.
const ROWS: usize = 250;

/// A file, open for a copy.
pub(in crate::ledger) struct FileSide {
    connection: SqliteConnection,
}

/// What lies at `path`.
pub(in crate::ledger) async fn standing(path: &Path) -> Result<Standing, LedgerError> {
    match Found::at(path).await? {
        Found::Nothing => Ok(Standing::Nothing),
        Found::Copying => {
            let mut connection = open(path).await?;
            let found: Option<(String, i64)> = sqlx::query_as("SELECT ledger, sequence FROM copying")
                .fetch_optional(&mut connection)
                .await
                .map_err(during(CONTEXT))?;
            Ok(Standing::Begun(found.map(Position::read).transpose()?))
        }
        found @ (Found::Ledger { .. } | Found::Foreign { .. }) => {
            found.ready_to_read(path)?;
            let mut connection = open(path).await?;
            Ok(Standing::Ledger(line(&mut connection).await?.position.ledger))
        }
    }
}

/// The ledger at `path`, to be copied.
pub(in crate::ledger) async fn source(path: &Path) -> Result<FileSide, LedgerError> {
    Found::at(path).await?.ready_to_read(path)?;
    let connection = open(path).await?;
    Ok(FileSide { connection })
}

/// The file at `path`, to be filled: made where there is none, emptied unless it holds what goes on.
pub(in crate::ledger) async fn target(
    path: &Path,
    layout: &Layout,
    standing: &Standing,
    of: &Position,
) -> Result<FileSide, LedgerError> {
    match standing {
        Standing::Nothing => migrate::make_copying(path).await?,
        Standing::Begun(_) => {}
        Standing::Ledger(_) => return Err(conflict(path.display().to_string(), "it holds a ledger already")),
    }
    let mut connection = open(path).await?;
    // Waits for the end of what one that was cut off had begun.
    run(&mut connection, CONTEXT, "BEGIN IMMEDIATE".to_owned()).await?;
    if *standing != Standing::Begun(Some(of.clone())) {
        rest(&mut connection).await?;
        for table in layout.tables.iter().rev() {
            run(&mut connection, CONTEXT, format!("DELETE FROM {}", table.name)).await?;
        }
        sqlx::query(
            "INSERT INTO copying (one, ledger, sequence)
             VALUES (1, ?1, ?2)
             ON CONFLICT (one) DO UPDATE SET ledger = excluded.ledger, sequence = excluded.sequence",
        )
        .bind(&of.ledger)
        .bind(of.signed()?)
        .execute(&mut connection)
        .await
        .map_err(during(CONTEXT))?;
    }
    run(&mut connection, CONTEXT, "COMMIT".to_owned()).await?;
    Ok(FileSide { connection })
}

async fn open(path: &Path) -> Result<SqliteConnection, LedgerError> {
    let mut connection = connect(&writing(path)).await?;
    checksum::ensure_on(&mut connection).await?;
    Ok(connection)
}

async fn line(connection: &mut SqliteConnection) -> Result<Line, LedgerError> {
    sqlx::query_as(
        "SELECT ledger, sequence, suspicion
         FROM lineage",
    )
    .fetch_one(connection)
    .await
    .map_err(during(CONTEXT))
    .and_then(Line::of)
}

#[async_trait]
impl Side for FileSide {
    async fn page(
        &mut self,
        table: &Table,
        after: Option<&Row>,
        limit: usize,
    ) -> Result<Vec<Row>, LedgerError> {
        let statement = table.page(after.is_some(), limit, |number| format!("?{number}"));
        let values = after.map_or(&[][..], Vec::as_slice);
        rows(&mut self.connection, CONTEXT, statement, values).await
    }

    async fn count(&mut self, tables: &[Table]) -> Result<u64, LedgerError> {
        let mut all = 0;
        for table in tables {
            let statement = format!("SELECT count(*) FROM {}", table.name);
            let found = rows(&mut self.connection, CONTEXT, statement, &[]).await?;
            if let Some([Cell::Integer(rows)]) = found.first().map(Vec::as_slice) {
                all += count(*rows)?;
            }
        }
        Ok(all)
    }
}

#[async_trait]
impl Source for FileSide {
    async fn line(&mut self) -> Result<Line, LedgerError> {
        line(&mut self.connection).await
    }

    async fn counters(&mut self) -> Result<Vec<(String, i64)>, LedgerError> {
        sqlx::query_as("SELECT name, seq FROM sqlite_sequence ORDER BY name")
            .fetch_all(&mut self.connection)
            .await
            .map_err(during(CONTEXT))
    }

    async fn mark(&mut self, mark: Option<&str>, at: &Position) -> Result<Line, LedgerError> {
        let marked: Vec<(String, i64, Option<String>)> = sqlx::query_as(
            "UPDATE lineage
             SET suspicion = ?1, sequence = sequence + 1
             WHERE ledger = ?2 AND sequence = ?3
             RETURNING ledger, sequence, suspicion",
        )
        .bind(mark)
        .bind(&at.ledger)
        .bind(at.signed()?)
        .fetch_all(&mut self.connection)
        .await
        .map_err(during(CONTEXT))?;
        match marked.into_iter().next() {
            Some(row) => Line::of(row),
            None => Err(conflict("the ledger that is copied", "it was written to")),
        }
    }
}

#[async_trait]
impl Target for FileSide {
    async fn last(&mut self, table: &Table) -> Result<Option<Row>, LedgerError> {
        let mut found = rows(&mut self.connection, CONTEXT, table.last(), &[]).await?;
        Ok(found.pop())
    }

    async fn add(&mut self, table: &Table, mut rows: Vec<Row>) -> Result<(), LedgerError> {
        run(&mut self.connection, CONTEXT, "BEGIN IMMEDIATE".to_owned()).await?;
        while !rows.is_empty() {
            let later = rows.split_off(rows.len().min(ROWS));
            insert(&mut self.connection, CONTEXT, table, rows).await?;
            rows = later;
        }
        run(&mut self.connection, CONTEXT, "COMMIT".to_owned()).await
    }

    async fn forget(&mut self) -> Result<(), LedgerError> {
        run(&mut self.connection, CONTEXT, "DELETE FROM copying".to_owned()).await
    }

    async fn finish(
        &mut self,
        layout: &Layout,
        line: &Position,
        counters: &[(String, i64)],
    ) -> Result<(), LedgerError> {
        let tx = &mut self.connection;
        run(tx, CONTEXT, "BEGIN IMMEDIATE".to_owned()).await?;
        sqlx::query(
            "INSERT INTO lineage (one, ledger, sequence)
             VALUES (1, ?1, ?2)",
        )
        .bind(&line.ledger)
        .bind(line.signed()?)
        .execute(&mut *tx)
        .await
        .map_err(during(CONTEXT))?;
        for (table, number) in counters {
            // Only tables that never give a number twice have a row here.
            sqlx::query(
                "UPDATE sqlite_sequence
                 SET seq = max(seq, ?2)
                 WHERE name = ?1",
            )
            .bind(table)
            .bind(number)
            .execute(&mut *tx)
            .await
            .map_err(during(CONTEXT))?;
        }
        for trigger in &layout.triggers {
            run(tx, CONTEXT, trigger.clone()).await?;
        }
        run(tx, CONTEXT, migrate::END_COPYING.to_owned()).await?;
        run(tx, CONTEXT, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await
    }
}
