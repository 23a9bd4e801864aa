//! There are no other clocks beside a file.

use async_trait::async_trait;

use super::SqliteLedger;
use crate::ledger::{Clocks, Controls, LedgerError, OtherClocks};
use crate::model::{ClockMark, Timestamp};

#[async_trait]
impl Clocks for SqliteLedger {
    async fn other_clocks(&self) -> Result<OtherClocks, LedgerError> {
        Ok(OtherClocks::default())
    }

    async fn vouch_for_clock(&self, mark: &ClockMark, at: Timestamp) -> Result<(), LedgerError> {
        self.reset_high_water(mark).await?;
        self.resolve_anomalies(at).await
    }
}
