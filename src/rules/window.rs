//! When a policy may delete: days and hours on the wall clock of the file's zone, apart from blackout days.
//!
//! An instant is inside a window when the wall clock then reads so: hours that a change of the clock skips are
//! not there, hours that come twice count twice. Knows nothing of schedules or sweeps.

use std::fmt;
use std::ops::Range;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::policy::{Policy, RuleSet};
use crate::model::{PolicyName, Timestamp};

#[cfg(test)]
mod tests;

/// Days looked ahead for an opening: every weekday comes, and no sensible blackout lasts that long.
const HORIZON_DAYS: i64 = 800;

/// Days within which a window usually opens.
const NEAR_DAYS: i64 = 9;

/// Hours of certain days. What begins before midnight and ends after it belongs to the day on which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Monday first.
    days: [bool; 7],
    from: Time,
    /// Exclusive; midnight is the end of the day.
    until: Time,
}

/// Why a window is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// No day at all.
    #[error("it opens on no day")]
    NoDay,
    /// It ends when it begins.
    #[error("it ends when it begins")]
    Empty,
}

impl Window {
    /// On these days (Monday first), from one time of day to another; past midnight where `until` is not later.
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn new(days: [bool; 7], from: Time, until: Time) -> Result<Self, WindowError> {
        if !days.contains(&true) {
            return Err(WindowError::NoDay);
        }
        if from == until && from != Time::midnight() {
            return Err(WindowError::Empty);
        }
        Ok(Self { days, from, until })
    }

    fn opens_on(&self, day: Weekday) -> bool {
        self.days[usize::try_from(day.to_monday_zero_offset()).expect("0 to 6")]
    }

    fn holds(&self, date: Date, time: Time) -> bool {
        let today = self.opens_on(date.weekday());
        if self.until == Time::midnight() {
            return today && self.from <= time;
        }
        if self.from < self.until {
            return today && self.from <= time && time < self.until;
        }
        let yesterday = self.opens_on(date.weekday().previous());
        (today && self.from <= time) || (yesterday && time < self.until)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let days: Vec<&str> = names
            .iter()
            .zip(self.days)
            .filter_map(|(name, open)| open.then_some(*name))
            .collect();
        let time = |time: Time| time.strftime("%H:%M").to_string();
        write!(f, "{} {}-{}", days.join(","), time(self.from), time(self.until))
    }
}

/// Days on which nothing is deleted, the last one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blackout {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

/// When one policy may delete: in its window, if it has one, and never on a blackout day.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'r> {
    /// The policy's window.
    pub window: Option<&'r Window>,
    /// The file's blackout days.
    pub blackouts: &'r [Blackout],
    /// Where the wall clock hangs.
    pub zone: &'r TimeZone,
}

/// A policy may not delete now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// When it may; `None` beyond two years.
    pub opens: Option<Timestamp>,
}

impl RuleSet {
    /// When `policy`, one of these or the erasure requests, may delete by this file.
    #[must_use]
    pub fn opening<'r>(&'r self, policy: &'r Policy) -> Opening<'r> {
        Opening {
            window: policy.window.as_ref(),
            blackouts: &self.blackouts,
            zone: &self.zone,
        }
    }

    /// Whether nothing may be deleted for `policy` at `now`; while changed rules wait, by their windows too.
    #[must_use]
    pub fn closed(&self, policy: &PolicyName, now: Timestamp) -> Option<Closed> {
        let sets = std::iter::once(self).chain(self.awaiting.as_deref());
        let openings: Vec<Opening<'_>> = sets
            .filter_map(|rules| Some(rules.opening(rules.swept(policy)?)))
            .collect();
        let is_open = |at: Timestamp| openings.iter().all(|opening| opening.is_open(at));
        if is_open(now) {
            return None;
        }
        let mut opens = Some(now);
        while let Some(at) = opens.filter(|at| !is_open(*at)) {
            opens = openings
                .iter()
                .map(|opening| opening.opens_at(at))
                .reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b)))
                .flatten()
                .filter(|at| at.millis_since(now) < HORIZON_DAYS * 86_400_000);
        }
        Some(Closed { opens })
    }
}

impl Opening<'_> {
    /// Whether anything may be deleted at `now`.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        if self.window.is_none() && self.blackouts.is_empty() {
            return true;
        }
        let wall = self.zone.to_datetime(now.to_jiff());
        let blackout = self
            .blackouts
            .iter()
            .any(|days| days.first <= wall.date() && wall.date() <= days.last);
        !blackout
            && self
                .window
                .is_none_or(|window| window.holds(wall.date(), wall.time()))
    }

    /// The first instant, `now` or later, at which something may be deleted; `None` beyond two years.
    #[must_use]
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.first(now, |at| self.is_open(at))
    }

    /// The first instant, `now` or later, at which nothing may be deleted any more; `None` beyond two years.
    #[must_use]
    pub fn closes_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.first(now, |at| !self.is_open(at))
    }

    /// The first instant that satisfies `is`: `now`, or one at which the answer can change.
    fn first(&self, now: Timestamp, is: impl Fn(Timestamp) -> bool) -> Option<Timestamp> {
        if is(now) {
            return Some(now);
        }
        let near = self.changes(now, 0..NEAR_DAYS).into_iter().find(|at| is(*at));
        near.or_else(|| {
            self.changes(now, NEAR_DAYS - 1..HORIZON_DAYS)
                .into_iter()
                .find(|at| is(*at))
        })
    }

    /// The instants after `now`, so many days from its own day on, at which the answer can change.
    fn changes(&self, now: Timestamp, days: Range<i64>) -> Vec<Timestamp> {
        let today = self.zone.to_datetime(now.to_jiff()).date();
        let mut times = vec![Time::midnight()];
        times.extend(self.window.iter().flat_map(|window| [window.from, window.until]));
        let day = |ahead: i64| today.checked_add(jiff::Span::new().days(ahead)).ok();
        let on_the_clock = days
            .clone()
            .filter_map(day)
            .flat_map(|day| times.iter().map(move |time| day.to_datetime(*time)))
            .flat_map(|wall| {
                // A time that comes twice may open or close at either.
                let ambiguous = self.zone.to_ambiguous_timestamp(wall);
                [ambiguous.earlier(), ambiguous.later()]
            })
            .filter_map(Result::ok);
        // A clock that is put forward jumps into windows, and out of them.
        let end =
            day(days.end).and_then(|day| self.zone.to_timestamp(day.to_datetime(Time::midnight())).ok());
        let jumps = self
            .zone
            .following(now.to_jiff())
            .map(|change| change.timestamp())
            .take_while(|at| end.is_some_and(|end| *at < end));
        let mut found: Vec<Timestamp> = on_the_clock
            .chain(jumps)
            .filter_map(|at| Timestamp::from_jiff_rounded_up(at).ok())
            .filter(|at| *at > now)
            .collect();
        found.sort_unstable();
        found
    }
}
