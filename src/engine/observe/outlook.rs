//! What is to come: files falling due by day, and by each policy's next run.

use std::collections::BTreeMap;

use crate::ledger::{Ledger, LedgerError};
use crate::model::{PolicyName, Timestamp};
use crate::rules::period::day_begins;
use crate::rules::policy::RuleSet;
use crate::snapshot::Day;

/// Days looked ahead, today among them.
const DAYS: i64 = 30;

/// From here on everything that is due is counted.
const EVER: i64 = 0;

/// Live files falling due on each of the coming days, in the rules' zone; the first also holds all that
/// is due already. Shorter at the end of the calendar.
///
/// # Errors
/// The ledger's.
pub(super) async fn days(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    now: Timestamp,
) -> Result<Vec<Day>, LedgerError> {
    let mut date = rules.zone.to_datetime(now.to_jiff()).date();
    let (mut dates, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..DAYS {
        let Ok(next) = date.tomorrow() else { break };
        let Some(end) = day_begins(next, &rules.zone) else {
            break;
        };
        dates.push(date.to_string());
        // What falls due at midnight falls due on the day that begins then.
        ends.push(end.checked_add_millis(-1).unwrap_or(end));
        date = next;
    }
    let falling = ledger.falling_due(ever(now), &ends).await?;
    let total = |at: usize| {
        let owned = rules.policies.iter().filter_map(|p| falling.get(&p.name));
        owned.filter_map(|counts| counts.get(at)).sum()
    };
    Ok(dates
        .into_iter()
        .enumerate()
        .map(|(at, date)| Day {
            date,
            files: total(at),
        })
        .collect())
}

/// Live files of each policy that will be due when it runs next, given when that is.
///
/// # Errors
/// The ledger's.
pub(super) async fn by_next_run(
    ledger: &dyn Ledger,
    runs: &BTreeMap<PolicyName, Timestamp>,
    now: Timestamp,
) -> Result<BTreeMap<PolicyName, u64>, LedgerError> {
    let mut bounds: Vec<Timestamp> = runs.values().copied().collect();
    bounds.sort_unstable();
    bounds.dedup();
    let falling = ledger.falling_due(ever(now), &bounds).await?;
    let until = |policy: &PolicyName, run: Timestamp| {
        let counts = falling.get(policy).map_or(&[][..], Vec::as_slice);
        let steps = bounds.iter().zip(counts);
        steps.filter(|(bound, _)| **bound <= run).map(|(_, n)| n).sum()
    };
    Ok(runs
        .iter()
        .map(|(policy, run)| (policy.clone(), until(policy, *run)))
        .collect())
}

fn ever(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(EVER).unwrap_or(now)
}
