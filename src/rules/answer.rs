//! Until when an erasure request has to be answered: one month from its receipt (Art. 12(3) GDPR), counted
//! by Regulation (EEC, Euratom) No 1182/71, Article 3.
//!
//! Knows only dates: nothing here says what is deleted.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use super::period::{Period, day_begins};
use crate::model::Timestamp;

/// The end of the time for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerBy {
    /// Its last day: the answer is in time until that day is over.
    pub last_day: Date,
    /// The first instant after it.
    pub ends_at: Timestamp,
}

/// One month from the day of receipt, which itself does not count (Art. 3(1)); the last day is the one
/// with the same number, or the last of its month (Art. 3(2)(c)); if that is a Saturday, a Sunday or one
/// of the `holidays`, the next working day (Art. 3(4)). `None` at the calendar's end.
#[must_use]
pub fn answer_by(received: Date, holidays: &BTreeSet<Date>, zone: &TimeZone) -> Option<AnswerBy> {
    let mut last_day = received.checked_add(1.month()).ok()?;
    while !is_working_day(last_day, holidays) {
        last_day = last_day.tomorrow().ok()?;
    }
    Some(AnswerBy {
        last_day,
        ends_at: day_begins(last_day.tomorrow().ok()?, zone)?,
    })
}

impl AnswerBy {
    /// From when on to warn: `before` its end, by the clock or in whole days.
    #[must_use]
    pub fn warn_from(&self, before: Period, zone: &TimeZone) -> Option<Timestamp> {
        match before {
            Period::Exact { millis } => self.ends_at.checked_add_millis(millis.checked_neg()?),
            Period::Civil { years, months, days } => {
                let months = i32::from(years) * 12 + i32::from(months);
                let span = Span::new()
                    .try_months(months)
                    .and_then(|span| span.try_days(days))
                    .ok()?;
                day_begins(self.last_day.tomorrow().ok()?.checked_sub(span).ok()?, zone)
            }
        }
    }
}

fn is_working_day(day: Date, holidays: &BTreeSet<Date>) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !holidays.contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_day(received: &str, holidays: &[&str]) -> String {
        let holidays = holidays.iter().map(|day| day.parse().unwrap()).collect();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let answer = answer_by(received.parse().unwrap(), &holidays, &zone).unwrap();
        answer.last_day.to_string()
    }

    #[test]
    fn the_answer_is_due_with_the_same_day_of_the_next_month() {
        assert_eq!(last_day("2026-11-23", &[]), "2026-12-23");
        assert_eq!(last_day("2026-03-31", &[]), "2026-04-30", "clamped");
        assert_eq!(last_day("2028-01-31", &[]), "2028-02-29", "a leap year");
    }

    #[test]
    fn a_weekend_or_a_holiday_moves_it_to_the_next_working_day() {
        assert_eq!(last_day("2026-09-24", &[]), "2026-10-26", "a Saturday");
        assert_eq!(
            last_day("2027-01-31", &[]),
            "2027-03-01",
            "28 February is a Sunday"
        );
        assert_eq!(last_day("2027-01-31", &["2027-03-01"]), "2027-03-02");
        // Friday and Saturday are the Christmas days, Sunday follows.
        let christmas = ["2026-12-25", "2026-12-26"];
        assert_eq!(last_day("2026-11-25", &christmas), "2026-12-28");
        assert_eq!(last_day("2026-11-25", &[]), "2026-12-25");
    }

    #[test]
    fn the_time_ends_with_the_last_hour_of_that_day_in_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let ends = |received: &str| {
            let answer = answer_by(received.parse().unwrap(), &BTreeSet::new(), &zone).unwrap();
            answer.ends_at.to_string()
        };
        assert_eq!(ends("2026-11-23"), "2026-12-23T23:00:00Z");
        assert_eq!(ends("2026-05-04"), "2026-06-04T22:00:00Z");
    }

    #[test]
    fn the_warning_comes_so_many_days_before_it() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let answer = answer_by("2026-09-30".parse().unwrap(), &BTreeSet::new(), &zone).unwrap();
        assert_eq!(answer.ends_at.to_string(), "2026-10-30T23:00:00Z");
        let from = |text: &str| {
            let from = answer.warn_from(Period::parse(text).unwrap(), &zone);
            from.unwrap().to_string()
        };
        assert_eq!(from("7 days"), "2026-10-23T22:00:00Z", "summer time ends between");
        assert_eq!(from("48 hours"), "2026-10-28T23:00:00Z");
    }

    #[test]
    fn beyond_the_calendar_there_is_no_date() {
        let zone = TimeZone::UTC;
        assert_eq!(answer_by(Date::MAX, &BTreeSet::new(), &zone), None);
    }
}
