//! Sweeps as rows.

use super::problem::damaged;
use super::values::{count, optional, policy_name, timestamp};
use crate::ledger::LedgerError;
use crate::model::{Sweep, SweepId, SweepState, SweepSummary, Trigger};

pub(in crate::ledger) type SweepRow = (i64, String, Option<i64>, String, i64, Option<i64>, String, String);

pub(in crate::ledger) fn sweep(row: SweepRow) -> Result<Sweep, LedgerError> {
    let (id, policy, occurrence, trigger, started_at, ended_at, state, summary) = row;
    Ok(Sweep {
        id: SweepId(id),
        policy: policy_name(policy)?,
        occurrence: optional(occurrence)?,
        trigger: trigger_of(&trigger)?,
        started_at: timestamp(started_at)?,
        ended_at: optional(ended_at)?,
        state: sweep_state(&state)?,
        summary: serde_json::from_str(&summary)
            .map_err(|error| damaged(format!("sweeps {id}: summary: {error}")))?,
    })
}

/// Requests, files sent, deleted, deleted late, gone, verified, copies.
pub(in crate::ledger) type CameTo = (i64, i64, i64, i64, i64, i64, i64);

pub(in crate::ledger) fn came_to(counts: CameTo) -> Result<SweepSummary, LedgerError> {
    let (requests, sent, deleted, late, gone, verified, copies) = counts;
    Ok(SweepSummary {
        requests: count(requests)?,
        sent: count(sent)?,
        deleted: count(deleted)?,
        late: count(late)?,
        gone: count(gone)?,
        verified: count(verified)?,
        copies: count(copies)?,
        ..SweepSummary::default()
    })
}

pub(in crate::ledger) fn sweep_state(name: &str) -> Result<SweepState, LedgerError> {
    SweepState::ALL
        .into_iter()
        .find(|state| state.name() == name)
        .ok_or_else(|| damaged(format!("`{name}` is no state of a sweep")))
}

pub(in crate::ledger) const TRIGGERS: [Trigger; 4] = [
    Trigger::Schedule,
    Trigger::CatchUp,
    Trigger::Manual,
    Trigger::Approval,
];

pub(in crate::ledger) const fn trigger_name(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Schedule => "schedule",
        Trigger::CatchUp => "catch-up",
        Trigger::Manual => "manual",
        Trigger::Approval => "approval",
    }
}

pub(in crate::ledger) fn trigger_of(name: &str) -> Result<Trigger, LedgerError> {
    TRIGGERS
        .into_iter()
        .find(|trigger| trigger_name(*trigger) == name)
        .ok_or_else(|| damaged(format!("`{name}` starts no sweep")))
}
