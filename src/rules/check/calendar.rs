//! Dates as plain numbers: months clamped by hand, days counted from 1970-01-01.
//!
//! Only the local date of an instant comes from jiff.

use jiff::tz::TimeZone;

use crate::model::Timestamp;
use crate::rules::period::RoundUp;

/// A date of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    year: i64,
    /// 1…12
    month: i64,
    /// 1…31
    day: i64,
}

fn length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Day {
    /// The date that the zone's wall clock shows at `at`.
    pub(super) fn of(at: Timestamp, zone: &TimeZone) -> Self {
        let local = at.to_jiff().to_zoned_datetime(zone.clone());
        Self {
            year: i64::from(local.year()),
            month: i64::from(local.month()),
            day: i64::from(local.day()),
        }
    }

    pub(super) fn rounded(self, unit: Option<RoundUp>) -> Self {
        let month = match unit {
            None | Some(RoundUp::Day) => return self,
            Some(RoundUp::Month) => self.month,
            Some(RoundUp::Quarter) => (self.month + 2) / 3 * 3,
            Some(RoundUp::Year) => 12,
        };
        Self {
            year: self.year,
            month,
            day: length(self.year, month),
        }
    }

    /// The number of the date that lies `months` and then `days` later; `None` past the year 9999.
    pub(super) fn plus(self, months: i64, days: i64) -> Option<i64> {
        let months = self.year * 12 + self.month - 1 + months;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let clamped = Self {
            year,
            month,
            day: self.day.min(length(year, month)),
        };
        let end = Self {
            year: 9999,
            month: 12,
            day: 31,
        };
        Some(clamped.number() + days).filter(|number| *number < end.number())
    }

    /// The date that lies `months` and then `days` later.
    pub(super) fn later(self, months: i64, days: i64) -> Option<Self> {
        let number = self.plus(months, days)?;
        // Found by going there: from January of the year that the number cannot lie before.
        let years = number.div_euclid(366).min(number.div_euclid(365));
        let (mut year, mut month) = (1969 + years, 1);
        loop {
            let first = Self { year, month, day: 1 };
            let ahead = number - first.number();
            if (0..length(year, month)).contains(&ahead) {
                return Some(Self {
                    day: ahead + 1,
                    ..first
                });
            }
            month += 1;
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
            if ahead < 0 || year > 9999 {
                return None;
            }
        }
    }

    /// Days since 1970-01-01.
    pub(super) fn number(self) -> i64 {
        // Years begin in March here, so that the leap day is the last of its year.
        let year = if self.month < 3 { self.year - 1 } else { self.year };
        let month = (self.month + 9) % 12;
        let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        365 * year + leaps + (153 * month + 2) / 5 + self.day - 719_469
    }
}
