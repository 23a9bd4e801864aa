//! Bytes to rows: three formats, one shape, each bad row named by its line.
//!
//! Streaming, in memory that does not grow with the input. A reader hands over a row of borrowed
//! text; the `Checker` makes facts of it before the next one is read. No message
//! repeats a value that could be a name or a link: ids, file names and subjects stay out of it.

mod answer;
mod format;
mod jsonl;
mod mapping;
mod raw;
mod table;

use std::io::{self, BufReader, Read};

use serde::Serialize;

pub use format::Format;
pub use mapping::Mapping;
use mapping::Target;
pub(super) use raw::{Field, RawRow, shortened, suggestion};

use super::check::{Checked, Checker};

/// Longest row accepted, in bytes. A longer one is refused, and never held in memory.
pub const MAX_ROW_BYTES: u64 = 1 << 20;

/// Longest single upload answer accepted, in bytes: one document has to be held until it is whole.
pub const MAX_ANSWER_BYTES: u64 = 64 << 20;

const READ_BUFFER_BYTES: usize = 256 << 10;

/// A row that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct RowError {
    /// The line in the input where the row begins, from 1.
    pub line: u64,
    /// A short, stable name of the reason, such as `future-upload`.
    pub code: &'static str,
    /// The reason in words, and what to do about it.
    pub message: String,
}

/// Why a row is refused, before its line is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(super) fn at(self, line: u64) -> RowError {
        RowError {
            line,
            code: self.code,
            message: self.message,
        }
    }
}

/// One row as it was found: its line, and what became of it.
pub(super) type Found = (u64, Result<Checked, Problem>);

/// A reader of one of the formats.
pub(super) enum Rows<R: Read> {
    Jsonl(jsonl::Jsonl<BufReader<R>>),
    Csv(Box<table::Csv<R>>),
    Response(answer::Answers<BufReader<R>>),
}

impl<R: Read> Rows<R> {
    pub(super) fn new(format: Format, reader: R) -> Self {
        let reader = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
        match format {
            Format::Jsonl => Self::Jsonl(jsonl::Jsonl::new(reader)),
            Format::Csv => Self::Csv(Box::new(table::Csv::new(reader))),
            Format::Response => Self::Response(answer::Answers::new(reader)),
        }
    }

    /// The next row, checked; `None` at the end.
    pub(super) fn next(&mut self, checker: &Checker<'_>) -> io::Result<Option<Found>> {
        match self {
            Self::Jsonl(rows) => rows.next(checker),
            Self::Csv(rows) => rows.next(checker),
            Self::Response(rows) => rows.next(checker),
        }
    }
}
