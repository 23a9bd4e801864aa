//! Rows as they are, whatever they say: what a whole copy of a ledger is made of.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::evidence::Hash;

/// A value as every ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ledger) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Integer(value) => value.fmt(f),
            Self::Text(text) => text.fmt(f),
            Self::Bytes(bytes) => f.write_str(&hex::encode(bytes)),
        }
    }
}

/// A cell for each column of its table.
pub(in crate::ledger) type Row = Vec<Cell>;

/// A table that every ledger has, under the same names.
#[derive(Debug, Clone)]
pub(in crate::ledger) struct Table {
    pub(in crate::ledger) name: String,
    /// In the order of their cells.
    pub(in crate::ledger) columns: Vec<String>,
    /// Places of the columns of its primary key, in the key's order.
    pub(in crate::ledger) key: Vec<usize>,
}

impl Table {
    /// The key of one of its rows.
    pub(in crate::ledger) fn key_of(&self, row: &Row) -> Row {
        self.key.iter().filter_map(|at| row.get(*at)).cloned().collect()
    }

    /// The columns of its key, for a statement.
    pub(in crate::ledger) fn key_columns(&self) -> String {
        let names: Vec<&str> = self
            .key
            .iter()
            .filter_map(|at| self.columns.get(*at))
            .map(String::as_str)
            .collect();
        names.join(", ")
    }

    /// The statement for a page of it in the order of its key, or for its last row: `mark` writes the n-th parameter.
    pub(in crate::ledger) fn page(&self, after: bool, rows: usize, mark: impl Fn(usize) -> String) -> String {
        let key = self.key_columns();
        let from = if after {
            let marks: Vec<String> = (1..=self.key.len()).map(mark).collect();
            format!(" WHERE ({key}) > ({})", marks.join(", "))
        } else {
            String::new()
        };
        format!(
            "SELECT {} FROM {}{from} ORDER BY {key} LIMIT {rows}",
            self.columns.join(", "),
            self.name
        )
    }

    /// The statement for its last row.
    pub(in crate::ledger) fn last(&self) -> String {
        let order: Vec<String> = self
            .key
            .iter()
            .filter_map(|at| self.columns.get(*at))
            .map(|column| format!("{column} DESC"))
            .collect();
        format!(
            "SELECT {} FROM {} ORDER BY {} LIMIT 1",
            self.columns.join(", "),
            self.name,
            order.join(", ")
        )
    }
}

/// The tables of this program's schema, each behind those that it refers to, and the triggers of a SQLite file.
#[derive(Debug)]
pub(in crate::ledger) struct Layout {
    pub(in crate::ledger) tables: Vec<Table>,
    pub(in crate::ledger) triggers: Vec<String>,
}

/// How many rows, and SHA-256 over them: each cell as its kind, its length and its bytes.
#[derive(Debug, Clone, Default)]
pub(in crate::ledger) struct Contents {
    rows: u64,
    hash: Sha256,
}

impl Contents {
    pub(in crate::ledger) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for cell in row {
            let integer;
            let (kind, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Integer(value) => {
                    integer = value.to_be_bytes();
                    (1, &integer)
                }
                Cell::Text(text) => (2, text.as_bytes()),
                Cell::Bytes(bytes) => (3, bytes),
            };
            self.hash.update([kind]);
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    pub(in crate::ledger) fn finish(self) -> (u64, Hash) {
        (self.rows, Hash(self.hash.finalize().into()))
    }
}
