//! Sweeps that were not done to their end: what a row says of one.

use super::problem::damaged;
use super::sweeps::{sweep_state, trigger_of};
use super::values::{optional, policy_name, timestamp};
use crate::ledger::{LedgerError, UnfinishedSweep};
use crate::model::SweepId;

/// Sweep, policy, trigger, begin, end, state, summary, whether its plan waits, the next sweep of the policy.
pub(in crate::ledger) type UnfinishedRow = (
    i64,
    String,
    String,
    i64,
    Option<i64>,
    String,
    String,
    bool,
    Option<i64>,
);

pub(in crate::ledger) fn of_row(row: UnfinishedRow) -> Result<UnfinishedSweep, LedgerError> {
    let (id, policy, trigger, started_at, ended_at, state, summary, waits, next) = row;
    Ok(UnfinishedSweep {
        sweep: SweepId(id),
        policy: policy_name(policy)?,
        trigger: trigger_of(&trigger)?,
        started_at: timestamp(started_at)?,
        ended_at: optional(ended_at)?,
        state: sweep_state(&state)?,
        summary: serde_json::from_str(&summary)
            .map_err(|error| damaged(format!("sweeps {id}: summary: {error}")))?,
        waits,
        next: next.map(SweepId),
    })
}
