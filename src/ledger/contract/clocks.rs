//! Clocks beside this host's own, where a ledger is a server's and several hosts work on it. Beside a file there is one
//! host, and nobody else tells the time.

use async_trait::async_trait;

use crate::ledger::LedgerError;
use crate::model::{ClockMark, Timestamp};

/// What others say of the time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherClocks {
    /// What this host is called among them, without a space.
    pub host: Option<String>,
    /// The server's clock, as it answered.
    pub server: Option<Timestamp>,
    /// The highest wall clock that any other host ever stood by.
    pub peers: Option<Timestamp>,
    /// Another host that objects: an anomaly of its stands, and it said so within a day.
    pub objecting: Option<String>,
}

/// Readings and anomalies of clocks by host. Those of [`Controls`](super::Controls) are this host's own; only its
/// `anomalies` names those of all.
#[async_trait]
pub trait Clocks: Send + Sync {
    /// The clocks beside this host's own.
    async fn other_clocks(&self) -> Result<OtherClocks, LedgerError>;

    /// An operator vouches for this host's clock: `mark` is its new base, no high-water mark is above it, and every
    /// anomaly is resolved. The other hosts begin anew: what they read before counts no more.
    async fn vouch_for_clock(&self, mark: &ClockMark, at: Timestamp) -> Result<(), LedgerError>;
}
