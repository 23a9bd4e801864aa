//! Errors that no database reports: what is there contradicts itself, or is not what was expected.

use crate::ledger::LedgerError;

/// The ledger's content contradicts itself.
pub(in crate::ledger) fn damaged(problem: impl Into<String>) -> LedgerError {
    LedgerError::Damaged {
        problem: problem.into(),
    }
}

/// A row that is not there, or not as expected.
pub(in crate::ledger) fn conflict(what: impl Into<String>, problem: impl Into<String>) -> LedgerError {
    LedgerError::Conflict {
        what: what.into(),
        problem: problem.into(),
    }
}

/// `Ok` when a guarded statement changed as many rows as it had to.
pub(in crate::ledger) fn ensure_rows(
    what: &'static str,
    changed: u64,
    expected: usize,
) -> Result<(), LedgerError> {
    if usize::try_from(changed).is_ok_and(|changed| changed == expected) {
        return Ok(());
    }
    Err(conflict(
        what,
        format!("{changed} of {expected} rows were as expected"),
    ))
}
