//! Work is not shared beside a file: who has the right to delete is alone.

use async_trait::async_trait;

use super::SqliteLedger;
use super::fault::conflict;
use crate::ledger::{LedgerError, Offer, Part, PartsLeft, Peer, Shared, TakenPart};
use crate::model::{BatchKey, FileId, SweepId, SweepSummary, Timestamp};
use crate::rules::policy::RuleDigest;

#[async_trait]
impl Shared for SqliteLedger {
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

    async fn hand_on(&self, part: i64, _summary: &SweepSummary) -> Result<(), LedgerError> {
        Err(conflict(format!("part {part}"), "nobody has taken it"))
    }

    async fn give_parts_back(&self) -> Result<u64, LedgerError> {
        Ok(0)
    }

    async fn let_go(&self, _at: Timestamp) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn withdraw(&self, _sweep: SweepId) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn asked_by_others(&self, _sweep: SweepId) -> Result<Vec<(BatchKey, Vec<FileId>)>, LedgerError> {
        Ok(Vec::new())
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
