//! How the ledger stands: what its faces and alerts ask at every picture. Costs nothing that grows with it.

use async_trait::async_trait;
use serde::Serialize;

use crate::ledger::LedgerError;
use crate::model::{PolicyName, Timestamp};

/// Room taken and room left, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Space {
    /// The ledger with what is not worked into it yet.
    pub ledger_bytes: u64,
    /// Free for us where the ledger lies.
    pub free_bytes: u64,
}

/// How the ledger stands.
#[async_trait]
pub trait Standing: Send + Sync {
    /// Room taken and room left.
    async fn space(&self) -> Result<Space, LedgerError>;

    /// When the latest sweep of `policy` that was done to its end ended.
    async fn last_done(&self, policy: &PolicyName) -> Result<Option<Timestamp>, LedgerError>;
}
