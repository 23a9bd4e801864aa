//! Which scheduled run is due: the identity of an occurrence is its policy and its instant.

use crate::engine::SweepRequest;
use crate::ledger::{Ledger, LedgerError};
use crate::model::{SweepState, Timestamp, Trigger};
use crate::rules::policy::{Policy, RuleSet};

/// A run that begins later than this after its instant is a catch-up.
const ON_TIME_MS: i64 = 60_000;

/// The occurrence of `policy` that has to run now, if any: the one that was begun and not finished,
/// or the latest that has no sweep yet. Of several missed ones only the latest runs.
///
/// With `blocked` (a pause, a breaker) an unfinished one waits; a new one is still opened, so that
/// the record shows it.
pub(super) async fn due_run(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    policy: &Policy,
    now: Timestamp,
    blocked: bool,
) -> Result<Option<SweepRequest>, LedgerError> {
    let since = ledger.scheduled_since(&policy.name, now).await?.min(now);
    let last = ledger.last_occurrence(&policy.name, now).await?;
    let after = last.map_or(since, |(at, _)| at.max(since));
    let newest = policy
        .schedule
        .latest_at_or_before(now, &rules.zone, after)
        .filter(|at| {
            // An occurrence that has a sweep is over or resumed, never new.
            last.is_none_or(|(done, _)| *at > done)
        });
    if let Some(at) = newest {
        let trigger = if now.millis_since(at) <= ON_TIME_MS {
            Trigger::Schedule
        } else {
            Trigger::CatchUp
        };
        return Ok(Some(SweepRequest {
            policy: policy.name.clone(),
            occurrence: Some(at),
            trigger,
        }));
    }
    Ok(match last {
        Some((at, SweepState::Open | SweepState::Cut | SweepState::Postponed)) if !blocked => {
            Some(SweepRequest {
                policy: policy.name.clone(),
                occurrence: Some(at),
                trigger: Trigger::CatchUp,
            })
        }
        Some((
            _,
            SweepState::Open
            | SweepState::Cut
            | SweepState::Postponed
            | SweepState::Done
            | SweepState::Stopped,
        ))
        | None => None,
    })
}
