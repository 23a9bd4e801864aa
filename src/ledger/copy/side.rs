//! What a copy asks of the ledger that it reads and of the one that it makes, whatever keeps them.

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::ledger::anchor::Position;
use crate::ledger::common::lineage::Line;
use crate::ledger::common::table::{Layout, Row, Table};

/// The row of this table is no row like others: a ledger has its own.
pub(in crate::ledger) const LINEAGE: &str = "lineage";

/// A ledger whose rows are read as they are.
#[async_trait]
pub(in crate::ledger) trait Side: Send {
    /// At most `rows` rows in the order of the table's key, from behind the key `after` on.
    async fn page(
        &mut self,
        table: &Table,
        after: Option<&Row>,
        rows: usize,
    ) -> Result<Vec<Row>, LedgerError>;

    /// How many rows there are in all of `tables`.
    async fn count(&mut self, tables: &[Table]) -> Result<u64, LedgerError>;
}

/// The ledger that is copied.
#[async_trait]
pub(in crate::ledger) trait Source: Side {
    /// Which it is, how far it has come, and whether it says that it was copied before.
    async fn line(&mut self) -> Result<Line, LedgerError>;

    /// The highest number that was ever given in each table that counts by itself: it may have gone since.
    async fn counters(&mut self) -> Result<Vec<(String, i64)>, LedgerError>;

    /// Says `mark` in the place of a suspicion, if the ledger is still where `at` says. One change of its own.
    async fn mark(&mut self, mark: Option<&str>, at: &Position) -> Result<Line, LedgerError>;
}

/// The ledger that comes into being.
#[async_trait]
pub(in crate::ledger) trait Target: Side {
    /// The last row of a table.
    async fn last(&mut self, table: &Table) -> Result<Option<Row>, LedgerError>;

    /// Adds rows in one transaction.
    async fn add(&mut self, table: &Table, rows: Vec<Row>) -> Result<(), LedgerError>;

    /// What lies in it is not to be gone on with.
    async fn forget(&mut self) -> Result<(), LedgerError>;

    /// From here on it is a ledger, at `line`, and goes on counting where the source was.
    async fn finish(
        &mut self,
        layout: &Layout,
        line: &Position,
        counters: &[(String, i64)],
    ) -> Result<(), LedgerError>;
}

/// What lies where a copy is to come into being.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Standing {
    Nothing,
    /// A copy that is not finished, of a ledger as it was then; `None`: nothing in it is worth going on with.
    Begun(Option<Position>),
    /// A ledger that is in use, by its name.
    Ledger(String),
}
