//! Periods: exact hours, or civil time by Regulation (EEC, Euratom) No 1182/71.
//!
//! `config` parses them, `decide` asks for their end. Knows the calendar and a zone; knows nothing of
//! policies, files or the current time.

mod parse;
mod span_of;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::Serialize;

pub use parse::PeriodError;

use crate::model::Timestamp;

pub(crate) const MS_PER_SECOND: i64 = 1000;
pub(crate) const MS_PER_MINUTE: i64 = 60 * MS_PER_SECOND;
pub(crate) const MS_PER_HOUR: i64 = 60 * MS_PER_MINUTE;

/// A span of time that a rule waits: exact, or counted on the calendar; never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// Hours and below: exact milliseconds, always positive.
    Exact {
        /// Length in milliseconds.
        millis: i64,
    },
    /// Days and longer: counted on the calendar of the policy's zone; never all zero.
    Civil {
        /// Years.
        years: u16,
        /// Months.
        months: u16,
        /// Days (weeks are seven of them).
        days: u32,
    },
}

/// A unit that a start date is rounded up to: the last day of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundUp {
    /// The day itself.
    Day,
    /// The last day of the month.
    Month,
    /// The last day of the quarter.
    Quarter,
    /// 31 December.
    Year,
}

/// Where a period ends, and the dates it was counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodEnd {
    /// Civil periods: the date counted from, after rounding; that day itself does not count.
    pub counted_from: Option<Date>,
    /// Civil periods: the last day, whose last hour ends the period.
    pub last_day: Option<Date>,
    /// The first instant after the period.
    pub ends_at: Timestamp,
}

impl RoundUp {
    /// The unit's name in the policy file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }

    /// The last day of the unit that `date` lies in.
    #[must_use]
    pub fn last_day(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Month => date.last_of_month(),
            Self::Quarter => {
                let month = (date.month() - 1) / 3 * 3 + 3;
                Date::new(date.year(), month, 1)
                    .expect("months 3, 6, 9 and 12 of a year that holds a date exist")
                    .last_of_month()
            }
            Self::Year => date.last_of_year(),
        }
    }
}

impl Period {
    /// Whether it is counted on the calendar, and so needs a zone.
    #[must_use]
    pub const fn is_civil(&self) -> bool {
        matches!(self, Self::Civil { .. })
    }

    /// How it compares with `other`, where that holds for **every** start, in every zone; else `None`.
    ///
    /// Cautious near the border: `31 days` and `1 month` end on the same day for some starts.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        span_of::compare(self, other)
    }

    /// The least that it lasts, in milliseconds, over all starts and zones: for narrowing, never for deciding.
    #[must_use]
    pub fn shortest_millis(self) -> i64 {
        span_of::shortest_millis(self)
    }

    /// The instant before which every start has its period behind it at `now`. `None` outside the calendar.
    #[must_use]
    pub fn over_before(self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Exact { millis } => now.checked_add_millis(-millis),
            Self::Civil { years, months, days } => {
                let span = jiff::Span::new()
                    .try_months(i32::from(years) * 12 + i32::from(months))
                    .and_then(|span| span.try_days(days))
                    .ok()?;
                let mut day = zone.to_datetime(now.to_jiff()).date().checked_sub(span).ok()?;
                // Months clamp to their last day: going back by them may end some days late.
                for _ in 0..5 {
                    day = day.yesterday().ok()?;
                    let over = day_begins(day.tomorrow().ok()?, zone)?;
                    let last = self.end(over.checked_add_millis(-1)?, None, zone)?;
                    if last.ends_at <= now {
                        return Some(over);
                    }
                }
                None
            }
        }
    }

    /// The end of a period that starts at `start`.
    ///
    /// Exact: `start` plus its milliseconds. Civil, by Regulation 1182/71 Article 3: the day of the
    /// event (rounded up) does not count, months clamp to their last day, the period ends with the last
    /// hour of its last day. So it ends at the start of the day after; where that midnight is skipped,
    /// at the first instant after the gap; where it comes twice, at the later one: never early.
    ///
    /// `None` outside the calendar, and for the rounding of an exact period, which `config` refuses:
    /// a caller that gets no end keeps the file.
    #[must_use]
    pub fn end(self, start: Timestamp, round_up: Option<RoundUp>, zone: &TimeZone) -> Option<PeriodEnd> {
        match (self, round_up) {
            (Self::Exact { millis }, None) => Some(PeriodEnd {
                counted_from: None,
                last_day: None,
                ends_at: start.checked_add_millis(millis)?,
            }),
            (Self::Exact { .. }, Some(_)) => None,
            (Self::Civil { years, months, days }, _) => {
                let date = zone.to_datetime(start.to_jiff()).date();
                let counted_from = round_up.map_or(date, |unit| unit.last_day(date));
                let span = jiff::Span::new()
                    .try_months(i32::from(years) * 12 + i32::from(months))
                    .and_then(|span| span.try_days(days))
                    .ok()?;
                let last_day = counted_from.checked_add(span).ok()?;
                Some(PeriodEnd {
                    counted_from: Some(counted_from),
                    last_day: Some(last_day),
                    ends_at: day_begins(last_day.tomorrow().ok()?, zone)?,
                })
            }
        }
    }
}

/// The first instant from which on the zone's date is `day` or later: never early. `None` beyond the
/// calendar.
#[must_use]
pub fn day_begins(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let midnight = day.at(0, 0, 0, 0);
    let instant = match zone.to_ambiguous_timestamp(midnight).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(midnight).ok()?,
        AmbiguousOffset::Fold { after, .. } => after.to_timestamp(midnight).ok()?,
        // Read with the offset from after the gap, a skipped time lies before the change of the clocks.
        AmbiguousOffset::Gap { after, .. } => {
            let before = after.to_timestamp(midnight).ok()?;
            zone.following(before).next()?.timestamp()
        }
    };
    Timestamp::from_jiff_rounded_up(instant).ok()
}

/// Canonical: the longest units first, as `6 months 14 days` or `72 hours`; parses back to the same.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: [(i64, &str); 4] = match *self {
            Self::Civil { years, months, days } => [
                (i64::from(years), "year"),
                (i64::from(months), "month"),
                (i64::from(days), "day"),
                (0, ""),
            ],
            Self::Exact { millis } => [
                (millis / MS_PER_HOUR, "hour"),
                (millis % MS_PER_HOUR / MS_PER_MINUTE, "minute"),
                (millis % MS_PER_MINUTE / MS_PER_SECOND, "second"),
                (millis % MS_PER_SECOND, "millisecond"),
            ],
        };
        let mut gap = "";
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count != 0) {
            let plural = if count == 1 { "" } else { "s" };
            write!(f, "{gap}{count} {unit}{plural}")?;
            gap = " ";
        }
        Ok(())
    }
}
