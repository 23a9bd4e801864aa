//! `forecast`: how many files fall due in the coming days, whether they can go in time, and if not, the first
//! deadline that will be missed.

mod pace;
mod text;

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use super::args::ForecastArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::config::Checked;
use crate::ledger::Ledger;
use crate::model::{PolicyName, Timestamp};
use crate::rules::drain::{Cause, Drain, Load, Lot, Miss, Span, deadline_of, drain, first_miss};
use crate::rules::period::day_begins;
use crate::rules::policy::{Mode, Policy};
use pace::Pace;

/// Days back that what is due already is told apart by: older files count as due on the first of them.
const DAYS_BACK: i64 = 62;

#[derive(Debug, Serialize)]
struct Document {
    timezone: String,
    days: Vec<Day>,
    /// What the estimate goes by.
    pace: Pace,
    /// Files whose deadline has passed already.
    overdue: u64,
    /// The first deadline that will be missed, as things stand.
    first_missed: Option<FirstMissed>,
}

#[derive(Debug, Serialize)]
struct Day {
    /// Civil date in the policy file's zone.
    date: String,
    /// Live files that fall due on that day, by policy; the first day also holds all that is due.
    policies: BTreeMap<String, u64>,
    total: u64,
    /// Of the policies that delete: files that will have gone on that day, as things stand.
    deleted: BTreeMap<String, u64>,
    /// Files that will be due and still there when the day ends.
    left: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct FirstMissed {
    policy: PolicyName,
    /// Files that will be overdue from then on.
    files: u64,
    deadline_at: Timestamp,
    /// Civil date of it.
    date: String,
    /// Which budget does not suffice.
    cause: Cause,
    /// What to change.
    change: String,
}

pub(super) async fn run(context: &Context, args: &ForecastArgs) -> Result<Exit, Failure> {
    let checked = context.load()?.checked;
    let ledger = context.current(&checked).await?;
    if ledger.is_trial() {
        context.output.say(super::context::TRIAL);
    }
    let calendar = Calendar::of(context.clock.now(), i64::from(args.days), &checked)?;
    let document = document(&*ledger, &checked, &calendar).await?;
    let chart = text::width(args.chart);
    context.output.data(&document, || text::text(&document, chart))?;
    Ok(Exit::Done)
}

/// The days that are told apart.
struct Calendar {
    now: Timestamp,
    dates: Vec<Date>,
    begins: Vec<Timestamp>,
    /// The last instant of each day.
    ends: Vec<Timestamp>,
    /// Which of them is today.
    today: usize,
}

impl Calendar {
    fn of(now: Timestamp, ahead: i64, checked: &Checked) -> Result<Self, Failure> {
        let zone = &checked.rules.zone;
        let beyond = || Failure::usage("that many days leave the calendar");
        let today = zone.to_datetime(now.to_jiff()).date();
        let mut calendar = Self {
            now,
            dates: Vec::new(),
            begins: Vec::new(),
            ends: Vec::new(),
            today: usize::try_from(DAYS_BACK).unwrap_or(0),
        };
        for offset in -DAYS_BACK..ahead {
            let span = jiff::Span::new().days(offset);
            let date = today.checked_add(span).map_err(|_| beyond())?;
            let next = date.tomorrow().map_err(|_| beyond())?;
            let begin = day_begins(date, zone).ok_or_else(beyond)?;
            // What falls due at midnight falls due on the day that begins then.
            let end = day_begins(next, zone).and_then(|next| next.checked_add_millis(-1));
            calendar.dates.push(date);
            calendar.begins.push(begin);
            calendar.ends.push(end.ok_or_else(beyond)?);
        }
        Ok(calendar)
    }
}

async fn document(ledger: &dyn Ledger, checked: &Checked, calendar: &Calendar) -> Result<Document, Failure> {
    let rules = &checked.rules;
    let epoch = Timestamp::from_millis(0).map_err(|e| Failure::usage(e.to_string()))?;
    let falling = ledger.falling_due(epoch, &calendar.ends).await?;
    let tallies = ledger.tallies(calendar.now).await?;
    let pace = Pace::of(&checked.extracta, ledger, &tallies).await?;
    let mut loads = Vec::new();
    for policy in rules
        .policies
        .iter()
        .filter(|policy| policy.mode == Mode::Enforce)
    {
        if let Some(counts) = falling.get(&policy.name) {
            loads.push(Load {
                policy,
                live: ledger.live(&policy.name).await?,
                lots: lots(policy, counts, calendar, checked),
            });
        }
    }
    let span = Span {
        now: calendar.now,
        until: calendar.ends.last().copied().unwrap_or(calendar.now),
        micros_per_file: pace.micros_per_file,
    };
    let drains = drain(rules, &loads, span);
    let first_missed = first_miss(rules, &loads, &drains, span)
        .map(|miss| named(&miss, loads[miss.load].policy, checked, &pace));
    let overdue = tallies
        .iter()
        .filter(|(policy, _)| policy.is_some())
        .map(|(_, tally)| tally.overdue)
        .sum();
    Ok(Document {
        timezone: rules.zone_name.clone(),
        days: days(&falling, &loads, &drains, calendar),
        pace,
        overdue,
        first_missed,
    })
}

fn lots(policy: &Policy, counts: &[u64], calendar: &Calendar, checked: &Checked) -> Vec<Lot> {
    let days = calendar.begins.iter().zip(&calendar.ends).zip(counts);
    days.filter(|(_, files)| **files > 0)
        .filter_map(|((begin, end), files)| {
            // Days end at midnight; hours may end at any time of the day, the last is the safe guess.
            let due_at = if policy.delete_after.is_civil() || *end <= calendar.now {
                *begin
            } else {
                *end
            };
            Some(Lot {
                due_at,
                deadline_at: deadline_of(policy, due_at, &checked.rules)?,
                files: *files,
            })
        })
        .collect()
}

fn days(
    falling: &BTreeMap<PolicyName, Vec<u64>>,
    loads: &[Load<'_>],
    drains: &[Drain],
    calendar: &Calendar,
) -> Vec<Day> {
    let today = calendar.today;
    let due_on = |counts: &[u64], at: usize| -> u64 {
        let from = if at == today { 0 } else { at };
        counts.get(from..=at).unwrap_or_default().iter().sum()
    };
    (today..calendar.dates.len())
        .map(|at| {
            let policies: BTreeMap<String, u64> = falling
                .iter()
                .map(|(policy, counts)| (policy.to_string(), due_on(counts, at)))
                .filter(|(_, count)| *count > 0)
                .collect();
            let end = calendar.ends[at];
            let before = if at == today {
                calendar.now
            } else {
                calendar.ends[at - 1]
            };
            let each = |count: &dyn Fn(&Load<'_>, &Drain) -> u64| -> BTreeMap<String, u64> {
                loads
                    .iter()
                    .zip(drains)
                    .map(|(load, drain)| (load.policy.name.to_string(), count(load, drain)))
                    .filter(|(_, count)| *count > 0)
                    .collect()
            };
            Day {
                date: calendar.dates[at].to_string(),
                total: policies.values().sum(),
                policies,
                deleted: each(&|_, drain| drain.gone_by(end).saturating_sub(drain.gone_by(before))),
                left: each(&|load, drain| load.due_by(end).saturating_sub(drain.gone_by(end))),
            }
        })
        .collect()
}

fn named(miss: &Miss, policy: &Policy, checked: &Checked, pace: &Pace) -> FirstMissed {
    let rules = &checked.rules;
    let name = &policy.name;
    let change = match miss.cause {
        Cause::Limits => format!(
            "`retentiond approve` in time, or raise `files_per_sweep` ({}) or `share_per_sweep` ({}%) in [limits]",
            rules.limits.files_per_sweep, rules.limits.share_per_sweep
        ),
        Cause::Window => {
            format!("widen `window` of `{name}`, shorten `blackout`, or write a later `delete_by`")
        }
        Cause::Requests => format!("{}, or write a later `delete_by` for `{name}`", pace.remedy()),
        Cause::Schedule => format!("run `schedule` of `{name}` more often, or write a later `delete_by`"),
        Cause::Several => format!(
            "no single change suffices: look at [limits], at `window` of `{name}`, and at the requests ({})",
            pace.remedy()
        ),
    };
    let date = rules.zone.to_datetime(miss.deadline_at.to_jiff()).date();
    FirstMissed {
        policy: name.clone(),
        files: miss.files,
        deadline_at: miss.deadline_at,
        date: date.to_string(),
        cause: miss.cause,
        change,
    }
}
