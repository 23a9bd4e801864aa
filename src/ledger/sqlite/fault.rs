//! What SQLite's complaints mean to a caller (faults.md D1–D6).

use crate::ledger::LedgerError;
pub(super) use crate::ledger::common::problem::{conflict, damaged, ensure_rows};

/// In the problem of a `Damaged` after which the file must not be written again.
pub(super) const FSYNC_FAILED: &str = "an fsync or write failed";

// Primary and extended result codes, https://www.sqlite.org/rescode.html
const PERM: i32 = 3;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
/// A page does not match its checksum (`vendor/sqlite/cksumvfs.c`).
const IOERR_DATA: i32 = IOERR | (32 << 8);
const IOERR_WRITE: i32 = IOERR | (3 << 8);
const IOERR_FSYNC: i32 = IOERR | (4 << 8);
const IOERR_DIR_FSYNC: i32 = IOERR | (5 << 8);
const IOERR_TRUNCATE: i32 = IOERR | (6 << 8);

/// For `map_err`: an error of the database, met while doing `context`.
pub(super) fn during(context: &'static str) -> impl FnOnce(sqlx::Error) -> LedgerError {
    move |error| classify(context, error)
}

fn result_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn classify(context: &'static str, error: sqlx::Error) -> LedgerError {
    if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) {
        return damaged(format!("{context}: {error}"));
    }
    let Some(code) = result_code(&error) else {
        return LedgerError::Database {
            context,
            source: Box::new(error),
        };
    };
    let problem = format!("{context}: {error}");
    match (code & 0xff, code) {
        // After one of these nobody knows what the disk holds, and a second fsync would lie.
        (_, IOERR_WRITE | IOERR_FSYNC | IOERR_DIR_FSYNC | IOERR_TRUNCATE) => {
            damaged(format!("{FSYNC_FAILED}: {problem}"))
        }
        // Before the other I/O errors: waiting does not mend a page.
        (_, IOERR_DATA) => damaged(format!("a page does not match its checksum: {problem}")),
        (BUSY | LOCKED, _) => LedgerError::Busy,
        (FULL | READONLY | PERM | CANTOPEN | IOERR, _) => LedgerError::NotWritable { problem },
        (CORRUPT | NOTADB | CONSTRAINT, _) => damaged(problem),
        _ => LedgerError::Database {
            context,
            source: Box::new(error),
        },
    }
}
