//! What PostgreSQL's complaints mean to a caller, by SQLSTATE
//! (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).

use crate::ledger::LedgerError;
pub(super) use crate::ledger::common::problem::{conflict, damaged, ensure_rows};

/// For `map_err`: an error of the database, met while doing `context`.
pub(super) fn during(context: &'static str) -> impl FnOnce(sqlx::Error) -> LedgerError {
    move |error| classify(context, error)
}

/// Whether the connection is gone, and not the statement at fault.
pub(super) fn is_cut(error: &sqlx::Error) -> bool {
    if let Some(code) = code(error) {
        // Connection exceptions; the server shuts down, crashed, or is not up yet; it ended an idle session.
        return code.starts_with("08")
            || matches!(code.as_str(), "57P01" | "57P02" | "57P03" | "57P05" | "25P03");
    }
    matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)
    )
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

fn classify(context: &'static str, error: sqlx::Error) -> LedgerError {
    if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) {
        return damaged(format!("{context}: {error}"));
    }
    if is_cut(&error) {
        return LedgerError::NotWritable {
            problem: format!("the connection to the server failed: {context}: {error}"),
        };
    }
    let other = |error: sqlx::Error| LedgerError::Database {
        context,
        source: Box::new(error),
    };
    let Some(code) = code(&error) else {
        return other(error);
    };
    let problem = format!("{context}: {error}");
    match (&code[..2.min(code.len())], code.as_str()) {
        // Serialization, deadlock, lock not available in time, statement cancelled.
        (_, "40001" | "40P01" | "55P03" | "57014") => LedgerError::Busy,
        // Data or index corrupted; an integrity constraint.
        ("23", _) | (_, "XX001" | "XX002") => damaged(problem),
        // Authorization; disk full, memory, connections; a standby; privileges; I/O.
        ("28" | "53" | "58", _) | (_, "25006" | "42501") => LedgerError::NotWritable { problem },
        _ => other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_cut_is_told_from_a_statement_at_fault() {
        let cut = sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into());
        assert!(is_cut(&cut));
        assert!(matches!(during("testing")(cut), LedgerError::NotWritable { .. }));
        assert!(!is_cut(&sqlx::Error::RowNotFound));
    }
}
