//! How an intake is told: its progress, what it came to, and why it could not be carried through.

use std::io;

use serde::Serialize;

use super::rows::{Format, RowError};
use crate::ledger::LedgerError;

/// So many refused rows are listed; all are counted.
pub const LISTED_REFUSALS: usize = 100;

/// What an intake is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Rows are read and checked.
    Reading,
    /// Checked rows go to the ledger.
    Writing,
}

/// How far an intake has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// Rows read so far, or, in [`Stage::Writing`], rows that the ledger has taken.
    pub rows: u64,
    /// Rows that this stage will have in the end, once that is known.
    pub of_rows: Option<u64>,
    /// Bytes read so far: against the size of a file, the share that is done. 0 while writing.
    pub bytes: u64,
}

/// What became of an input as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordResult {
    /// Every row was good, and is in the ledger.
    Recorded,
    /// There were bad rows; the good ones are in the ledger, as was asked.
    KeptGood,
    /// There were bad rows; nothing of the input was kept.
    Refused,
}

/// What an intake came to. `added + known + updated + duplicates + refused_total == rows`, unless
/// the input was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordSummary {
    /// What became of the input.
    pub result: RecordResult,
    /// Its format.
    pub format: Format,
    /// Rows read, good and bad; a header or an answer that cannot be read counts as one.
    pub rows: u64,
    /// Files that are new.
    pub added: u64,
    /// Files known before with the same facts.
    pub known: u64,
    /// Known files to which something was added.
    pub updated: u64,
    /// Rows that repeat another row of the same page ([`super::PAGE_ROWS`]) and were made one with it.
    pub duplicates: u64,
    /// The first [`LISTED_REFUSALS`] refused rows, by line.
    pub refused: Vec<RowError>,
    /// All refused rows.
    pub refused_total: u64,
}

/// An intake that could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Say what the format is.
    #[error("cannot tell the input's format: say --as jsonl, --as csv or --as response")]
    Format,
    /// A default for all rows that no row may have.
    #[error("{message}")]
    Default {
        /// A short, stable name of the reason.
        code: &'static str,
        /// The reason in words.
        message: String,
    },
    /// The input broke off.
    #[error("the input cannot be read after row {rows}; {kept} rows were kept")]
    Input {
        /// Rows read before.
        rows: u64,
        /// Rows that the ledger has taken: 0 without `keep_good`.
        kept: u64,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The temporary file failed.
    #[error("checked rows cannot be set aside in a temporary file; {kept} rows were kept")]
    Spool {
        /// Rows that the ledger has taken.
        kept: u64,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The ledger failed. Earlier pages are kept durably; recording is idempotent, so the same input
    /// can be given again.
    #[error(
        "the ledger took {kept} rows, then failed: those are kept, run the same command again for the rest"
    )]
    Ledger {
        /// Rows that the ledger has taken.
        kept: u64,
        /// Its error.
        #[source]
        source: LedgerError,
    },
}
