//! The period in steps of a day, a week or a month, as the calendar of its zone has them.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::document::{Step, Timeline};
use crate::ledger::ReportPeriod;
use crate::model::Timestamp;

/// Periods up to so many days are shown by day, up to so many by week, longer ones by month.
const BY_DAY: i32 = 100;
const BY_WEEK: i32 = 730;
/// No chart and no reader takes more: a period of a lifetime is shown from its end backwards.
const MOST_STEPS: usize = 1_200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
}

/// The steps of a period, to be filled.
#[derive(Debug)]
pub(super) struct Steps {
    unit: Unit,
    zone: TimeZone,
    starts: Vec<Date>,
    steps: Vec<Step>,
}

impl Steps {
    /// Empty steps over the period, as far as it has come.
    pub(super) fn over(period: &ReportPeriod, zone: &TimeZone) -> Self {
        let last = period.reached().checked_add_millis(-1).unwrap_or(period.from);
        let (first, last) = (day_of(period.from, zone), day_of(last.max(period.from), zone));
        let days = first.until(last).map_or(i32::MAX, |span| span.get_days());
        let unit = match days {
            ..BY_DAY => Unit::Day,
            BY_DAY..BY_WEEK => Unit::Week,
            _ => Unit::Month,
        };
        let mut starts = Vec::new();
        let mut at = start_of(last, unit);
        while starts.len() < MOST_STEPS {
            starts.push(at.max(first));
            if at <= first {
                break;
            }
            let Some(before) = at.yesterday().ok().map(|day| start_of(day, unit)) else {
                break;
            };
            at = before;
        }
        starts.reverse();
        let steps = starts
            .iter()
            .map(|day| Step {
                from: day.to_string(),
                ..Step::default()
            })
            .collect();
        Self {
            unit,
            zone: zone.clone(),
            starts,
            steps,
        }
    }

    /// The step in which `at` lies.
    pub(super) fn at(&mut self, at: Timestamp) -> Option<&mut Step> {
        let day = day_of(at, &self.zone);
        let place = self.starts.partition_point(|start| *start <= day);
        self.steps.get_mut(place.checked_sub(1)?)
    }

    /// What they came to.
    pub(super) fn finish(self) -> Timeline {
        Timeline {
            step: match self.unit {
                Unit::Day => "day",
                Unit::Week => "week",
                Unit::Month => "month",
            }
            .to_owned(),
            steps: self.steps,
        }
    }
}

fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(at.to_jiff()).date()
}

fn start_of(day: Date, unit: Unit) -> Date {
    match unit {
        Unit::Day => day,
        Unit::Week => {
            let since_monday = day.weekday().to_monday_zero_offset();
            day.checked_sub(i64::from(since_monday).days()).unwrap_or(day)
        }
        Unit::Month => day.first_of_month(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(from: &str, to: &str) -> Steps {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let period = ReportPeriod {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            now: "2030-01-01T00:00:00Z".parse().unwrap(),
        };
        Steps::over(&period, &zone)
    }

    #[test]
    fn each_day_of_a_quarter_has_a_step_in_the_zone_of_the_file() {
        // 1 July to 1 October in Berlin, where the day begins at 22:00 UTC.
        let mut quarter = steps("2026-06-30T22:00:00Z", "2026-09-30T22:00:00Z");
        quarter.at("2026-06-30T22:00:00Z".parse().unwrap()).unwrap().late += 1;
        quarter
            .at("2026-09-30T21:59:59Z".parse().unwrap())
            .unwrap()
            .in_time += 1;
        let timeline = quarter.finish();
        assert_eq!((timeline.step.as_str(), timeline.steps.len()), ("day", 92));
        assert_eq!(timeline.steps[0].from, "2026-07-01");
        assert_eq!(timeline.steps[0].late, 1);
        assert_eq!(timeline.steps[91].from, "2026-09-30");
        assert_eq!(timeline.steps[91].in_time, 1);
    }

    #[test]
    fn longer_periods_are_shown_by_week_and_by_month_beginning_with_their_own_first_day() {
        let year = steps("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z").finish();
        assert_eq!((year.step.as_str(), year.steps.len()), ("week", 53));
        assert_eq!(year.steps[0].from, "2026-01-01", "a Thursday");
        assert_eq!(year.steps[1].from, "2026-01-05");
        let decade = steps("2016-01-15T00:00:00Z", "2026-01-15T00:00:00Z").finish();
        assert_eq!((decade.step.as_str(), decade.steps.len()), ("month", 121));
        assert_eq!(decade.steps[0].from, "2016-01-15");
        assert_eq!(decade.steps[1].from, "2016-02-01");
    }
}
