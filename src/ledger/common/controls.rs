//! Breakers, the pause, readings of the clock and their anomalies, approvals and adopted rules as rows.

use super::problem::damaged;
use super::values::{account_name, optional, policy_name, timestamp};
use crate::ledger::{LedgerError, RulesInForce};
use crate::model::{Approval, Breaker, BreakerKind, ClockAnomaly, ClockMark, Pause, Timestamp};
use crate::rules::policy::RuleDigest;

/// Kind, since when and why, and of which account.
pub(in crate::ledger) fn breaker(row: (String, i64, String, String)) -> Result<Breaker, LedgerError> {
    let (name, opened_at, reason, account) = row;
    let kind = BreakerKind::ALL.into_iter().find(|kind| kind.name() == name);
    Ok(Breaker {
        kind: kind.ok_or_else(|| damaged(format!("`{name}` is no breaker")))?,
        account: account_name(&account)?,
        opened_at: timestamp(opened_at)?,
        reason,
    })
}

/// Since, until when and why.
pub(in crate::ledger) fn pause(row: (i64, i64, String)) -> Result<Pause, LedgerError> {
    let (since, until, reason) = row;
    Ok(Pause {
        until: timestamp(until)?,
        reason,
        since: timestamp(since)?,
    })
}

/// Wall clock, CLOCK_BOOTTIME, boot and high-water mark.
pub(in crate::ledger) fn mark(row: (i64, i64, String, i64)) -> Result<(ClockMark, Timestamp), LedgerError> {
    let (wall, boottime_ms, boot_id, high_water) = row;
    let mark = ClockMark {
        wall: timestamp(wall)?,
        boottime_ms,
        boot_id,
    };
    Ok((mark, timestamp(high_water)?))
}

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
