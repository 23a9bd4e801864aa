//! Shared work (to follow).

use async_trait::async_trait;

use super::PostgresLedger;
use super::fault::conflict;
use crate::ledger::{LedgerError, Offer, Part, PartsLeft, Peer, Shared, TakenPart};
use crate::model::{SweepId, SweepSummary};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Shared for PostgresLedger {
    async fn offer(&self, _offer: &Offer, _parts: &[Part]) -> Result<bool, LedgerError> {
        Ok(false)
    }

    async fn clear_parts(&self, _sweep: SweepId) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn take_part(
        &self,
        _of: Option<SweepId>,
        _rules: &RuleDigest,
    ) -> Result<Option<TakenPart>, LedgerError> {
        Ok(None)
    }

    async fn end_part(&self, part: i64, _summary: &SweepSummary, _left: u64) -> Result<(), LedgerError> {
        Err(conflict(format!("part {part}"), "nobody has taken it"))
    }

    async fn give_parts_back(&self) -> Result<u64, LedgerError> {
        Ok(0)
    }

    async fn parts_left(&self, _sweep: SweepId) -> Result<PartsLeft, LedgerError> {
        Ok(PartsLeft::default())
    }

    async fn parts_done(&self, _sweep: SweepId) -> Result<(SweepSummary, u64), LedgerError> {
        Ok((SweepSummary::default(), 0))
    }

    async fn peers(&self) -> Result<Vec<Peer>, LedgerError> {
        Ok(Vec::new())
    }
}
