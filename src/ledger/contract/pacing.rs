//! When the next call of an account may leave, for all processes on one ledger. Only where the ledger is a server's:
//! beside a file there is one process, and it paces itself.

use std::time::Duration;

use async_trait::async_trait;

use crate::ledger::LedgerError;

/// What is spaced: calls of one account at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Fingerprint of the account, as the client makes it.
    pub account: String,
    /// The endpoint.
    pub endpoint: &'static str,
}

/// When a call may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStart {
    /// So long from now; nobody else is given this start.
    In(Duration),
    /// Not for so long, beyond what the caller would wait. No start was taken.
    NotFor(Duration),
}

/// The shared spacing. No evidence, and no part of any other transaction: it takes no lock that a write takes.
#[async_trait]
pub trait Pacing: std::fmt::Debug + Send + Sync {
    /// The next start, `interval` after the one handed out last, if it is no further off than `patience`. With an
    /// interval of zero only a pause keeps anybody waiting.
    async fn next_call(
        &self,
        lane: &Lane,
        interval: Duration,
        patience: Duration,
    ) -> Result<CallStart, LedgerError>;

    /// No start within `wait` from now, an hour at most; a longer wait stays.
    async fn put_off_calls(&self, lane: &Lane, wait: Duration) -> Result<(), LedgerError>;
}
