//! Anomalies of the clock, approvals and adopted rules as rows.

use super::values::{optional, policy_name, timestamp};
use crate::ledger::{LedgerError, RulesInForce};
use crate::model::{Approval, ClockAnomaly};
use crate::rules::policy::RuleDigest;

/// A row of identity, first sight, skew and end.
pub(in crate::ledger) fn anomaly(row: (String, i64, i64, Option<i64>)) -> Result<ClockAnomaly, LedgerError> {
    let (identity, seen_at, skew_ms, resolved_at) = row;
    Ok(ClockAnomaly {
        identity,
        seen_at: timestamp(seen_at)?,
        skew_ms,
        resolved_at: optional(resolved_at)?,
    })
}

/// Hash, policy, since and until when.
pub(in crate::ledger) fn approval(row: (String, String, i64, i64)) -> Result<Approval, LedgerError> {
    let (plan, policy, given_at, valid_until) = row;
    Ok(Approval {
        plan,
        policy: policy_name(policy)?,
        given_at: timestamp(given_at)?,
        valid_until: timestamp(valid_until)?,
    })
}

/// Digest, text and adoption of a rule set.
pub(in crate::ledger) fn adopted(row: (String, Option<String>, i64)) -> Result<RulesInForce, LedgerError> {
    let (digest, text, adopted_at) = row;
    Ok(RulesInForce {
        digest: RuleDigest(digest),
        text,
        adopted_at: timestamp(adopted_at)?,
    })
}
