//! The figures of each policy, and their sum.

use super::document::Figures;
use super::gather::ByPolicy;
use crate::ledger::{ReportFacts, Tally};
use crate::model::PolicyName;
use crate::rules::policy::{Mode, RuleSet};

/// By policy, in the order in which they are printed, and the sum without its percentile.
pub(super) fn figures(
    mut counted: ByPolicy<Figures>,
    facts: &ReportFacts,
    rules: &RuleSet,
) -> (Vec<Figures>, Figures) {
    for (policy, incidents) in &facts.incidents {
        let of = counted.entry(policy.clone()).or_default();
        of.refused = incidents.refused;
        of.given_up = incidents.given_up;
        of.unknown_outcomes = incidents.unknown;
        of.revived = incidents.revived;
    }
    for (policy, tally) in &facts.tallies {
        let of = counted.entry(policy.clone()).or_default();
        of.live = live(tally);
        of.without_due = tally.without_due;
    }
    let mut total = Figures::default();
    counted.values().for_each(|figures| add(&mut total, figures));
    let mut lines = Vec::new();
    for policy in &rules.policies {
        let mut line = counted.remove(&Some(policy.name.clone())).unwrap_or_default();
        line.policy = Some(policy.name.to_string());
        let mode = match policy.mode {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        };
        line.mode = Some(mode.to_owned());
        lines.push(line);
    }
    let unowned = counted.remove(&None);
    for (name, mut line) in counted {
        // Erasure requests are swept under a name that owns no file.
        if line != Figures::default() {
            line.policy = name.as_ref().map(PolicyName::to_string);
            lines.push(line);
        }
    }
    lines.extend(unowned.filter(|line| *line != Figures::default()));
    (lines, total)
}

fn live(tally: &Tally) -> u64 {
    tally.by_state.get("live").copied().unwrap_or(0)
}

/// Every count; what is no sum is left alone.
fn add(total: &mut Figures, one: &Figures) {
    let Figures {
        policy: _,
        mode: _,
        due: _,
        in_time,
        late,
        late_worst_minutes: _,
        late_p95_minutes: _,
        open,
        ended_since,
        held,
        unknown,
        failed,
        overdue,
        waiting,
        on_request,
        by_others,
        early,
        ended,
        confirmed,
        unverified,
        refused,
        given_up,
        unknown_outcomes,
        revived,
        live,
        without_due,
    } = one;
    for (sum, count) in [
        (&mut total.in_time, in_time),
        (&mut total.late, late),
        (&mut total.open, open),
        (&mut total.ended_since, ended_since),
        (&mut total.held, held),
        (&mut total.unknown, unknown),
        (&mut total.failed, failed),
        (&mut total.overdue, overdue),
        (&mut total.waiting, waiting),
        (&mut total.on_request, on_request),
        (&mut total.by_others, by_others),
        (&mut total.early, early),
        (&mut total.ended, ended),
        (&mut total.confirmed, confirmed),
        (&mut total.unverified, unverified),
        (&mut total.refused, refused),
        (&mut total.given_up, given_up),
        (&mut total.unknown_outcomes, unknown_outcomes),
        (&mut total.revived, revived),
        (&mut total.live, live),
        (&mut total.without_due, without_due),
    ] {
        *sum += count;
    }
    total.due = total.in_time + total.late + total.open;
}
