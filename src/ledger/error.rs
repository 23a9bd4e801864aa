//! What can go wrong with a ledger, by what the caller does next.

use crate::outcome::IllegalTransition;

/// What keeps us out of a ledger on a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody answers, or not now: exit 75.
    Unreachable,
    /// Who answers cannot prove to be the server that was meant: exit 78.
    Certificate,
    /// The server has no such database: exit 78.
    Database,
    /// Wrong user or password: exit 5.
    Password,
    /// The user may not do what is needed: exit 5.
    Rights,
}

/// A ledger operation that failed. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds the right to delete: exit 7.
    #[error("the ledger {path} is in use by process {pid}")]
    InUse {
        /// The lock file, or the database.
        path: String,
        /// Who holds it, as its lock file says, or the server with the process's host; `unknown` when it does not say.
        pid: String,
    },
    /// The server that keeps the ledger does not let us in, or not to what we need.
    #[error("the ledger cannot be used: {problem}")]
    Refused {
        /// By what; decides the exit code.
        why: Refusal,
        /// Where, what the server says, and what to do. Never the password.
        problem: String,
    },
    /// The file or schema was made by a newer version, or is no ledger of ours: exit 4, nothing touched.
    #[error("{path}: {problem}")]
    NotOurs {
        /// The database file.
        path: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// No ledger there yet (a command that only reads does not make one).
    #[error("there is no ledger at {path}; `retentiond record` or `retentiond daemon` makes one")]
    Missing {
        /// The database file.
        path: String,
    },
    /// The disk is full or read-only: breaker `disk`, try again later.
    #[error("the ledger cannot be written: {problem}")]
    NotWritable {
        /// SQLite's words.
        problem: String,
    },
    /// Another writer kept it locked for longer than the time-out: try again.
    #[error("the ledger is locked by another writer")]
    Busy,
    /// The content contradicts itself: breaker `integrity`, stop.
    #[error("the ledger is damaged: {problem}")]
    Damaged {
        /// What was found, with table and row.
        problem: String,
    },
    /// A row that was expected is not there, or is not in the expected state.
    #[error("{what} changed meanwhile: {problem}")]
    Conflict {
        /// Which row.
        what: String,
        /// What was expected.
        problem: String,
    },
    /// A transition outside the table: a defect.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// Anything else that the database says.
    #[error("ledger: {context}")]
    Database {
        /// What was being done.
        context: &'static str,
        /// The database's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
