//! The arithmetic of a decision: start, owner's period, floors, deadline.

use super::Doubt;
use super::start::{find, trusted};
use super::tell::Tell;
use crate::model::{FileRecord, Timestamp};
use crate::rules::period::{Period, PeriodEnd};
use crate::rules::policy::{DEFAULT_GRACE_MILLIS, Floor, KeepFor, Policy, RuleSet, StartClock};

/// When a file may go.
pub(super) enum Timing<'r> {
    /// A floor keeps it for ever.
    Forever(&'r Floor),
    /// No policy owns it.
    Unowned,
    /// Its dates cannot be relied on.
    Doubtful(Doubt),
    /// From `due_at` on.
    Until(When<'r>),
}

pub(super) struct When<'r> {
    pub(super) due_at: Timestamp,
    pub(super) deadline_at: Timestamp,
    /// The floor that ends last, if it ends after the owner's period.
    pub(super) floor: Option<&'r Floor>,
}

pub(super) struct Found<'r> {
    /// Also where it is doubted.
    pub(super) starts_at: Option<Timestamp>,
    pub(super) timing: Timing<'r>,
}

/// `now` is `None` for the stored hint, which holds at any time.
pub(super) fn timing<'r>(
    file: &FileRecord,
    rules: &'r RuleSet,
    owner: Option<&'r Policy>,
    now: Option<Timestamp>,
    tell: &mut impl Tell,
) -> Found<'r> {
    let starts_at = owner
        .and_then(|policy| find(file, &policy.clock, rules))
        .map(|start| start.counts_from);
    let forever = rules
        .floors
        .iter()
        .find(|floor| floor.keep_for == KeepFor::Forever && floor.matcher.matches(file));
    let timing = match (forever, owner) {
        (Some(floor), _) => {
            tell.floor(floor);
            tell.keep(floor, None, None);
            Timing::Forever(floor)
        }
        _ if type_decides(file, rules, owner) => {
            tell.type_unknown();
            Timing::Doubtful(Doubt::NoType)
        }
        (None, None) => Timing::Unowned,
        (None, Some(policy)) => match until(file, rules, policy, now, tell) {
            Ok(when) => Timing::Until(when),
            Err(doubt) => Timing::Doubtful(doubt),
        },
    };
    Found { starts_at, timing }
}

/// Whether a document type that is not known decides over the owner or over a floor.
fn type_decides(file: &FileRecord, rules: &RuleSet, owner: Option<&Policy>) -> bool {
    let below = owner.and_then(|owner| rules.policies.iter().position(|policy| policy.name == owner.name));
    let to_owner = below.map_or(rules.policies.len(), |at| at + 1);
    rules
        .policies
        .iter()
        .take(to_owner)
        .any(|policy| policy.hangs_on_type(file))
        || rules.floors.iter().any(|floor| floor.matcher.hangs_on_type(file))
}

fn until<'r>(
    file: &FileRecord,
    rules: &'r RuleSet,
    policy: &'r Policy,
    now: Option<Timestamp>,
    tell: &mut impl Tell,
) -> Result<When<'r>, Doubt> {
    let start = trusted(
        file,
        &policy.name,
        &policy.clock,
        policy.delete_after,
        now,
        rules,
        tell,
    )?;
    let end = end_of(policy.delete_after, start, &policy.clock, rules)?;
    tell.period(policy, start, &end);
    let (mut due_at, mut last_floor) = (end.ends_at, None);
    for floor in &rules.floors {
        let KeepFor::Period(keep_for) = floor.keep_for else {
            continue;
        };
        if !floor.matcher.matches(file) {
            continue;
        }
        tell.floor(floor);
        let start = trusted(file, &floor.name, &floor.clock, keep_for, now, rules, tell)?;
        let kept = end_of(keep_for, start, &floor.clock, rules)?;
        tell.keep(floor, Some((start, &kept)), Some(due_at));
        let kept_until = kept.ends_at;
        if kept_until > due_at {
            (due_at, last_floor) = (kept_until, Some(floor));
        }
    }
    let deadline_at = deadline(policy, start, due_at, rules)?;
    tell.deadline(policy, deadline_at, due_at);
    Ok(When {
        due_at,
        deadline_at,
        floor: last_floor,
    })
}

/// `delete_by` from the same start; where that leaves no time after the due time, the default grace.
fn deadline(
    policy: &Policy,
    start: Timestamp,
    due_at: Timestamp,
    rules: &RuleSet,
) -> Result<Timestamp, Doubt> {
    if let Some(delete_by) = policy.delete_by {
        let stated = end_of(delete_by, start, &policy.clock, rules)?.ends_at;
        if stated > due_at {
            return Ok(stated);
        }
    }
    due_at
        .checked_add_millis(DEFAULT_GRACE_MILLIS)
        .ok_or(Doubt::OutOfCalendar)
}

pub(super) fn end_of(
    period: Period,
    start: Timestamp,
    clock: &StartClock,
    rules: &RuleSet,
) -> Result<PeriodEnd, Doubt> {
    period
        .end(start, clock.round_up, &rules.zone)
        .ok_or(Doubt::OutOfCalendar)
}
