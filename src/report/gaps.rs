//! Scheduled instants at which nothing ran: the schedules of the rules in force, held against the sweeps.

use std::collections::BTreeMap;

use super::document::Gap;
use crate::ledger::{Adoption, ReportFacts, ReportPeriod, Stretch};
use crate::model::{PolicyName, Timestamp};
use crate::rules::policy::RuleSet;

/// A sweep that begins so long after its instant still is that instant's.
const WITHIN_MS: i64 = 3_600_000;

/// Instants missed that are counted; the stretch is right beyond them, too.
const MOST_MISSED: u64 = 10_000;

/// A gap of a policy, not yet in print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) policy: PolicyName,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) missed: u64,
}

impl Missed {
    pub(super) fn stretch(&self) -> (PolicyName, Stretch) {
        let stretch = Stretch {
            since: self.since,
            until: self.until,
        };
        (self.policy.clone(), stretch)
    }

    pub(super) fn line(&self) -> Gap {
        Gap {
            policy: self.policy.to_string(),
            since: self.since,
            until: self.until,
            missed: self.missed,
        }
    }
}

/// Gaps in the period, by policy and time. `sets` are the adoptions with their rules, where those can still
/// be compiled.
pub(super) fn gaps(
    facts: &ReportFacts,
    sets: &[(&Adoption, Option<RuleSet>)],
    period: &ReportPeriod,
) -> Vec<Missed> {
    let mut begun: BTreeMap<&PolicyName, Vec<Timestamp>> = BTreeMap::new();
    for run in &facts.runs {
        begun.entry(&run.policy).or_default().push(run.started_at);
    }
    // An instant is missed only when the time for its sweep is over.
    let over = period.now.checked_add_millis(-WITHIN_MS).unwrap_or(period.now);
    let mut found: Vec<Missed> = Vec::new();
    for (adoption, rules) in sets {
        let Some(rules) = rules else { continue };
        for policy in &rules.policies {
            let Some(since) = facts.scheduled_since.get(&policy.name) else {
                continue;
            };
            let starts = begun.get(&policy.name).map_or(&[][..], Vec::as_slice);
            let from = period.from.max(adoption.adopted_at).max(*since);
            let to = period.reached().min(adoption.until.unwrap_or(period.to));
            let next = |after: Timestamp| {
                let at = policy.schedule.next_after(after, &rules.zone)?;
                (at < to && at <= over).then_some(at)
            };
            let mut at = from.checked_add_millis(-1).and_then(next);
            while let Some(instant) = at {
                let place = starts.partition_point(|start| *start < instant);
                let begun = starts.get(place).copied();
                if let Some(begun) = begun.filter(|begun| begun.millis_since(instant) <= WITHIN_MS) {
                    at = next(begun);
                    continue;
                }
                // Up to the first instant that the next sweep is in time for.
                let in_time = begun.and_then(|begun| begun.checked_add_millis(-WITHIN_MS));
                let (mut missed, mut end) = (1, next(instant));
                while let Some(one) = end.filter(|one| in_time.is_none_or(|from| *one < from)) {
                    if missed == MOST_MISSED {
                        end = in_time
                            .and_then(|from| from.checked_add_millis(-1))
                            .and_then(next);
                        break;
                    }
                    missed += 1;
                    end = next(one);
                }
                found.push(Missed {
                    policy: policy.name.clone(),
                    since: instant,
                    until: begun,
                    missed,
                });
                at = end;
            }
        }
    }
    joined(found)
}

/// One gap that spans a change of rules is one gap.
fn joined(mut found: Vec<Missed>) -> Vec<Missed> {
    found.sort_by(|a, b| (&a.policy, a.since).cmp(&(&b.policy, b.since)));
    let mut joined: Vec<Missed> = Vec::with_capacity(found.len());
    for gap in found {
        match joined.last_mut() {
            Some(last) if last.policy == gap.policy && last.until == gap.until => last.missed += gap.missed,
            Some(_) | None => joined.push(gap),
        }
    }
    joined
}
