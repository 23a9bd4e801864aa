//! Fills in the snapshot from ledger and rules: reads only.

mod held;
mod missing;
mod outlook;
mod peers;
mod readiness;
mod requests;

use std::collections::BTreeMap;

use super::stop::short;
use crate::ledger::{Ledger, LedgerError, StoredPlan, Tally};
use crate::model::{Breaker, Holds, Pause, PolicyName, Sweep, SweepState, Timestamp};
use crate::rules::policy::{Mode, Policy, RuleSet};
use crate::snapshot::{
    BatchFiles, ErasuresView, LastCheckpoint, PolicyView, Room, Snapshot, Verdict, WaitingPlan, WaitingRules,
};

/// Setting: how the last reload of the policy file went.
pub const LAST_RELOAD: &str = "config.last_reload";

/// Setting: when a daemon's loop last turned, so that other processes can say whether one is at work.
pub const LAST_TURN: &str = "daemon.last_turn";

/// A daemon that has not turned for so long is not at work.
const TURN_MS: i64 = 120_000;

/// Unsettled uploads that are counted: beyond, the exact number helps nobody.
const COUNTED_UPLOADS: u32 = 10_000;

/// Batches of unowned files that are named.
const UNOWNED_NAMED: u32 = 10;

/// Waiting plans older than this are history.
const WAITING_MS: i64 = 31 * 24 * 3_600_000;

/// Sweeps shown.
const SWEEPS: u32 = 30;

/// The picture at `now`.
///
/// # Errors
/// The ledger's.
pub async fn observe(ledger: &dyn Ledger, rules: &RuleSet, now: Timestamp) -> Result<Snapshot, LedgerError> {
    let mut tallies = ledger.tallies(now).await?;
    let holds = ledger.holds(Some(now)).await?;
    let in_force = Holds::new(holds.iter().cloned());
    let (mut policies, mut without_start) = (Vec::new(), Vec::new());
    for policy in &rules.policies {
        let past = Past {
            last_sweep: ledger.sweeps(Some(&policy.name), 1).await?.into_iter().next(),
            last_occurrence: ledger.last_occurrence(&policy.name, now).await?.map(|(at, _)| at),
            last_done: ledger.last_done(&policy.name).await?,
        };
        let mut tally = tallies.remove(&Some(policy.name.clone())).unwrap_or_default();
        let held = if holds.is_empty() {
            0
        } else {
            held::set_apart(ledger, &policy.name, &in_force, now, &mut tally).await?
        };
        if tally.without_due > 0 {
            without_start.extend(missing::without_start(ledger, rules, policy, &in_force, now).await?);
        }
        policies.push(view(policy, rules, &tally, held, past, now));
        tallies.insert(Some(policy.name.clone()), tally);
    }
    let erasures = requests::view(ledger, rules, now).await?;
    let pause = ledger.pause().await?.filter(|pause| now < pause.until);
    let (clock_anomalies, standing) = ledger.anomalies().await?;
    let breakers = ledger.breakers().await?;
    let space = ledger.space().await?;
    let seen = readiness::Seen {
        breakers: &breakers,
        pause: pause.as_ref(),
        holds: &holds,
        space,
    };
    let checks = readiness::checks(ledger, rules, &seen, now).await?;
    count_next_runs(ledger, rules, &mut policies, now).await?;
    let turn = ledger
        .setting(LAST_TURN)
        .await?
        .and_then(|text| text.parse().ok());
    let unsettled = ledger.unsettled_uploads(COUNTED_UPLOADS).await?;
    let in_doubt = unsettled.iter().filter(|upload| upload.is_in_doubt(now)).count();
    let mut snapshot = Snapshot {
        verdict: Verdict::Ok,
        sentence: String::new(),
        at: now,
        version: env!("CARGO_PKG_VERSION"),
        unowned: tallies
            .get(&None)
            .and_then(|t| t.by_state.get("live"))
            .copied()
            .unwrap_or(0),
        unowned_by_batch: unowned(ledger).await?,
        without_start_overdue: without_start,
        files: totals(&tallies),
        breakers,
        pause,
        holds: holds.len() as u64,
        holds_review_overdue: holds
            .iter()
            .filter(|h| h.released_at.is_none() && h.review_by.is_some_and(|by| by <= now))
            .count() as u64,
        waiting: waiting(ledger, &policies, &erasures, now).await?,
        waiting_rules: waiting_rules(ledger, now).await?,
        erasures,
        policies,
        uploads_in_doubt: in_doubt as u64,
        uploads_under_way: (unsettled.len() - in_doubt) as u64,
        clock_anomalies,
        clock_skew_ms: standing.last().map_or(0, |anomaly| anomaly.skew_ms),
        timezone: rules.zone_name.clone(),
        falling_due: outlook::days(ledger, rules, now).await?,
        sweeps: ledger.sweeps(None, SWEEPS).await?,
        checks,
        room: Room {
            ledger_bytes: space.ledger_bytes,
            free_bytes: space.free_bytes,
        },
        rules: rules.digest.0.clone(),
        peers: peers::view(ledger, rules).await?,
        daemon_last_turn: turn,
        last_reload: ledger.setting(LAST_RELOAD).await?,
        checkpoint: ledger.tree().await?.checkpoint.map(|last| LastCheckpoint {
            at: last.at,
            facts: last.size,
            note: last.note,
        }),
    };
    (snapshot.verdict, snapshot.sentence) = match ledger.closed().await? {
        Some(sentence) => (Verdict::Stopped, sentence),
        None => judge(&snapshot, now),
    };
    Ok(snapshot)
}

/// What a policy's sweeps came to.
struct Past {
    last_sweep: Option<Sweep>,
    last_occurrence: Option<Timestamp>,
    last_done: Option<Timestamp>,
}

/// Fills in what will be due at each policy's next run.
async fn count_next_runs(
    ledger: &dyn Ledger,
    rules: &RuleSet,
    policies: &mut [PolicyView],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let runs: BTreeMap<PolicyName, Timestamp> = rules
        .policies
        .iter()
        .zip(policies.iter())
        .filter_map(|(policy, view)| Some((policy.name.clone(), view.next_run?)))
        .collect();
    let due = outlook::by_next_run(ledger, &runs, now).await?;
    for (policy, view) in rules.policies.iter().zip(policies) {
        view.due_by_next_run = due.get(&policy.name).copied().unwrap_or(0);
    }
    Ok(())
}

fn view(
    policy: &Policy,
    rules: &RuleSet,
    tally: &Tally,
    held: u64,
    past: Past,
    now: Timestamp,
) -> PolicyView {
    PolicyView {
        policy: policy.name.to_string(),
        account: policy.account.clone(),
        mode: match policy.mode {
            Mode::Observe => "observe",
            Mode::Enforce => "enforce",
        },
        delete_after: policy.delete_after.to_string(),
        live: tally.by_state.get("live").copied().unwrap_or(0),
        due: tally.due,
        held,
        overdue: tally.overdue,
        oldest_overdue: tally.oldest_overdue,
        next_due: tally.next_due,
        without_due: tally.without_due,
        next_run: policy.schedule.next_after(now, &rules.zone),
        due_by_next_run: 0,
        last_occurrence: past.last_occurrence,
        last_done: past.last_done,
        last_sweep: past.last_sweep,
    }
}

async fn unowned(ledger: &dyn Ledger) -> Result<Vec<BatchFiles>, LedgerError> {
    let batches = ledger.unowned_by_batch(UNOWNED_NAMED).await?;
    Ok(batches
        .into_iter()
        .map(|(batch, files)| BatchFiles { batch, files })
        .collect())
}

fn totals(tallies: &BTreeMap<Option<PolicyName>, Tally>) -> BTreeMap<&'static str, u64> {
    let mut totals = BTreeMap::new();
    for (state, count) in tallies.values().flat_map(|tally| &tally.by_state) {
        *totals.entry(*state).or_default() += count;
    }
    totals
}

/// The newest waiting plan of each policy, and of the erasure requests, whose latest sweep was stopped by
/// it.
async fn waiting(
    ledger: &dyn Ledger,
    policies: &[PolicyView],
    erasures: &ErasuresView,
    now: Timestamp,
) -> Result<Vec<WaitingPlan>, LedgerError> {
    let since = now.checked_add_millis(-WAITING_MS).unwrap_or(now);
    let approved = ledger.approvals(now).await?;
    let stored = ledger.waiting_plans(since).await?;
    let newest = |sweep: &Sweep| -> Option<StoredPlan> {
        let plan = sweep.summary.plan.as_deref()?;
        let stopped = sweep.state == SweepState::Stopped && !approved.iter().any(|a| a.plan == plan);
        stored
            .iter()
            .find(|stored| stopped && stored.hash == plan)
            .cloned()
    };
    Ok(policies
        .iter()
        .filter_map(|view| view.last_sweep.as_ref())
        .chain(&erasures.last_sweep)
        .filter_map(newest)
        .map(|plan| WaitingPlan {
            policy: plan.policy.to_string(),
            files: plan.files,
            reason: plan.waits_for.unwrap_or_default(),
            command: format!("retentiond approve {}", short(&plan.hash)),
        })
        .collect())
}

/// Changed rules that nobody has approved yet.
async fn waiting_rules(ledger: &dyn Ledger, now: Timestamp) -> Result<Option<WaitingRules>, LedgerError> {
    let change = ledger.waiting_change().await?;
    Ok(change
        .filter(|change| !change.is_approved(now))
        .map(|change| WaitingRules {
            since: change.seen_at,
            impact: change.impact.sentence(),
            command: format!("retentiond approve {}", short(&change.after.0)),
        }))
}

fn judge(s: &Snapshot, now: Timestamp) -> (Verdict, String) {
    let count = |state: &str| s.files.get(state).copied().unwrap_or(0);
    let overdue: u64 = s
        .policies
        .iter()
        .filter(|p| p.mode == "enforce")
        .map(|p| p.overdue)
        .sum();
    let idle = s.daemon_last_turn.is_none_or(|at| now.millis_since(at) > TURN_MS);
    // What stops everything before what stops one account.
    if let Some(breaker) = s.breakers.iter().min_by_key(|breaker| breaker.account.is_some()) {
        (Verdict::Stopped, stopped(breaker))
    } else if overdue > 0 {
        let why = s.pause.as_ref().map_or_else(|| reason_of_delay(s, idle), paused);
        (
            Verdict::Overdue,
            format!("{overdue} files are past their deadline; {why}"),
        )
    } else if s.erasures.late > 0 {
        let late = s.erasures.late;
        (
            Verdict::Overdue,
            format!(
                "{late} erasure requests are past the date for their answer; `retentiond erase list` says what stops them"
            ),
        )
    } else if let Some(sentence) = start_is_missing(s) {
        (Verdict::Overdue, sentence)
    } else if let Some(pause) = &s.pause {
        (Verdict::Paused, paused(pause))
    } else if let Some(plan) = s.waiting.first() {
        let (policy, files, reason, command) = (&plan.policy, plan.files, &plan.reason, &plan.command);
        (
            Verdict::Waiting,
            format!("a plan of `{policy}` with {files} files waits ({reason}); {command}"),
        )
    } else if let Some(rules) = &s.waiting_rules {
        (
            Verdict::Waiting,
            format!("the changed rules wait ({}); {}", rules.impact, rules.command),
        )
    } else if count("unknown") + count("quarantined") > 0 {
        let (unknown, quarantined) = (count("unknown"), count("quarantined"));
        let sentence = format!(
            "{unknown} outcomes are unknown (probed by the next sweep), {quarantined} files are quarantined (`retentiond quarantine list`)"
        );
        (Verdict::Unsettled, sentence)
    } else if s.uploads_in_doubt > 0 {
        (Verdict::Unsettled, in_doubt(s.uploads_in_doubt))
    } else if let Some(sentence) = attention(s) {
        (Verdict::Attention, sentence)
    } else if idle {
        (
            Verdict::Idle,
            "no daemon has been at work in the last two minutes; nothing runs by itself".to_owned(),
        )
    } else {
        (Verdict::Ok, "nothing to do".to_owned())
    }
}

fn in_doubt(uploads: u64) -> String {
    let (are, s) = if uploads == 1 { ("is", "") } else { ("are", "s") };
    format!(
        "{uploads} upload{s} {are} in doubt, and their files may be in no ledger: `retentiond uploads` names them"
    )
}

fn attention(s: &Snapshot) -> Option<String> {
    let (near, overdue) = (s.erasures.near, s.holds_review_overdue);
    if near > 0 {
        let by = s
            .erasures
            .answer_by
            .map_or_else(String::new, |by| format!(", the first by {by}"));
        return Some(format!(
            "{near} erasure requests have to be answered soon{by}; `retentiond erase list` says what stops them"
        ));
    }
    (overdue > 0).then(|| format!("{overdue} holds are past their review; `retentiond hold list` names them"))
}

/// Nobody has said when their period starts, and by their upload they would be overdue.
fn start_is_missing(s: &Snapshot) -> Option<String> {
    let enforced = |policy: &str| {
        s.policies
            .iter()
            .any(|p| p.policy == policy && p.mode == "enforce")
    };
    let first = s.without_start_overdue.iter().find(|w| enforced(&w.policy))?;
    let (files, policy, start) = (first.overdue, &first.policy, &first.start);
    let batch = first.batches.first().map_or_else(String::new, |b| {
        format!(", most of them in batch {}", b.batch.batch)
    });
    let help = match start.strip_prefix("event:") {
        Some(name) => format!("`retentiond event add {name}` records it"),
        None => "record them again with what is missing, or give the clock a `fallback`".to_owned(),
    };
    Some(format!(
        "{files} files of `{policy}` are kept because a start is missing (its clock: {start}), past the deadline that their upload would give{batch}; {help}"
    ))
}

fn stopped(breaker: &Breaker) -> String {
    let name = breaker.name();
    let others = match breaker.account {
        None => "",
        Some(_) => "; the other accounts go on",
    };
    let after = if breaker.kind.heals() {
        "it closes by itself once the cause is gone, or by"
    } else {
        "look into it, then"
    };
    format!(
        "breaker {name} is open: {}; {after} `retentiond breaker reset {name}`{others}",
        breaker.reason
    )
}

fn paused(pause: &Pause) -> String {
    format!(
        "paused until {} ({}); `retentiond resume` ends it",
        pause.until, pause.reason
    )
}

fn reason_of_delay(s: &Snapshot, idle: bool) -> String {
    if let Some(plan) = s.waiting.first() {
        return format!("a plan waits: {}", plan.command);
    }
    if let Some(rules) = &s.waiting_rules {
        return format!("the changed rules wait: {}", rules.command);
    }
    if idle {
        return "no daemon is at work: `systemctl start retentiond`".to_owned();
    }
    "`retentiond history` shows what the last sweeps did about them".to_owned()
}
