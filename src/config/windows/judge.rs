//! What windows and blackout days mean for schedules and deadlines: pointed out, never refused, because a run
//! outside of its window waits for the next opening.
//!
//! Tried out over sample days, the same whenever somebody asks.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use toml::Spanned;

use crate::config::code::Code;
use crate::config::diagnostics::Problem;
use crate::config::policies::PolicyDraft;
use crate::config::reader::Findings;
use crate::config::zone::Zone;
use crate::model::Timestamp;
use crate::rules::period::{MS_PER_HOUR, Period, RoundUp, day_begins};
use crate::rules::policy::DEFAULT_GRACE_MILLIS;
use crate::rules::schedule::Schedule;
use crate::rules::window::{Blackout, Opening, Window};

/// Runs of a schedule that are held against a window: more than a year of hourly ones.
const RUNS: usize = 10_000;

/// Starts of periods that are tried: four weeks, so that each weekday comes with every week of a month.
const SAMPLE_DAYS: i64 = 28;

/// Longest blackout that nothing is said of, in days: an erasure request has to be answered within a month.
const LONG_BLACKOUT_DAYS: i64 = 14;

/// Points out what will not work.
pub(crate) fn judge(
    zone: &Zone,
    policies: &[PolicyDraft],
    blackouts: &[Spanned<Blackout>],
    findings: &mut Findings,
) {
    long(blackouts, findings);
    let Zone::Known(zone, _) = zone else { return };
    for policy in policies {
        let Some(rules) = Rules::of(policy, zone) else {
            continue;
        };
        if let Some(window) = &policy.window {
            let opening = Opening {
                window: Some(window.get_ref()),
                blackouts: &[],
                zone,
            };
            if rules.meets(&opening) {
                findings.extend(
                    rules
                        .misses(&opening, sample(zone))
                        .map(|miss| too_late(policy, window, &miss)),
                );
            } else {
                findings.push(never_met(policy, window));
            }
        }
    }
    for blackout in blackouts {
        let days = [*blackout.get_ref()];
        let misses: Vec<(&PolicyDraft, Miss)> = policies
            .iter()
            .filter_map(|policy| {
                let rules = Rules::of(policy, zone)?;
                // The window has been judged by itself.
                let opening = Opening {
                    window: None,
                    blackouts: &days,
                    zone,
                };
                let starts = rules.starts_before(days[0]);
                Some((policy, rules.misses(&opening, starts)?))
            })
            .collect();
        if let Some((policy, miss)) = misses.first() {
            findings.push(over_the_days(policy, blackout, miss, misses.len() - 1));
        }
    }
}

/// What a policy says of its times.
struct Rules<'d> {
    schedule: &'d Schedule,
    after: Period,
    by: Option<Period>,
    round_up: Option<RoundUp>,
    zone: &'d TimeZone,
}

/// A file that is overdue before it can go.
struct Miss {
    due: String,
    overdue: String,
    goes: String,
}

impl<'d> Rules<'d> {
    fn of(policy: &'d PolicyDraft, zone: &'d TimeZone) -> Option<Self> {
        Some(Self {
            schedule: policy.schedule.as_ref()?.get_ref(),
            after: *policy.delete_after.as_ref()?.get_ref(),
            by: policy.delete_by.as_ref().map(|by| *by.get_ref()),
            round_up: policy.common.clock.as_ref()?.clock.round_up,
            zone,
        })
    }

    /// Whether any run falls into an opening.
    fn meets(&self, opening: &Opening<'_>) -> bool {
        let Some(beginning) = day_begins(date(2024, 1, 1), self.zone) else {
            return true;
        };
        let next = |after: &Timestamp| self.schedule.next_after(*after, self.zone);
        std::iter::successors(next(&beginning), next)
            .take(RUNS)
            .any(|run| opening.is_open(run))
    }

    /// The first of the starts whose file is overdue before an opening lets it go, although its schedule
    /// alone would have been in time.
    fn misses(&self, opening: &Opening<'_>, starts: Vec<Timestamp>) -> Option<Miss> {
        starts.into_iter().find_map(|start| {
            let due = self.after.end(start, self.round_up, self.zone)?.ends_at;
            let stated = self.by.and_then(|by| by.end(start, self.round_up, self.zone));
            let overdue = match stated {
                Some(end) => end.ends_at,
                None => due.checked_add_millis(DEFAULT_GRACE_MILLIS)?,
            };
            let run = self.schedule.next_after(due.checked_add_millis(-1)?, self.zone)?;
            let goes = opening.opens_at(run);
            let late = goes.is_none_or(|goes| goes > overdue) && run <= overdue;
            late.then(|| Miss {
                due: self.wall(due, opening),
                overdue: self.wall(overdue, opening),
                goes: goes.map_or_else(|| "never".to_owned(), |goes| self.wall(goes, opening)),
            })
        })
    }

    /// Starts whose files fall due about the time of these days.
    fn starts_before(&self, days: Blackout) -> Vec<Timestamp> {
        let at = |day: Date| day_begins(day, self.zone);
        let Some(first) = at(days.first) else {
            return Vec::new();
        };
        let Some(end) = self.after.end(first, self.round_up, self.zone) else {
            return Vec::new();
        };
        let length = end.ends_at.millis_since(first);
        let Some(guess) = first.checked_add_millis(-length) else {
            return Vec::new();
        };
        let day = self.zone.to_datetime(guess.to_jiff()).date();
        (-4..=LONG_BLACKOUT_DAYS)
            .filter_map(|ahead| day.checked_add(jiff::Span::new().days(ahead)).ok())
            .filter_map(at)
            .collect()
    }

    /// A window comes every week: the sample's own dates would only puzzle.
    fn wall(&self, at: Timestamp, opening: &Opening<'_>) -> String {
        let format = if opening.window.is_some() {
            "%a %H:%M"
        } else {
            "%a %Y-%m-%d %H:%M"
        };
        let wall = self.zone.to_datetime(at.to_jiff());
        wall.strftime(format).to_string()
    }
}

/// Every hour of a week, and every day of four.
fn sample(zone: &TimeZone) -> Vec<Timestamp> {
    let Some(first) = day_begins(date(2024, 1, 1), zone) else {
        return Vec::new();
    };
    let hours = (0..7 * 24).map(|n| n * MS_PER_HOUR);
    let days = (7..SAMPLE_DAYS).map(|n| n * 24 * MS_PER_HOUR);
    hours
        .chain(days)
        .filter_map(|millis| first.checked_add_millis(millis))
        .collect()
}

fn never_met(policy: &PolicyDraft, window: &Spanned<Window>) -> Problem {
    let at = policy.schedule.as_ref().map_or(window.span(), Spanned::span);
    Problem::at(
        Code::WindowNeverMet,
        at,
        format!("no run of `{}` ever falls into its window", policy.common.called()),
    )
    .label("runs only while the window is closed")
    .with(window.span(), "open only then")
    .help("each run waits for the next opening; to begin at a time of your own, let `schedule` fall into the window")
}

fn too_late(policy: &PolicyDraft, window: &Spanned<Window>, miss: &Miss) -> Problem {
    let Miss { due, overdue, goes } = miss;
    Problem::at(
        Code::WindowMissesDeadline,
        window.span(),
        format!("`{}` cannot keep its deadline in this window", policy.common.called()),
    )
    .label("closed for longer than a file has")
    .help(format!(
        "a file due {due} is overdue {overdue} and goes at the earliest {goes}: write a later `delete_by`, open the window on more days, or run `schedule` more often"
    ))
}

fn over_the_days(policy: &PolicyDraft, blackout: &Spanned<Blackout>, miss: &Miss, more: usize) -> Problem {
    let Miss { due, overdue, goes } = miss;
    let others = match more {
        0 => String::new(),
        1 => " and 1 more policy".to_owned(),
        more => format!(" and {more} more policies"),
    };
    Problem::at(
        Code::WindowMissesDeadline,
        blackout.span(),
        format!(
            "`{}`{others} cannot keep the deadline over these days",
            policy.common.called()
        ),
    )
    .label("nothing is deleted")
    .with(policy.common.name_at(), "this policy")
    .help(format!(
        "a file due {due} is overdue {overdue} and goes at the earliest {goes}: write a later `delete_by`, or shorten the blackout"
    ))
}

fn long(blackouts: &[Spanned<Blackout>], findings: &mut Findings) {
    for blackout in blackouts {
        let Blackout { first, last } = *blackout.get_ref();
        let days = (last - first).get_days() as i64 + 1;
        if days > LONG_BLACKOUT_DAYS {
            findings.push(
                Problem::at(
                    Code::LongBlackout,
                    blackout.span(),
                    format!("nothing is deleted for {days} days, erasure requests included"),
                )
                .label("a request has to be answered within a month")
                .help("if that is meant, leave it; `retentiond erase list` shows the days left, and a pause (`retentiond pause`) can be ended at any time"),
            );
        }
    }
}
