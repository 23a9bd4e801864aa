//! What stands beside the files, line by line: sweeps, rules, approvals, holds, requests, stops.

use std::collections::BTreeMap;

use super::cause::{Cause, Circumstances};
use super::document::{Change, ErasureLine, HoldLine, Rules, Stop, Sweeps, Unfinished, WaitingPlan};
use super::gather::Ask;
use crate::ledger::{ReportFacts, WaitedPlan};
use crate::model::{Closing, Erasure, ErasureScope, Hold, HoldScope, SweepState, Timestamp, breaker_name};

pub(super) fn sweeps(facts: &ReportFacts) -> Vec<Sweeps> {
    let mut by_policy: BTreeMap<&str, Sweeps> = BTreeMap::new();
    for count in &facts.sweeps {
        let line = by_policy.entry(count.policy.as_str()).or_default();
        line.policy = count.policy.to_string();
        line.sweeps += count.sweeps;
        line.empty += count.empty;
        line.caught_up += count.caught_up;
        match count.state {
            SweepState::Done => line.done += count.sweeps,
            SweepState::Stopped => line.stopped += count.sweeps,
            SweepState::Cut | SweepState::Postponed => line.interrupted += count.sweeps,
            SweepState::Open => line.open += count.sweeps,
        }
    }
    by_policy.into_values().collect()
}

pub(super) fn unfinished(facts: &ReportFacts, circumstances: &Circumstances) -> Vec<Unfinished> {
    facts
        .unfinished
        .iter()
        .map(|sweep| {
            let until = sweep.ended_at.unwrap_or(sweep.started_at);
            let cause = match sweep.state {
                SweepState::Stopped if sweep.waits => Cause::Approval.words(),
                SweepState::Postponed => {
                    "put off: the API asked to wait or could not be reached, or the window was closed"
                        .to_owned()
                }
                SweepState::Open => match sweep.next {
                    Some(next) => format!(
                        "never ended, by a crash or a failure; sweep {} came after it",
                        next.0
                    ),
                    None => "under way, or ended by a crash".to_owned(),
                },
                SweepState::Stopped | SweepState::Cut => {
                    let found = circumstances.around(None, sweep.started_at, until);
                    if found == Cause::NotShown && sweep.state == SweepState::Cut {
                        "ended early, by a restart or changed rules".to_owned()
                    } else {
                        found.words()
                    }
                }
                SweepState::Done => String::new(),
            };
            Unfinished {
                sweep: sweep.sweep.0,
                policy: sweep.policy.to_string(),
                started_at: sweep.started_at,
                ended_at: sweep.ended_at,
                state: sweep.state.name().to_owned(),
                cause,
                due: sweep.summary.due,
                sent: sweep.summary.sent,
            }
        })
        .collect()
}

/// `readable` says of each adoption whether its schedules are known.
pub(super) fn rules(facts: &ReportFacts, readable: &[bool]) -> Vec<Rules> {
    facts
        .adoptions
        .iter()
        .zip(readable)
        .map(|(adoption, readable)| Rules {
            digest: adoption.digest.0.clone(),
            since: adoption.adopted_at,
            until: adoption.until,
            says: adoption.description.lines().map(str::to_owned).collect(),
            schedules_known: *readable,
        })
        .collect()
}

pub(super) fn changes(facts: &ReportFacts) -> Vec<Change> {
    facts
        .changes
        .iter()
        .map(|change| Change {
            before: change.before.0.clone(),
            after: change.after.0.clone(),
            seen_at: change.seen_at,
            approved_until: change.approved_until,
            ended_at: change.ended_at,
            outcome: match (change.ended_at, change.adopted) {
                (None, _) => "waiting",
                (Some(_), true) => "adopted",
                (Some(_), false) => "withdrawn",
            }
            .to_owned(),
            earlier: change.impact.earlier,
            later: change.impact.later,
            newly_owned: change.impact.newly_owned,
            newly_unowned: change.impact.newly_unowned,
        })
        .collect()
}

pub(super) fn plans(facts: &ReportFacts, now: Timestamp) -> Vec<WaitingPlan> {
    let outcome = |plan: &WaitedPlan| match plan.approval {
        Some((_, _, Some(_))) => "used",
        Some((_, valid_until, None)) if now < valid_until => "approved",
        Some((_, _, None)) => "lapsed",
        None => "waiting",
    };
    facts
        .plans
        .iter()
        .map(|plan| WaitingPlan {
            plan: plan.hash.clone(),
            policy: plan.policy.to_string(),
            at: plan.at,
            files: plan.files,
            approved_at: plan.approval.map(|(given, _, _)| given),
            used_at: plan.approval.and_then(|(_, _, used)| used),
            outcome: outcome(plan).to_owned(),
        })
        .collect()
}

pub(super) fn holds(facts: &ReportFacts, ask: &Ask<'_>) -> Vec<HoldLine> {
    let covers = |scope: &HoldScope| match (scope, ask.with_ids) {
        (HoldScope::File(id), true) => format!("file {id}"),
        (HoldScope::File(_), false) => "file".to_owned(),
        (HoldScope::Batch(id), true) => format!("batch {id}"),
        (HoldScope::Batch(_), false) => "batch".to_owned(),
        (HoldScope::Label { key, value }, true) => format!("label {key}={value}"),
        (HoldScope::Label { key, .. }, false) => format!("label {key}"),
        (HoldScope::Policy(name), _) => format!("policy {name}"),
    };
    facts
        .holds
        .iter()
        .map(|hold| HoldLine {
            hold: hold.id.0,
            covers: covers(&hold.scope),
            placed_at: hold.placed_at,
            review_by: hold.review_by,
            review_overdue: review_overdue(hold, ask.period.now),
            released_at: hold.released_at,
            ends_at: hold.ends_at,
            reason: ask.with_ids.then(|| hold.reason.clone()),
            reference: hold.reference.clone().filter(|_| ask.with_ids),
        })
        .collect()
}

/// Nobody released it, and the day of its review has passed.
pub(super) fn review_overdue(hold: &Hold, now: Timestamp) -> bool {
    hold.released_at.is_none() && hold.review_by.is_some_and(|by| by <= now)
}

pub(super) fn erasures(facts: &ReportFacts, ask: &Ask<'_>) -> Vec<ErasureLine> {
    facts
        .erasures
        .iter()
        .map(|(request, files)| ErasureLine {
            erasure: request.id.0,
            covers: match &request.scope {
                ErasureScope::Subject(_) => "subject",
                ErasureScope::File(_) => "file",
                ErasureScope::Batch(_) => "batch",
            }
            .to_owned(),
            received: request.received.to_string(),
            entered_at: request.placed_at,
            last_day: ask
                .rules
                .answer_by(request.received)
                .map(|by| by.last_day.to_string()),
            closed_at: request.closed_at,
            outcome: outcome(request, ask).to_owned(),
            files: files.known(),
            verified: files.verified,
            reference: ask.with_ids.then(|| request.reference.clone()),
        })
        .collect()
}

/// The first instant after the time for its answer.
pub(super) fn answer_by(request: &Erasure, ask: &Ask<'_>) -> Option<Timestamp> {
    ask.rules.answer_by(request.received).map(|by| by.ends_at)
}

fn outcome(request: &Erasure, ask: &Ask<'_>) -> &'static str {
    let answered = request.closed_at.unwrap_or(ask.period.now);
    let late = answer_by(request, ask).is_some_and(|by| by <= answered);
    match (&request.closing, late) {
        (None, false) => "open",
        (None, true) => "open-overdue",
        (Some(Closing::Verified), false) => "verified",
        (Some(Closing::Verified), true) => "verified-late",
        (Some(Closing::ByOperator { .. }), false) => "closed-by-operator",
        (Some(Closing::ByOperator { .. }), true) => "closed-by-operator-late",
    }
}

pub(super) fn stops(facts: &ReportFacts) -> Vec<Stop> {
    let breakers = facts.breakers.iter().map(|(kind, account, stretch)| Stop {
        what: format!("breaker {}", breaker_name(*kind, account.as_ref())),
        since: stretch.since,
        until: stretch.until,
    });
    let pauses = facts.pauses.iter().map(|stretch| Stop {
        what: "pause".to_owned(),
        since: stretch.since,
        until: stretch.until,
    });
    let mut stops: Vec<Stop> = breakers.chain(pauses).collect();
    stops.sort_by_key(|stop| stop.since);
    stops
}
