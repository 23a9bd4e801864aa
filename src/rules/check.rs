//! The independent checker: the safety rules, derived a second time by another road.
//!
//! Shares no function with `decide`, `period` or `matching`: it compares calendar **dates** where they
//! compare instants, clamps months by hand and walks the rules in plain loops. Where the two disagree,
//! nothing is deleted. It may be stricter than `decide`; it has no say in what becomes due.

mod calendar;
mod scope;
mod start;
#[cfg(test)]
mod tests;

use crate::model::{FileRecord, HoldId, Holds, Timestamp};
use crate::rules::period::Period;
use crate::rules::plan::Plan;
use crate::rules::policy::{
    ApprovalRule, Floor, KeepFor, Limits, Mode, OnExcess, Policy, RuleSet, SHARE_JUDGED_FROM, StartClock,
};
use start::{Base, base};

/// What the answer is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To show what is due: the owner may be observing.
    Show,
    /// To send a delete: the owner must enforce.
    Send,
    /// To send a delete that an erasure request orders: no owner is needed, and only binding floors wait.
    Erase,
}

/// A safety rule that does not hold. Nothing may be deleted on the strength of what was checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// No policy matches the file.
    #[error("no policy owns the file")]
    NoOwner,
    /// The owner does not enforce.
    #[error("policy `{policy}` only observes, nothing of it may be sent")]
    NotEnforced {
        /// The owner.
        policy: String,
    },
    /// No open erasure request covers the file.
    #[error("no open erasure request covers the file")]
    NotRequested,
    /// A hold covers the file.
    #[error("hold {} covers the file", hold.0)]
    Held {
        /// The hold.
        hold: HoldId,
    },
    /// A period has not ended.
    #[error("the period of `{rule}` has not ended")]
    NotEnded {
        /// The policy or floor.
        rule: String,
    },
    /// A start is missing or cannot be relied on.
    #[error("the start of `{rule}` is missing or in doubt")]
    Start {
        /// The policy or floor.
        rule: String,
    },
    /// Whether a rule means the file hangs on a document type that nobody knows.
    #[error("whether `{rule}` means the file hangs on its unknown document type")]
    TypeUnknown {
        /// The policy or floor.
        rule: String,
    },
    /// A decision calls a file due without dates.
    #[error("a file was decided to be due without dates")]
    NoDates,
    /// A planned file is due after the plan was made.
    #[error("a file of the plan is due after the plan was made")]
    PlannedEarly,
    /// The plan's files are not in order, or one stands there twice.
    #[error("the plan is out of order or names a file twice")]
    Disordered,
    /// More is to be sent than the limits allow.
    #[error("{files} files are to be sent, the limits allow {allowed}")]
    OverLimit {
        /// Files to be sent.
        files: u64,
        /// Files allowed.
        allowed: u64,
    },
}

/// Whether the safety rules let `file` be deleted at `now`.
///
/// # Errors
/// The first [`Violation`] found.
pub fn permits(
    file: &FileRecord,
    rules: &RuleSet,
    holds: &Holds,
    now: Timestamp,
    purpose: Purpose,
) -> Result<(), Violation> {
    match purpose {
        Purpose::Show | Purpose::Send => permits_by_rules(file, rules, holds, now, purpose),
        Purpose::Erase => permits_by_request(file, rules, holds, now),
    }
}

fn permits_by_rules(
    file: &FileRecord,
    rules: &RuleSet,
    holds: &Holds,
    now: Timestamp,
    purpose: Purpose,
) -> Result<(), Violation> {
    let mut owner = None;
    for policy in &rules.policies {
        if !scope::in_account_of(policy, file) {
            continue;
        }
        if scope::may_mean(&policy.matcher, file) {
            return Err(Violation::TypeUnknown {
                rule: policy.name.to_string(),
            });
        }
        if scope::means(&policy.matcher, file) {
            owner = Some(policy);
            break;
        }
    }
    let owner = owner.ok_or(Violation::NoOwner)?;
    if purpose == Purpose::Send && owner.mode != Mode::Enforce {
        return Err(Violation::NotEnforced {
            policy: owner.name.to_string(),
        });
    }
    if let Some(hold) = holds.covering(file, Some(&owner.name), now) {
        return Err(Violation::Held { hold: hold.id });
    }
    ended(file, rules, now, &Waits::from(owner))?;
    for floor in &rules.floors {
        if scope::may_mean(&floor.matcher, file) {
            return Err(Violation::TypeUnknown {
                rule: floor.name.to_string(),
            });
        }
        if scope::means(&floor.matcher, file) {
            ended(file, rules, now, &Waits::from(floor))?;
        }
    }
    Ok(())
}

/// A request needs no owner. But every policy that owns the file, or might if its type were known, can
/// have a hold on it, and each binding floor must have ended.
fn permits_by_request(
    file: &FileRecord,
    rules: &RuleSet,
    holds: &Holds,
    now: Timestamp,
) -> Result<(), Violation> {
    let mut requested = false;
    for request in holds.erasures().iter() {
        let open = request.closed_at.is_none() && request.placed_at <= now;
        requested |= open && scope::requested(&request.scope, file);
    }
    if !requested {
        return Err(Violation::NotRequested);
    }
    for policy in &rules.policies {
        if !scope::in_account_of(policy, file) {
            continue;
        }
        let (means, may_mean) = (
            scope::means(&policy.matcher, file),
            scope::may_mean(&policy.matcher, file),
        );
        if (means || may_mean)
            && let Some(hold) = holds.covering(file, Some(&policy.name), now)
        {
            return Err(Violation::Held { hold: hold.id });
        }
        if means && !may_mean {
            break;
        }
    }
    if let Some(hold) = holds.covering(file, None, now) {
        return Err(Violation::Held { hold: hold.id });
    }
    for floor in &rules.floors {
        if !floor.binding {
            continue;
        }
        if scope::may_mean(&floor.matcher, file) {
            return Err(Violation::TypeUnknown {
                rule: floor.name.to_string(),
            });
        }
        if scope::means(&floor.matcher, file) {
            ended(file, rules, now, &Waits::from(floor))?;
        }
    }
    Ok(())
}

/// Whether `plan` is sound as a list, and sending its first `files_to_send` files is allowed.
/// `already_sent` and `approved` are those of `limits::judge`, whose ruling is derived anew here.
///
/// # Errors
/// The first [`Violation`] found.
pub fn plan(
    plan: &Plan,
    files_to_send: u64,
    policy: &Policy,
    limits: &Limits,
    already_sent: u64,
    approved: bool,
) -> Result<(), Violation> {
    if plan
        .files
        .windows(2)
        .any(|pair| pair[0].order() >= pair[1].order())
    {
        return Err(Violation::Disordered);
    }
    let mut by_id: Vec<&_> = plan.files.iter().collect();
    by_id.sort_unstable_by_key(|file| (file.key(), file.id()));
    if by_id
        .windows(2)
        .any(|pair| pair[0].key() == pair[1].key() && pair[0].id() == pair[1].id())
    {
        return Err(Violation::Disordered);
    }
    if plan.files.iter().any(|file| file.due_at > plan.at) {
        return Err(Violation::PlannedEarly);
    }
    let allowed = most_to_send(plan, policy, limits, already_sent, approved);
    if files_to_send > allowed {
        return Err(Violation::OverLimit {
            files: files_to_send,
            allowed,
        });
    }
    Ok(())
}

/// The most files that the limits let a sweep send of `plan`, without asking `limits`.
fn most_to_send(plan: &Plan, policy: &Policy, limits: &Limits, already_sent: u64, approved: bool) -> u64 {
    let due = plan.files.len() as u64;
    if policy.mode != Mode::Enforce {
        return 0;
    }
    if approved {
        return due;
    }
    if policy.approval == ApprovalRule::Always {
        return 0;
    }
    let live = u128::from(plan.live) + u128::from(already_sent);
    let inside = |files: u64| {
        let total = u128::from(files) + u128::from(already_sent);
        total <= u128::from(limits.files_per_sweep)
            && (live < u128::from(SHARE_JUDGED_FROM)
                || total * 100 <= u128::from(limits.share_per_sweep) * live)
    };
    match limits.on_excess {
        OnExcess::Stop if inside(due) => due,
        OnExcess::Stop => 0,
        OnExcess::OldestFirst => {
            // The largest count that is inside, by bisection: 0 counts as inside, it sends nothing.
            let (mut fits, mut beyond) = (0, due.saturating_add(1));
            while beyond - fits > 1 {
                let middle = fits + (beyond - fits) / 2;
                if inside(middle) {
                    fits = middle;
                } else {
                    beyond = middle;
                }
            }
            fits
        }
    }
}

/// A rule as far as it makes a file wait.
struct Waits<'r> {
    name: &'r str,
    clock: &'r StartClock,
    /// `None`: for ever.
    period: Option<Period>,
}

impl<'r> From<&'r Policy> for Waits<'r> {
    fn from(policy: &'r Policy) -> Self {
        Self {
            name: policy.name.as_str(),
            clock: &policy.clock,
            period: Some(policy.delete_after),
        }
    }
}

impl<'r> From<&'r Floor> for Waits<'r> {
    fn from(floor: &'r Floor) -> Self {
        Self {
            name: floor.name.as_str(),
            clock: &floor.clock,
            period: match floor.keep_for {
                KeepFor::Period(period) => Some(period),
                KeepFor::Forever => None,
            },
        }
    }
}

fn ended(file: &FileRecord, rules: &RuleSet, now: Timestamp, rule: &Waits<'_>) -> Result<(), Violation> {
    let name = || rule.name.to_owned();
    let Base { at: start, add } =
        base(file, rule.clock, now).ok_or_else(|| Violation::Start { rule: name() })?;
    let over = match (rule.period, add) {
        (None, _)
        | (Some(Period::Exact { .. }), Some(Period::Civil { .. }))
        | (Some(Period::Civil { .. }), Some(Period::Exact { .. })) => false,
        (Some(Period::Exact { millis }), add) => {
            let added = match add {
                Some(Period::Exact { millis }) => i128::from(millis),
                Some(Period::Civil { .. }) | None => 0,
            };
            rule.clock.round_up.is_none()
                && i128::from(now.as_millis()) - i128::from(start.as_millis()) >= i128::from(millis) + added
        }
        (Some(Period::Civil { years, months, days }), add) => {
            let whole = |years: u16, months: u16| i64::from(years) * 12 + i64::from(months);
            let day = calendar::Day::of(start, &rules.zone);
            let counted_from = match add {
                Some(Period::Civil { years, months, days }) => {
                    day.later(whole(years, months), i64::from(days))
                }
                Some(Period::Exact { .. }) | None => Some(day),
            };
            counted_from
                .and_then(|day| {
                    day.rounded(rule.clock.round_up)
                        .plus(whole(years, months), i64::from(days))
                })
                .is_some_and(|last| calendar::Day::of(now, &rules.zone).number() > last)
        }
    };
    if over {
        Ok(())
    } else {
        Err(Violation::NotEnded { rule: name() })
    }
}
